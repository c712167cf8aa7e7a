// The order of a draft's pictures: dragged by mouse or finger, or moved by Shift and the arrow keys.

const DRAG_PX = 8; // less is a click

/** Let the items of `list`, which have a `picture`, change places; `onMove(picture, index)` makes it so. */
export function orderable(list, onMove) {
  list.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const item = event.target.closest("li");
    if (!by || !event.shiftKey || !item) return;
    event.preventDefault();
    const items = [...list.children];
    const index = items.indexOf(item) + by;
    if (index < 0 || index >= items.length) return;
    onMove(item.picture, index);
    event.target.focus(); // moving a node takes its focus away
  });

  let drag = null;
  list.addEventListener("pointerdown", (event) => {
    const item = event.target.closest("li");
    if (event.button !== 0 || !item || event.target.closest(".remove")) return;
    drag = { item, x: event.clientX, y: event.clientY, moved: false };
  });
  // On the document: the pointer may leave the list, and the list may be built anew.
  document.addEventListener("pointermove", (event) => {
    if (!drag) return;
    if (!drag.moved && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < DRAG_PX) return;
    drag.moved = true;
    drag.item.classList.add("dragged");
    const over = document.elementFromPoint(event.clientX, event.clientY)?.closest("li");
    if (!over || over === drag.item || over.parentElement !== list) return;
    const { left, width } = over.getBoundingClientRect();
    const items = [...list.children];
    const [from, to] = [items.indexOf(drag.item), items.indexOf(over)];
    // Past its middle, or pictures of different widths would change places without end.
    if (from < to ? event.clientX > left + width / 2 : event.clientX < left + width / 2) onMove(drag.item.picture, to);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    document.addEventListener(end, () => {
      if (!drag) return;
      drag.item.classList.remove("dragged");
      // The click that ends a drag enlarges nothing.
      if (drag.moved) list.addEventListener("click", swallow, { capture: true, once: true });
      setTimeout(() => list.removeEventListener("click", swallow, { capture: true }));
      drag = null;
    });
  }
}

function swallow(event) {
  event.stopPropagation();
  event.preventDefault();
}
