// Where the focus goes when what had it is gone: nobody who uses keys, or hears the page, begins
// again at its top.

const $ = (id) => document.getElementById(id);

/** Put back a focus that has fallen off the page; call after what may have had it was removed or hidden. */
export function catchFocus() {
  const { activeElement, body } = document;
  if (activeElement !== body && activeElement.checkVisibility({ visibilityProperty: true })) return;
  // On a touch screen the composer would raise the keyboard over the answer.
  const toAnswer = matchMedia("(pointer: coarse)").matches || !$("question").checkVisibility();
  $(toAnswer ? "scroller" : "question").focus({ preventScroll: true });
}

export function listenToFocus() {
  // A dialog gives the focus back to what it was opened by, which may be gone.
  document.addEventListener("close", catchFocus, { capture: true });
}
