// The pictures of a thread, one at a time and as large as they are wanted.

import { t } from "../texts.js";
import { Zoom } from "./zoom.js";

const viewer = document.getElementById("viewer");
const image = viewer.querySelector("img");
const $ = (name) => viewer.querySelector(`[data-viewer=${name}]`);

let pictures = []; // {url, name, label}
let shown = 0;
let zoom = null;

export function listenToViewer() {
  zoom = new Zoom($("stage"), image, { onChange: showZoom, onSwipe: (by) => step(by) });
  $("stage").addEventListener("click", ({ target }) => target === $("stage") && viewer.close());
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("in").addEventListener("click", () => zoom.by(1.5));
  $("out").addEventListener("click", () => zoom.by(1 / 1.5));
  viewer.addEventListener("keydown", onKey);
  viewer.addEventListener("close", () => image.removeAttribute("src"));
}

/** Show a picture and, beside it, the others of its gallery: whatever has a `data-full` there. */
export function openViewer(button) {
  const gallery = button.closest("[data-gallery]") ?? button.parentElement;
  const byUrl = new Map(); // an address once, although a receipt shows its picture again
  for (const { dataset, ariaLabel, title } of gallery.querySelectorAll("[data-full]")) {
    const { full: url, name } = dataset;
    if (!byUrl.has(url)) byUrl.set(url, { url, name, label: ariaLabel ?? title });
  }
  pictures = [...byUrl.values()];
  show(pictures.findIndex(({ url }) => url === button.dataset.full));
  viewer.showModal();
  image.focus();
}

function step(by) {
  const next = shown + by;
  if (next >= 0 && next < pictures.length) show(next);
}

function show(index) {
  shown = index;
  const { url, name, label } = pictures[index];
  const isOne = pictures.length < 2;
  zoom.reset();
  image.src = url;
  image.alt = label === name ? name : `${label}: ${name}`;
  $("caption").textContent = label === name ? name : `${label} · ${name}`;
  $("position").textContent = isOne ? "" : t("page_position", { number: index + 1, count: pictures.length });
  for (const [button, isEnd] of [["previous", index === 0], ["next", index === pictures.length - 1]]) {
    $(button).hidden = isOne;
    // Not disabled: that would throw the focus out of the dialog.
    $(button).ariaDisabled = String(isEnd);
  }
}

function showZoom(scale) {
  $("in").ariaDisabled = String(scale >= Zoom.MAX);
  $("out").ariaDisabled = String(scale <= 1);
  $("scale").textContent = scale > 1 ? `${Math.round(scale * 100)} %` : "";
}

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const act = {
    ArrowLeft: () => (zoom.isIn ? zoom.pan(1, 0) : step(-1)),
    ArrowRight: () => (zoom.isIn ? zoom.pan(-1, 0) : step(1)),
    ArrowUp: () => zoom.pan(0, 1),
    ArrowDown: () => zoom.pan(0, -1),
    PageUp: () => step(-1),
    PageDown: () => step(1),
    Home: () => show(0),
    End: () => show(pictures.length - 1),
    "+": () => zoom.by(1.5),
    "=": () => zoom.by(1.5),
    "-": () => zoom.by(1 / 1.5),
    0: () => zoom.reset(),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}
