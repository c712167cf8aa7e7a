// What a turn, its receipt and a line of the side bar look like.

import { el, icon } from "./dom.js";
import { showMarkdown } from "./markdown.js";
import { authorOf } from "./people/share.js";
import { t } from "./texts.js";
import { actionsNode } from "./turn/actions.js";

/** An empty turn; `updateTurn` fills it, as often as the turn changes. */
export function turnNode() {
  return el("article", { "data-turn": true },
    el("section", { class: "asked" }),
    el("section", { class: "reply" },
      el("h2", { class: "visually-hidden" }, t("page_model")),
      el("div", { "data-role": "answer", "aria-live": "polite" }),
      el("p", { "data-role": "status", role: "status" }),
      el("div", { class: "after" })));
}

/** Bring a turn's node up to date, touching only what changed.
 *
 * `urls` maps a picture's number to its address: an answer's receipt names
 * pictures of earlier turns too.
 */
export function updateTurn(node, turn, urls) {
  const [asked, reply] = node.children;
  const [, answer, status, after] = reply.children;
  const running = turn.state === "pending";
  if (turn.message_id) node.dataset.turn = turn.message_id;
  replaceIfNew(asked, [turn.question, turn.pictures, turn.author], () => questionNodes(turn));
  answer.dataset.state = running ? "streaming" : turn.state;
  answer.ariaBusy = String(running);
  showMarkdown(answer, turn.answer ?? (turn.state === "refused" ? t("page_refused") : ""), { growing: running });
  const sentence = running ? statusSentence(turn) : "";
  if (status.textContent !== sentence) status.textContent = sentence;
  replaceIfNew(after, running ? null : [turn.receipt, turn.answer, turn.retry, turn.good, [...urls]], () =>
    running ? [] : [receiptNode(turn.receipt, urls), actionsNode(turn)]);
}

/** A question that waits for the answer above it. */
export function waitingNodes(turn) {
  return [
    el("section", { class: "asked" }, ...questionNodes(turn)),
    el("p", { class: "waits" }, el("span", { role: "status" }, t("page_waits")),
      el("button", { type: "button", class: "tool", "data-action": "take-back" }, icon("close"), el("span", {}, t("page_take_back")))),
  ];
}

function questionNodes({ question, pictures, author }) {
  const other = authorOf({ author });
  return [
    el("h2", { class: other ? "author" : "visually-hidden" }, other ?? t("page_you")),
    pictures.length > 0 && el("ul", { class: "pictures" }, ...pictures.map(pictureItem)),
    question && el("p", { class: "bubble" }, question),
  ].filter(Boolean);
}

/** A button that is built anew keeps the focus. */
function replaceIfNew(node, source, build) {
  const key = JSON.stringify(source);
  if (node.source === key) return;
  node.source = key;
  const { activeElement } = document;
  const pressed = node.contains(activeElement) && activeElement.dataset.action;
  node.replaceChildren(...build().filter(Boolean));
  if (pressed) node.querySelector(`[data-action="${pressed}"]`)?.focus({ preventScroll: true });
}

function statusSentence({ stage, position, withPictures }) {
  if (stage === "queued") return position ? t("status_queued", { position }) : t("status_waiting");
  if (stage === "loading") return t("status_loading");
  if (stage === "reading") return t(withPictures ? "status_reading" : "page_reading_text");
  if (stage === "sending") return t("page_sending");
  return t("page_answering");
}

function pictureItem({ number, name, url, width, height }) {
  const label = number ? t("page_picture", { number }) : name;
  return el("li", {},
    el("button", { type: "button", class: "picture", "data-full": url, "data-name": name, title: name, "aria-label": label },
      pictureImage(url, name, label, { width, height }),
      number && el("span", { class: "number", "aria-hidden": "true" }, number)));
}

/** A thumbnail, or a tile with the file's name where the browser cannot decode it (HEIC).
 *
 * `width` and `height`, where they are known, keep its room until it has loaded.
 */
export function pictureImage(url, name, alt, { width, height } = {}) {
  const image = el("img", { src: url, alt, width, height, draggable: "false", decoding: "async" });
  image.addEventListener("error", () => {
    image.closest("[data-full]")?.removeAttribute("data-full");
    const [, stem, format] = name.match(/^(.+)\.(\w{2,4})$/) ?? [null, name];
    image.replaceWith(el("span", { class: "file-tile", title: name },
      icon(format ? "picture" : "file"), format && el("b", {}, format.toUpperCase()), el("span", {}, stem)));
  });
  return image;
}

function receiptNode(receipt, urls) {
  if (!receipt) return null;
  const { pictures = [], skipped = [], dropped = [], notes = [] } = receipt;
  if (!pictures.length && !skipped.length && !dropped.length && !notes.length) return null;
  return el("ul", { "data-role": "receipt" },
    ...pictures.map((picture) => receiptPicture(picture, urls.get(picture.number))),
    ...skipped.map((sentence) => el("li", { class: "warning" }, icon("warning"), el("span", {}, sentence))),
    ...[...dropped, ...notes].map((sentence) => el("li", { class: "quiet" }, sentence)));
}

function receiptPicture({ number, name, notes = [] }, url) {
  const label = t("page_picture", { number });
  const content = [
    url && el("img", { src: url, alt: "", width: "24", height: "24", draggable: "false" }),
    el("span", {}, el("b", {}, label), " · ", el("span", { class: "file-name" }, name),
      notes.length > 0 && el("span", { class: "quiet" }, ` — ${notes.join(" · ")}`)),
  ];
  return el("li", { class: "chip" }, url
    ? el("button", { type: "button", "data-full": url, "data-name": name, title: label }, ...content)
    : el("span", {}, ...content));
}

export function sampleItem({ url, name, title, question }) {
  return el("li", {},
    el("button", { type: "button", "data-sample": name, "data-url": url, "data-question": question },
      el("img", { src: url, alt: title, draggable: "false" }), el("span", {}, question)));
}
