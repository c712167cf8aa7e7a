// The pictures of a draft, as the composer shows them.

import { el, icon } from "../dom.js";
import { pictureImage } from "../render.js";
import { t } from "../texts.js";
import { examine } from "./files.js";

/** A picture of a draft. `checked` resolves to the sentence that says why it cannot be used, or null. */
export function pendingPicture(file, limits) {
  const picture = { file, url: URL.createObjectURL(file) };
  picture.checked = examine(file, limits).then(({ problem, width, height }) => {
    picture.width ??= width;
    picture.height ??= height;
    return problem;
  });
  return picture;
}

/** Bring the list up to date; items that stay keep their nodes. */
export function showPending(list, pictures, onRemove) {
  list.hidden = pictures.length === 0;
  const shown = new Map([...list.children].map((item) => [item.picture, item]));
  const items = pictures.map((picture) => shown.get(picture) ?? pendingItem(picture, onRemove));
  if (items.length === list.children.length && items.every((item, index) => item === list.children[index])) return;
  list.replaceChildren(...items);
}

/** Delete on a thumbnail: the picture beside it has the focus then. */
function removeByKey(event, picture, onRemove) {
  if (!["Delete", "Backspace"].includes(event.key)) return;
  event.preventDefault();
  const item = event.target.closest("li");
  const next = item.nextElementSibling ?? item.previousElementSibling;
  onRemove(picture);
  next?.querySelector(".thumbnail").focus();
}

function pendingItem(picture, onRemove) {
  const { name } = picture.file;
  const image = pictureImage(picture.url, name, name);
  // What the browser shows is turned upright, which the header does not tell.
  image.addEventListener("load", () => Object.assign(picture, { width: image.naturalWidth, height: image.naturalHeight }));
  const item = el("li", {},
    el("button", { type: "button", class: "thumbnail", "aria-keyshortcuts": "Shift+ArrowLeft Shift+ArrowRight Delete", "data-full": picture.url, "data-name": name, title: name, "aria-label": name, onkeydown: (event) => removeByKey(event, picture, onRemove) }, image),
    el("button", { type: "button", class: "remove", "aria-label": t("page_remove", { name }), onclick: () => onRemove(picture) }, icon("close")));
  item.picture = picture;
  return item;
}
