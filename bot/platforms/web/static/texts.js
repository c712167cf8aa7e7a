// The page's sentences, in the visitor's language, as /api/info served them.

let sentences = {};

const RIGHT_TO_LEFT = /[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufeff]/;

/** Take the sentences and write them into every element that names one. */
export function useTexts(texts, root = document) {
  sentences = texts;
  for (const node of root.querySelectorAll("[data-text]")) node.textContent = t(node.dataset.text);
  for (const node of root.querySelectorAll("[data-placeholder]")) node.placeholder = t(node.dataset.placeholder);
  for (const node of root.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", t(node.dataset.label));
    if (node.matches("button")) node.title = t(node.dataset.label);
  }
}

/** The sentence of that key, its `{name}` placeholders filled.
 *
 * `{name:one|several}` takes the first form for 1, `{name:.1f}` shows one decimal, `{name:size}` a
 * number of bytes in a unit that fits.
 */
export function t(key, values = {}) {
  const sentence = sentences[key] ?? key;
  return sentence.replace(/\{(\w+)(?::(?:(size)|\.(\d)f|([^|}]*)\|([^}]*)))?\}/g, (whole, name, asSize, decimals, one, several) => {
    const value = values[name] ?? whole;
    if (asSize) return size(value);
    if (decimals !== undefined) return value.toFixed(decimals);
    if (several === undefined) return isolated(value);
    return value === 1 ? one : several;
  });
}

/** At most one decimal, rounded up: what is larger than a limit is never shown as the limit. */
function size(bytes) {
  const units = ["B", "KB", "MB", "GB"];
  let unit = 0;
  let tenths = bytes * 10;
  while (tenths >= 10_000 && unit < units.length - 1) tenths = Math.ceil((bytes * 10) / 1000 ** ++unit);
  return `${tenths / 10} ${units[unit]}`;
}

/** A value within a sentence; one from right to left does not turn what stands around it. */
function isolated(value) {
  return RIGHT_TO_LEFT.test(value) ? `\u2068${value}\u2069` : value;
}
