// A code block's line above it: its language, and buttons that copy it and download a long one.

import { copyFrom } from "../clipboard.js";
import { el, icon } from "../dom.js";
import { t } from "../texts.js";

const LONG_CHARS = 2_000;

/** Put every `pre` of a fragment under such a line. */
export function withCodeBlocks(fragment) {
  for (const pre of fragment.querySelectorAll("pre")) {
    const code = pre.firstElementChild;
    const language = pre.dataset.info ?? "";
    code.textContent = code.textContent.replace(/\n$/, "");
    pre.removeAttribute("data-info");
    pre.tabIndex = 0; // it may be wider than the page: arrow keys scroll it
    const block = el("div", { class: "code" });
    pre.replaceWith(block);
    block.append(el("div", { class: "code-head" }, el("span", { class: "info" }, language),
      el("span", {}, code.textContent.length > LONG_CHARS && downloadButton(), copyButton())), pre);
  }
}

function downloadButton() {
  const download = ({ currentTarget: button }) => {
    const text = button.closest(".code").querySelector("pre").textContent;
    const href = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/plain;charset=utf-8" }));
    el("a", { href, download: "text.txt" }).click();
    setTimeout(() => URL.revokeObjectURL(href));
  };
  return el("button", { type: "button", class: "tool", "data-kept": true, onclick: download },
    icon("download"), el("span", {}, t("page_download")));
}

function copyButton() {
  const copy = ({ currentTarget: button }) =>
    copyFrom(button, button.closest(".code").querySelector("pre").textContent);
  return el("button", { type: "button", class: "tool", "data-kept": true, onclick: copy },
    icon("copy"), el("span", { role: "status" }, t("page_copy")));
}
