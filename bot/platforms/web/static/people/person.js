// The reader as a person: their name, who sees what they ask, and "forget me".

import { answerOf } from "../dialogs.js";
import { el, icon } from "../dom.js";
import { sentenceOf } from "../failures.js";
import { catchFocus } from "../focus.js";
import { t } from "../texts.js";
import { forgetMe, getMe, rename } from "./requests.js";

const SKIPPED = "llava-bot.name-skipped";
const $ = (id) => document.getElementById(id);

let me = { name: "", kind: "local", sharing: false, who_sees: [] };
let skippedHere = false; // for where nothing can be stored
const listeners = new Set();

/** Who the reader is, as the server last said. */
export const person = () => me;

/** Whether the reader may still give a name; who signed in with one has it already. */
export const canBeNamed = () => me.kind === "session";

/** Call a function whenever that changes. */
export const onPerson = (listener) => listeners.add(listener);

/** Learn who the reader is, and show it. */
export async function loadPerson() {
  try {
    use(await getMe());
  } catch {
    // Away: asked again when the server is back.
  }
}

/** A form that asks for the name; null where nobody would see it, or once the reader gave one or wants none. */
export function nameQuestion() {
  const isSeen = me.sharing || me.threads === "team";
  return canBeNamed() && isSeen && !me.name && !hasSkipped() ? nameForm({ onSkip: skip, onSaved: catchFocus }) : null;
}

export async function giveName(name) {
  use(await rename(name));
}

export function listenToPerson() {
  $("me").addEventListener("click", openPerson);
}

function use(found) {
  me = found;
  showButton();
  showNote();
  for (const listener of listeners) listener();
}

function showButton() {
  $("me").hidden = false;
  $("me").replaceChildren(icon("person"), el("span", { class: "name" }, me.name || t("page_you")),
    el("span", { class: "visually-hidden" }, ` – ${t("page_me")}`));
}

// -- On the start screen -----------------------------------------------------

/** Others can reach this page: say at once what they see, and ask for a name, once. */
function showNote() {
  const note = $("who-sees");
  note.hidden = me.kind === "local";
  const question = nameQuestion();
  const key = JSON.stringify([me.who_sees, Boolean(question)]);
  if (note.shown === key) return; // a name that is being typed stays
  note.shown = key;
  note.replaceChildren(
    el("p", {}, icon("lock"), el("span", {}, me.who_sees.join(" "))),
    ...(question ? [question] : []));
}

function skip() {
  skippedHere = true;
  tryStorage(() => localStorage.setItem(SKIPPED, "1"));
  use(me);
  catchFocus();
}

const hasSkipped = () => skippedHere || Boolean(tryStorage(() => localStorage.getItem(SKIPPED)));

/** The browser may forbid to store anything: what is stored is no more than a convenience. */
function tryStorage(use) {
  try {
    return use();
  } catch {
    return null;
  }
}

/** A field for the name; `onSkip` adds a button that leaves it empty, `onSaved` is called after. */
function nameForm({ onSkip = null, onSaved = () => {} } = {}) {
  const field = el("input", { type: "text", maxlength: 60, autocomplete: "name", value: me.name });
  const failure = el("p", { class: "failure", role: "alert" });
  const form = el("form", { class: "name-form" },
    el("label", {}, el("span", {}, t("page_your_name")), el("small", { class: "quiet" }, t("page_name_hint")), field),
    el("div", { class: "row" },
      el("button", { class: "button" }, t("page_save")),
      onSkip && el("button", { type: "button", class: "tool", onclick: onSkip }, t("page_skip"))),
    failure);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    failure.textContent = await failureOf(() => giveName(field.value));
    if (!failure.textContent) onSaved();
  });
  return form;
}

/** The sentence to show if a request fails; empty if it did not. */
export async function failureOf(request) {
  try {
    await request();
    return "";
  } catch (error) {
    return sentenceOf(error);
  }
}

// -- The panel ----------------------------------------------------------------

function openPerson() {
  const failure = el("p", { class: "failure", role: "alert" });
  const dialog = panel("person-panel", t("page_me"),
    canBeNamed() && nameForm({ onSaved: () => dialog.close() }),
    me.kind === "name" && el("p", {}, t("page_signed_in", { name: me.name })),
    el("h3", {}, t("page_who_sees")),
    ...me.who_sees.map((sentence) => el("p", {}, sentence)),
    el("h3", {}, t("page_forget_me")),
    el("p", {}, t("page_forget_me_hint")),
    el("button", { type: "button", class: "button danger", onclick: forget }, icon("delete"), el("span", {}, t("page_forget_me"))),
    failure);
  dialog.showModal();

  async function forget() {
    if ((await answerOf($("confirm-forget"))) !== "forget") return;
    failure.textContent = await failureOf(forgetMe);
    if (failure.textContent) return;
    tryStorage(() => localStorage.removeItem(SKIPPED));
    tryStorage(() => sessionStorage.clear()); // drafts
    location.replace("/#/");
    location.reload();
  }
}

/** A dialog with a heading and a cross, gone for good when it is closed. */
export function panel(id, title, ...content) {
  const heading = el("h2", { id: `${id}-title` }, title);
  const dialog = el("dialog", { id, class: "people-panel", "aria-labelledby": heading.id },
    el("form", { method: "dialog", class: "panel-head" }, heading,
      el("button", { class: "icon-button", "aria-label": t("page_close"), title: t("page_close") }, icon("close"))),
    ...content);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  document.body.append(dialog);
  return dialog;
}
