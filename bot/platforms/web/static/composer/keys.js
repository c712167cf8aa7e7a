// The keys of a box for a question: Enter sends it, Shift+Enter begins a new line.

/** Whether a keydown is to send what was typed. */
export function isSend(event) {
  // Enter that accepts a word of an input method (Japanese) is not a send;
  // Safari reports it after the composition, with keyCode 229.
  return event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229;
}
