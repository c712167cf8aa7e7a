// Which model answers, and what it can and cannot do: a line beside the composer of the
// start screen, and the panel at the top.

import { onAction } from "./actions.js";
import { el } from "./dom.js";

const $ = (id) => document.getElementById(id);
const all = (part) => document.querySelectorAll(`[data-model=${part}]`);

let hasLimits = false;

/** Write down what `/api/info` says of the model. */
export function showModel({ name, family, weights, device, cannot }) {
  hasLimits = cannot.length > 0;
  $("model").hidden = !name;
  const details = [family, weights, device].filter((detail) => detail && detail !== name);
  for (const node of all("name")) node.textContent = name;
  for (const node of all("details")) node.textContent = details.join(" · ");
  for (const node of all("line")) node.textContent = cannot[0] ?? "";
  for (const node of all("heading")) node.hidden = !hasLimits;
  for (const node of all("cannot")) node.replaceChildren(...cannot.map((sentence) => el("li", {}, sentence)));
}

export function showModelLine(onStart) {
  $("about").hidden = !(onStart && hasLimits);
}

export function listenToModelPanel() {
  const panel = $("model");
  const summary = panel.firstElementChild;
  onAction("about", () => {
    panel.open = true;
    summary.focus();
  });
  document.addEventListener("click", ({ target }) => {
    if (panel.open && !panel.contains(target) && !target.closest("[data-action=about]")) panel.open = false;
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !panel.open) return;
    event.preventDefault();
    panel.open = false;
    summary.focus();
  });
}
