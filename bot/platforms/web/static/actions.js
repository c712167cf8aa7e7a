// What the buttons with a `data-action` do: each module says it for its own.

const actions = new Map(); // the value of data-action → handler

/** Call `handler` with the button whenever one with that `data-action` is pressed. */
export function onAction(name, handler) {
  actions.set(name, handler);
}

export function listenToActions() {
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-action]");
    if (button) actions.get(button.dataset.action)?.(button);
  });
}
