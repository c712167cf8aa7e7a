// The search field above the list, and the keys that lead through both.

import { catchFocus } from "../focus.js";

const TYPING_MS = 200; // so long after the last key the server is asked
const $ = (id) => document.getElementById(id);

/** `onWords` is told what is searched for; `onOpen` makes the side bar visible. */
export function listenToSearch({ onWords, onOpen }) {
  const input = $("search");
  // Not “/”, which works as well, but is a letter where the focus mostly is: in the composer.
  if (/^(Mac|iP)/.test(navigator.platform)) document.querySelector(".search kbd").textContent = "⌘ K";
  let timer;
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(() => onWords(input.value.trim()), input.value ? TYPING_MS : 0);
  };
  input.addEventListener("input", (event) => event.isComposing || changed());
  input.addEventListener("compositionend", changed);
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") {
      event.preventDefault();
      links()[0]?.focus();
    } else if (event.key === "Escape" && input.value) {
      event.preventDefault();
      event.stopPropagation(); // it clears the search, it does not close the drawer or stop an answer
      input.value = "";
      changed();
    } else if (event.key === "Escape") {
      event.preventDefault(); // it leaves the search, it does not stop an answer
      input.blur();
      catchFocus();
    }
  });
  document.addEventListener("keydown", (event) => {
    const isFind = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k";
    const isSlash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target);
    if (!(isFind || isSlash) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    onOpen();
    input.focus();
    input.select();
  });
  $("threads").addEventListener("keydown", onKeyInList);
}

function isTyping(target) {
  return target.matches("input, textarea, select, [contenteditable]");
}

const links = () => [...$("threads").querySelectorAll("a[data-thread]")];

function onKeyInList(event) {
  const item = event.target.closest("li");
  if (!item || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const [link, menu] = [item.querySelector("a"), item.querySelector("[data-action=thread-menu]")];
  const all = links();
  const to = {
    ArrowDown: all[all.indexOf(link) + 1],
    ArrowUp: all[all.indexOf(link) - 1] ?? $("search"),
    Home: all[0],
    End: all.at(-1),
    ArrowRight: menu,
    ArrowLeft: link,
  }[event.key];
  if (!to) return;
  event.preventDefault();
  to.focus();
}
