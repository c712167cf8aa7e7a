// Builds nodes; strings become text, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element; an attribute that is null, undefined or false is left out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false && child !== ""));
  return node;
}

const PATHS = {
  hash: "M9.500 4 7.500 20M16.500 4l-2 16M4.500 9h15.500M4 15h15.500",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  back: "M15 5l-7 7 7 7",
  send: "M4 5l16 7-16 7 3-7zM7 12h8",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  thread: "M4 5h16v11h-9l-4 4v-4H4zM8 9h8M8 12h5",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  smile: "M12 3a9 9 0 100 18 9 9 0 000-18M9 10h.01M15 10h.01M8.500 14c1.500 2.500 5.500 2.500 7 0",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 2-2 5 5M15.500 9h.01",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  forum: "M4 5h11v8H9l-3 3v-3H4zM18 9h2v8h-2v3l-3-3h-4",
  voice: "M5 10v4h3l4 4V6L8 10zM15.500 9c1.500 1.500 1.500 4.500 0 6M18 6.500c3 3 3 8 0 11",
  at: "M15.500 12a3.500 3.500 0 11-7 0 3.500 3.500 0 017 0zM15.500 8.500V13c0 3 4.500 2.500 4.500-1a8 8 0 10-3 6.300",
  eye: "M3 12c4-7 14-7 18 0-4 7-14 7-18 0zM12 9.500a2.500 2.500 0 110 5 2.500 2.500 0 010-5",
  home: "M4 11l8-7 8 7v9h-6v-5h-4v5H4z",
  chat: "M4 5h16v12h-9l-4 4v-4H4z",
  slash: "M15 4 9 20",
  stop: "M7 7h10v10H7z",
};

/** A drawn icon; decoration, so whatever holds it needs a name of its own. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** A button with an icon; `name` is read aloud and shown as its tooltip. */
export function iconButton(name, label, onClick, attributes = {}) {
  return el("button", { type: "button", "aria-label": label, title: label, onclick: onClick, ...attributes }, icon(name));
}

/** Make a parent's children those of `items`, keeping each whose key and signature are the same. */
export function keyed(parent, items, build) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let before = parent.firstElementChild;
  for (const { key, signature, ...item } of items) {
    const kept = old.get(key);
    old.delete(key);
    let child = kept;
    if (!kept || kept.signature !== signature) {
      child = build(item, kept);
      child.dataset.key = key;
      child.signature = signature;
      if (kept) kept.replaceWith(child);
      if (kept === before) before = child;
    }
    if (child === before) before = child.nextElementSibling;
    else parent.insertBefore(child, before);
  }
  for (const gone of old.values()) gone.remove();
}
