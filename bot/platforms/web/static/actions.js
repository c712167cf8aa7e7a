// What the buttons with a `data-action` do: each module says it for its own.

const actions = new Map(); // the value of data-action → handler

/** Call `handler` with the button whenever one with that `data-action` is pressed. */
export function onAction(name, handler) {
  actions.set(name, handler);
}

export function listenToActions() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action]");
    if (!button) return;
    if (button.matches("a")) event.preventDefault(); // the address says which thread is shown
    actions.get(button.dataset.action)?.(button);
  });
}
