// Trees of markup as elements. Only the names that stand here become elements.

import { el } from "./dom.js";
import { go, personOf, placeOf, threadOf, view } from "./state.js";

const PLAIN = {
  strong: "strong", em: "em", del: "s", u: "u", p: "p", br: "br", hr: "hr", small: "small", list: "ul",
  h1: "h3", h2: "h4", h3: "h5", code: "code", quote: "blockquote",
};

/** The elements of a list of nodes. */
export const elementsOf = (nodes) => nodes.map(elementOf);

function elementOf(node) {
  if (typeof node === "string") return node;
  const children = () => elementsOf(node.children);
  switch (node.tag) {
    case "a":
      return el("a", { href: node.href, target: "_blank", rel: "noopener noreferrer" }, children());
    case "user": {
      const isMe = node.id === view.me;
      return el("span", { class: `mention${isMe ? " me" : ""}` }, `@${personOf(node.id).name}`);
    }
    case "place":
      return placeLink(node.id);
    case "role":
    case "ping":
      return el("span", { class: "mention" }, children().length ? children() : "@role");
    case "li":
      return el("li", { "data-mark": node.mark, "data-level": node.level }, children());
    case "pre":
      return el("pre", { tabindex: 0 }, el("code", {}, children()));
    case "spoiler":
      return spoiler(children());
    default:
      return PLAIN[node.tag] ? el(PLAIN[node.tag], {}, children()) : el("span", {}, children());
  }
}

function placeLink(id) {
  const thread = threadOf(id);
  const name = thread?.name ?? placeOf(id)?.name ?? "unknown";
  const open = () => (thread ? go(thread.place, id) : placeOf(id) && go(id));
  return el("button", { type: "button", class: "mention", onclick: open }, `#${name}`);
}

function spoiler(children) {
  const button = el("button", { type: "button", class: "spoiler", "aria-label": "Spoiler: show it" }, el("span", {}, children));
  button.addEventListener("click", () => button.replaceWith(el("span", { class: "spoiler shown" }, ...button.firstChild.childNodes)));
  return button;
}
