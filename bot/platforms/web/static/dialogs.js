// Questions to the reader that must be answered before anything else.

import { onAction } from "./actions.js";

// A plain button, not one of the form: Enter in a field means the other one.
onAction("close-dialog", (button) => button.closest("dialog").close(""));

/** Open a dialog; resolves to the value of the button that closed it, empty for Escape. */
export function answerOf(dialog) {
  const opening = {};
  dialog.opening = opening;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", function closed() {
      const isLatest = dialog.opening === opening;
      if (isLatest && dialog.open) return; // the event of an earlier opening, which comes late
      dialog.removeEventListener("close", closed);
      resolve(isLatest ? dialog.returnValue : "");
    });
  });
}
