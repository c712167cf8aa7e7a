// What can be done with a message: reactions, thread, menu, edit, delete.

import { act } from "./api.js";
import { el, iconButton } from "./dom.js";
import { closeMenu, confirmed, openMenu } from "./overlays.js";
import { go, view } from "./state.js";

const QUICK = { slack: ["👍", "👀", "✅"], discord: ["👍", "❤️", "😄"] };

/** The bar that shows at a message under the pointer, or with the focus in it. */
export function toolbar(message, content) {
  const more = iconButton("more", "More actions", () => openMenu(entriesOf(message, content), more), { "aria-haspopup": "menu" });
  const inThread = view.app === "slack" && !message.thread;
  const bar = el(
    "div",
    { class: "toolbar", role: "group", "aria-label": "Message actions" },
    QUICK[view.app].map((emoji) =>
      el("button", { type: "button", class: "quick", "aria-label": `React with ${emoji}`, onclick: () => act("react", { id: message.id, emoji }) }, emoji),
    ),
    inThread && iconButton("thread", "Reply in thread", () => go(message.place, message.id), { class: "quick" }),
    more,
  );
  content.addEventListener("contextmenu", (event) => {
    // Links, pictures and selected text keep the browser's own menu; a long press opens this one.
    if (event.target.closest("a, img") || String(getSelection())) return;
    event.preventDefault();
    openMenu(entriesOf(message, content), more, event);
  });
  return bar;
}

function entriesOf(message, content) {
  const { id, place, thread } = message;
  const isMine = message.author === view.me && !message.is_note;
  const own = { id, place, thread };
  return [
    ...view.menu.map((name) => ({ icon: "picture", label: name, group: view.app === "discord" ? "Apps" : "", run: () => act("menu", own) })),
    view.app === "slack" && !thread && { icon: "thread", label: "Reply in thread", run: () => go(place, id) },
    ...QUICK[view.app].map((emoji) => ({ emoji, label: "React", group: "phone", run: () => act("react", { id, emoji }) })),
    isMine && { icon: "edit", label: "Edit message", run: () => edit(message, content) },
    isMine && { icon: "trash", label: "Delete message", danger: true, run: () => remove(own) },
  ].filter(Boolean);
}

async function remove(own) {
  closeMenu();
  if (await confirmed("Delete message", "Are you sure you want to delete this message? This cannot be undone.", "Delete")) act("delete", own);
}

function edit(message, content) {
  const { id, place, thread } = message;
  const text = el("textarea", { "aria-label": "Edit message", rows: 2 });
  text.value = message.raw;
  const parts = [...content.querySelectorAll(".text")];
  const close = () => {
    form.remove();
    parts.forEach((it) => (it.hidden = false));
  };
  const save = (event) => {
    event?.preventDefault();
    if (text.value.trim() && text.value !== message.raw) act("edit", { id, place, thread, text: text.value });
    close();
  };
  const form = el(
    "form",
    { class: "edit", onsubmit: save },
    text,
    el("button", { type: "button", onclick: close }, "Cancel"),
    el("button", { class: "primary" }, "Save"),
  );
  text.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") close();
    if (event.key === "Enter" && !event.shiftKey) save(event);
  });
  parts.forEach((it) => (it.hidden = true));
  content.querySelector(".by").after(form);
  text.focus();
}
