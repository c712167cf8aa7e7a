// What was typed and not sent, for as long as the tab lives: a reload loses no text.
// Pictures stay in the page's memory alone; after a reload their names tell which to add again.

const PREFIX = "draft:";
const MAX_CHARS = 100_000; // the server takes no more
const MAX_DRAFTS = 50;

export const emptyDraft = () => ({ text: "", pictures: [], lost: [] });

/** The draft kept under `key`; `lost` names the pictures that it had. */
export function loadDraft(key) {
  try {
    const { text, names } = JSON.parse(sessionStorage.getItem(PREFIX + key)) ?? {};
    return { ...emptyDraft(), text: text ?? "", lost: names ?? [] };
  } catch {
    return emptyDraft(); // no storage here, or nothing of ours in it
  }
}

/** Keep a draft, or forget it if it is empty. */
export function keepDraft(key, text, names) {
  try {
    sessionStorage.removeItem(PREFIX + key); // kept again below, as the latest
    if (!text && !names.length) return;
    forgetOldest();
    sessionStorage.setItem(PREFIX + key, JSON.stringify({ text: text.slice(0, MAX_CHARS), names, at: Date.now() }));
  } catch {
    // Storage is full or forbidden: the draft is in memory all the same.
  }
}

export const forgetDraft = (key) => keepDraft(key, "", []);

function forgetOldest() {
  const drafts = Object.keys(sessionStorage)
    .filter((key) => key.startsWith(PREFIX))
    .map((key) => [JSON.parse(sessionStorage.getItem(key)).at, key])
    .sort(([one], [other]) => one - other);
  for (const [, key] of drafts.slice(0, Math.max(0, drafts.length - MAX_DRAFTS + 1))) sessionStorage.removeItem(key);
}
