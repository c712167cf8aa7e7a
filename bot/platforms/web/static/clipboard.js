// Copying, also where the page was not reached by https.

import { el } from "./dom.js";
import { t } from "./texts.js";

const COPIED_MS = 2_000;

/** Copy a text and let the button's `span` say so for a moment. */
export async function copyFrom(button, text) {
  await copyText(text, button.closest("dialog") ?? document.body);
  const label = button.querySelector("span");
  label.textContent = t("page_copied");
  setTimeout(() => (label.textContent = t("page_copy")), COPIED_MS);
}

/** `within`: where a field may stand for a moment; beside an open dialog nothing can be selected. */
export async function copyText(text, within = document.body) {
  // The clipboard interface exists only on https and localhost; a team's bot may
  // well be reached by plain http.
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = el("textarea", { class: "visually-hidden", readonly: true });
  area.value = text;
  within.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
