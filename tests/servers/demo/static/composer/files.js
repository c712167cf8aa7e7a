// Pictures that wait to be sent, each with its preview.

import { el, icon, iconButton } from "../dom.js";

const addresses = new WeakMap();

/** The files of a drop or a paste. */
export const filesOf = (transfer) => [...(transfer?.files ?? [])];

function addressOf(file) {
  if (!addresses.has(file)) addresses.set(file, URL.createObjectURL(file));
  return addresses.get(file);
}

/** Show the previews of a composer, and the field of a command that is still to be filled. */
export function drawFiles(composer) {
  const { files, command } = composer.draft;
  const slots = (command?.options ?? []).filter((it) => it.is_file && !files.length);
  composer.files.hidden = !files.length && !slots.length;
  composer.files.replaceChildren(
    ...slots.map(({ name, description }) =>
      el("li", { class: "slot" }, el("button", { type: "button", onclick: () => composer.input.click() }, icon("picture"), el("b", {}, name), description)),
    ),
    ...files.map(({ file }, index) => preview(file, () => composer.remove(index))),
  );
}

function preview(file, remove) {
  const image = el("img", { src: addressOf(file), alt: "" });
  const item = el("li", {}, image, el("span", { class: "file-name" }, file.name), iconButton("close", `Remove ${file.name}`, remove));
  image.addEventListener("error", () => image.replaceWith(icon("file"))); // a format that browsers do not show
  return item;
}
