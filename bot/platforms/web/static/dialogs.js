// Questions to the reader that must be answered before anything else.

/** Open a dialog; resolves to the value of the button that closed it, empty for Escape. */
export function answerOf(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}
