// What lies above the page: menus, the picture in full, questions to confirm, alerts.

import { el, icon, iconButton } from "./dom.js";

const menu = document.querySelector("#menu");
const viewer = document.querySelector("#picture");
const alertBox = document.querySelector("#alert");
let opener = null;

/** A menu beside its button, or where the pointer is; on a phone a sheet at the foot. */
export function openMenu(entries, button, pointer = null) {
  opener = button;
  let group = "";
  menu.replaceChildren(
    ...entries.flatMap((entry) => {
      const run = () => {
        closeMenu();
        entry.run();
      };
      const item = el(
        "button",
        { type: "button", role: "menuitem", class: [entry.danger && "danger", entry.group === "phone" && "phone-only"].filter(Boolean).join(" "), onclick: run },
        entry.icon ? icon(entry.icon) : el("span", { class: "emoji" }, entry.emoji),
        entry.label,
      );
      const heading = entry.group && entry.group !== "phone" && entry.group !== group && el("div", { class: "group", role: "presentation" }, entry.group);
      group = entry.group ?? "";
      return [heading, item].filter(Boolean);
    }),
  );
  menu.hidden = false;
  const { right, bottom, top } = button.getBoundingClientRect();
  const left = pointer ? pointer.clientX : right - menu.offsetWidth;
  const below = pointer ? pointer.clientY : bottom + 4;
  const fits = below + menu.offsetHeight < innerHeight;
  menu.style.left = `${Math.max(8, Math.min(left, innerWidth - menu.offsetWidth - 8))}px`;
  menu.style.top = `${fits ? below : Math.max(8, (pointer ? below : top) - menu.offsetHeight - 4)}px`;
  menu.querySelector("button").focus();
}

export function closeMenu() {
  if (menu.hidden) return;
  menu.hidden = true;
  if (opener?.isConnected) opener.focus();
}

menu.addEventListener("keydown", (event) => {
  const items = [...menu.querySelectorAll("button")].filter((it) => it.offsetParent);
  const at = items.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (next !== undefined) items.at(next % items.length).focus();
  else if (event.key === "Escape" || event.key === "Tab") closeMenu();
  else return;
  event.preventDefault();
  event.stopPropagation();
});
addEventListener("pointerdown", (event) => {
  if (!menu.contains(event.target) && !opener?.contains(event.target)) closeMenu();
});

/** Show a picture in full; Escape, the button or a click beside it closes it. */
export function openPicture(source, name) {
  const close = iconButton("close", "Close", () => viewer.close());
  viewer.replaceChildren(el("figure", {}, el("img", { src: source, alt: name }), el("figcaption", {}, name)), close);
  viewer.showModal();
}
viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());

/** Ask before something that cannot be undone. */
export function confirmed(title, text, yes) {
  return new Promise((resolve) => {
    const dialog = el(
      "dialog",
      { class: "box", "aria-label": title },
      el("form", { method: "dialog" },
        el("h2", {}, title),
        el("p", {}, text),
        el("div", { class: "buttons" }, el("button", { value: "" }, "Cancel"), el("button", { value: "yes", class: "danger" }, yes)),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A line at the top of the page; empty takes it away. */
export function showAlert(text) {
  if (alertBox.textContent !== text) alertBox.textContent = text;
  alertBox.hidden = !text;
}
