// The menu of a thread: rename, download, delete. One node serves every thread.

const GAP_PX = 4;
const $ = (id) => document.getElementById(id);

let opener = null; // the button it was opened by

/** `onOpen(threadId, menu)` may hide what does not apply to the thread. */
export function listenToThreadMenu(onOpen) {
  const menu = $("thread-menu");
  menu.addEventListener("keydown", onKey);
  menu.addEventListener("click", () => menu.hidePopover());
  menu.addEventListener("toggle", ({ newState }) => opener?.setAttribute("aria-expanded", String(newState === "open")));
  addEventListener("resize", () => menu.matches(":popover-open") && menu.hidePopover());
  return (button, threadId) => {
    opener = button;
    for (const item of menu.querySelectorAll("[role=menuitem]")) item.dataset.thread = threadId;
    onOpen(threadId, menu);
    button.closest("nav, header").append(menu); // a part of what its button is in
    menu.showPopover();
    place(menu, button.getBoundingClientRect());
    visibleItems()[0]?.focus(); // at once: the next key may come before any event does
  };
}

function place(menu, { top, bottom, right }) {
  const { offsetWidth, offsetHeight } = menu;
  const below = bottom + GAP_PX;
  const above = top - GAP_PX - offsetHeight;
  menu.style.top = `${below + offsetHeight <= innerHeight || above < 0 ? below : above}px`;
  menu.style.left = `${Math.max(GAP_PX, Math.min(right - offsetWidth, innerWidth - offsetWidth - GAP_PX))}px`;
}

const visibleItems = () => [...$("thread-menu").querySelectorAll("[role=menuitem]:not([hidden])")];

function onKey(event) {
  const items = visibleItems();
  const at = items.indexOf(document.activeElement);
  const to = {
    ArrowDown: items[(at + 1) % items.length],
    ArrowUp: items.at(at - 1),
    Home: items[0],
    End: items.at(-1),
  }[event.key];
  if (event.key === "Tab") $("thread-menu").hidePopover();
  if (event.key === "Escape") event.stopPropagation(); // it closes the menu and nothing else
  if (!to) return;
  event.preventDefault();
  to.focus();
}
