// Threads that are shared by a link: making and taking it back, and what a guest sees.

import { onAction } from "../actions.js";
import { copyFrom } from "../clipboard.js";
import { el, icon } from "../dom.js";
import { t } from "../texts.js";
import { canBeNamed, failureOf, giveName, nameQuestion, panel, person } from "./person.js";
import { leaveThread, shareThread, unshareThread } from "./requests.js";

const $ = (id) => document.getElementById(id);

/** `current` returns the thread that is shown; `onShared(thread)` and `onLeft(id)` follow a change, `onFailed(sentence)` a failure. */
export function listenToSharing({ current, onShared, onLeft, onFailed }) {
  onAction("share", () => openShare(current(), onShared));
  onAction("leave", async ({ dataset }) => {
    const id = dataset.thread ?? current().id;
    const sentence = await failureOf(() => leaveThread(id));
    if (sentence) onFailed(sentence);
    else onLeft(id);
  });
}

/** Show what the reader may do in a thread, whose it is, and with whom it is shared. */
export function showAccess(thread) {
  const { id, access } = thread;
  const isMine = access?.is_mine ?? true;
  $("share-thread").hidden = !(id && isMine && person().sharing);
  $("delete-thread").hidden = !id || access?.can_delete === false;
  const box = document.querySelector("#composer .box");
  if (thread.isReadOnly && box.contains(document.activeElement)) $("scroller").focus({ preventScroll: true });
  box.hidden = thread.isReadOnly;
  const note = $("shared-note");
  const question = !isMine && access.can_ask ? nameQuestion() : null;
  const key = JSON.stringify([id, access, person().sharing, Boolean(question)]);
  if (note.shown === key) return;
  note.shown = key;
  const sentence = access && sentenceFor(access);
  note.hidden = !sentence;
  if (!sentence) return note.replaceChildren();
  const action = isMine ? ["share", "page_shared_change"] : ["leave", "page_leave"];
  note.replaceChildren(icon("people"), el("span", {}, sentence),
    el("button", { type: "button", class: "tool", "data-action": action[0] }, t(action[1])),
    ...(question ? [question] : []));
}

function sentenceFor({ is_mine, can_ask, can_delete, share, shared_by }) {
  if (is_mine) return share && t(share.can_ask ? "page_sharing_ask" : "page_sharing_read");
  if (can_delete) return ""; // a team's thread: everybody's
  const name = shared_by || t("page_somebody");
  return t(can_ask ? "page_shared_ask" : "page_shared_read", { name });
}

/** Why a thread is gone for the reader; null where it was their own, or everybody's. */
export function whyUnshared(access) {
  if (!access || access.is_mine || access.can_delete) return null;
  return t("page_unshared", { name: access.shared_by || t("page_somebody") });
}

/** What marks a line of the side bar; null where a thread is only the reader's. */
export function sharedMark({ is_mine = true, is_shared = false }) {
  if (!is_shared) return null;
  const label = t(is_mine ? "page_shared" : "page_shared_with_you");
  return el("span", { class: "shared", title: label }, icon("people"), el("span", { class: "visually-hidden" }, label));
}

/** Whether the reader may have a question answered anew: their own, or any in a team without secrets. */
export const canRepeat = ({ author }) => !author || author.is_me || person().threads === "team";

/** Who asked a question, where it was not the reader. */
export function authorOf({ author }) {
  return !author || author.is_me ? null : author.name || t("page_somebody");
}

// -- The panel ----------------------------------------------------------------

function openShare(thread, onShared) {
  const dialog = panel("share-panel", t("page_share"), el("div", { class: "share-body" }));
  const body = dialog.querySelector(".share-body");
  let failure = null;
  show();
  dialog.showModal();

  function show() {
    const { share } = thread.access ?? {};
    failure = el("p", { class: "failure", role: "alert" });
    body.replaceChildren(...(share ? shared(share) : unshared()), failure);
  }

  function unshared() {
    const name = canBeNamed() && !person().name && el("input", { type: "text", maxlength: 60, autocomplete: "name" });
    const canAsk = el("input", { type: "checkbox" });
    return [
      el("p", {}, t("page_share_hint")),
      ...(name ? [el("label", {}, el("span", {}, t("page_your_name")), el("small", { class: "quiet" }, t("page_name_hint")), name)] : []),
      checkbox(canAsk),
      button("primary", "page_share_make", () => change(async () => {
        if (name && name.value.trim()) await giveName(name.value);
        await shareThread(thread.id, canAsk.checked);
      })),
    ];
  }

  function shared(share) {
    const link = el("input", { type: "text", readonly: true, value: location.origin + share.path, "aria-label": t("page_share_link") });
    link.addEventListener("focus", () => link.select());
    const canAsk = el("input", { type: "checkbox", checked: share.can_ask });
    canAsk.addEventListener("change", () => change(() => shareThread(thread.id, canAsk.checked)));
    const copy = el("button", { type: "button", class: "button primary" }, icon("copy"), el("span", { role: "status" }, t("page_copy")));
    copy.addEventListener("click", () => copyFrom(copy, link.value));
    return [
      el("p", {}, t("page_share_hint")),
      el("div", { class: "row" }, link, copy),
      checkbox(canAsk),
      button("danger", "page_unshare", () => change(() => unshareThread(thread.id))),
    ];
  }

  async function change(request) {
    const sentence = await failureOf(async () => {
      await request();
      await thread.open();
    });
    if (!dialog.open) return;
    if (sentence) return void (failure.textContent = sentence);
    show();
    body.querySelector("input, button").focus();
    onShared(thread);
  }
}

const checkbox = (input) => el("label", { class: "check" }, input, el("span", {}, t("page_share_can_ask")));

const button = (kind, key, onclick) => el("button", { type: "button", class: `button ${kind}`, onclick }, t(key));
