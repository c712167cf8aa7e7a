// Modals: the bot's, which belong to this tab, and the one that asks for a name.

import { act, join } from "./api.js";
import { el } from "./dom.js";
import { refresh, view } from "./state.js";
import { words } from "./words.js";

const modal = document.querySelector("#modal");
const joining = document.querySelector("#join");
const NAMES = ["Sam", "Robin", "Noa", "Kim", "Alex", "Mika"];

modal.addEventListener("cancel", (event) => {
  event.preventDefault();
  act("close", { modal: modal.dataset.id });
  modal.close();
});

/** Open or close the bot's modal. */
export function drawModal() {
  const shown = view.modal;
  if (!shown) return modal.open && modal.close();
  if (modal.dataset.id === shown.id) return;
  modal.dataset.id = shown.id;
  const fields = new Map();
  const form = el("form", { method: "dialog" }, el("h2", { id: "modal-title" }, shown.title), shown.text && el("p", {}, shown.text));
  for (const { id, label, value, placeholder, options } of shown.fields) {
    const field = options.length
      ? el("select", { id: `field-${id}` }, options.map(([text, option]) => el("option", { value: option }, text)))
      : el("textarea", { id: `field-${id}`, rows: 3, placeholder });
    field.value = value;
    fields.set(id, field);
    form.append(el("label", { for: `field-${id}` }, label), field);
  }
  const close = () => {
    act("close", { modal: shown.id });
    modal.close();
  };
  form.append(
    el("div", { class: "buttons" },
      el("button", { type: "button", onclick: close }, shown.close),
      shown.submit && el("button", { class: "primary" }, shown.submit),
    ),
  );
  form.addEventListener("submit", () => {
    act("submit", { modal: shown.id, values: Object.fromEntries([...fields].map(([id, { value }]) => [id, value || null])) });
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  modal.setAttribute("aria-labelledby", "modal-title");
  modal.replaceChildren(form);
  modal.showModal();
  form.querySelector("textarea, select, button").focus();
}

/** Ask a visitor who has none for a name. */
export function askForName() {
  if (view.me) return joining.open && joining.close();
  if (joining.open) return;
  const taken = new Set(view.people.map((it) => it.name));
  const name = el("input", { id: "join-name", autocomplete: "nickname", maxlength: 40, required: true });
  name.value = NAMES.find((it) => !taken.has(it)) ?? "";
  const problem = el("p", { class: "problem", role: "alert" });
  const form = el(
    "form",
    {},
    el("h2", { id: "join-title" }, words.join(view.workspace)),
    el("p", {}, words.about(view.app)),
    el("label", { for: "join-name" }, words.name),
    name,
    problem,
    el("div", { class: "buttons" }, el("button", { class: "primary" }, words.enter)),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = (await join(name.value)) ?? "";
    await refresh();
  });
  joining.addEventListener("cancel", (event) => event.preventDefault());
  joining.setAttribute("aria-labelledby", "join-title");
  joining.replaceChildren(form);
  joining.showModal();
  name.select();
}
