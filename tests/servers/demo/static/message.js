// A message: who, when, its parts, its reactions, its thread.

import { act } from "./api.js";
import { el, icon } from "./dom.js";
import { elementsOf } from "./markup.js";
import { toolbar } from "./message_actions.js";
import { openPicture } from "./overlays.js";
import { dismiss, go, personOf, repliesIn, threadOf, view } from "./state.js";

const NUM_COLOURS = 6;
const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });

export const timeOf = (seconds) => clock.format(new Date(seconds * 1000));

/** The picture of a person: a letter on a colour of their own. */
export function avatar(id, className = "avatar") {
  const person = personOf(id);
  const colour = [...id].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % NUM_COLOURS;
  const face = person.id === view.bot ? icon("eye") : ([...person.name][0] ?? "").toUpperCase();
  return el("span", { class: `${className} ${person.id === view.bot ? "of-bot" : `c${colour}`}`, "aria-hidden": "true" }, face);
}

/** What else than the message itself is shown of it: its thread, in the place where it began. */
export function threadUnder(message) {
  if (message.thread || message.only_you) return null;
  const replies = repliesIn(message.id);
  const thread = threadOf(message.id);
  return replies.length || thread ? { name: thread?.name ?? "", count: replies.length, last: replies.at(-1)?.time ?? message.time, people: [...new Set(replies.map((it) => it.author))] } : null;
}

/** `grouped`: it follows a message of the same author, whose name is not repeated. */
export function messageElement({ message, grouped, thread }) {
  const isBot = personOf(message.author).is_bot;
  const kinds = [isBot && "bot", grouped && "grouped", message.only_you && "only-you", message.is_note && "note"];
  const content = el(
    "div",
    { class: "content" },
    message.used && el("div", { class: "used" }, message.used),
    byLine(message, isBot),
    message.pending && el("div", { class: "text pending" }, `${personOf(message.author).name} is thinking…`),
    message.parts.map((part) => partElement(part, message)),
    message.edited && el("span", { class: "edited" }, "(edited)"),
    reactions(message),
    thread && threadLink(message, thread),
    message.only_you && view.app === "discord" && onlyYou(message),
  );
  return el(
    "article",
    { class: ["message", ...kinds.filter(Boolean)].join(" "), "data-id": message.id },
    message.only_you && view.app === "slack" && onlyYou(message),
    avatar(message.author),
    content,
    message.only_you ? null : toolbar(message, content),
  );
}

function byLine(message, isBot) {
  const { name, colour } = personOf(message.author);
  const when = new Date(message.time * 1000);
  return el(
    "div",
    { class: "by" },
    el("span", { class: `name${colour ? ` role-${colour}` : ""}` }, name),
    isBot && el("span", { class: "badge" }, "APP"),
    el("time", { datetime: when.toISOString(), title: when.toLocaleString() }, timeOf(message.time)),
  );
}

function onlyYou(message) {
  return el(
    "div",
    { class: "only-you-line" },
    icon("eye"),
    view.app === "slack" ? "Only visible to you" : "Only you can see this • ",
    el("button", { type: "button", class: "link", onclick: () => dismiss(message.id) }, view.app === "slack" ? "Dismiss" : "Dismiss message"),
  );
}

function partElement(part, message) {
  const { id, place, thread } = message;
  switch (part.kind) {
    case "text":
      return el("div", { class: "text" }, elementsOf(part.nodes));
    case "small":
      return el("div", { class: "small" }, elementsOf(part.nodes));
    case "rule":
      return el("hr");
    case "pictures":
      return el("div", { class: "pictures" }, part.pictures.map(pictureElement));
    default:
      return el(
        "div",
        { class: "controls" },
        part.controls.map(({ label, value, title }) => controlElement(label, title, () => act("press", { id, place, thread, button: value }))),
      );
  }
}

/** A button that has been pressed shows it: the bot may take a moment, or say nothing at all. */
function controlElement(label, title, press) {
  const button = el("button", { type: "button", title: title || null, "aria-label": title || null }, label);
  button.addEventListener("click", () => {
    button.classList.add("pressed");
    press();
  });
  return button;
}

function pictureElement({ id, name }) {
  const source = `/demo/files/${id}`;
  const image = el("img", { src: source, alt: name, loading: "eager" });
  const button = el("button", { type: "button", class: "picture", "aria-label": `Open ${name}`, onclick: () => openPicture(source, name) }, image);
  const card = () => button.replaceWith(el("a", { class: "file", href: source, download: name }, icon("file"), name));
  image.addEventListener("error", card);
  return button;
}

function reactions({ id, reactions: chosen }) {
  const entries = Object.entries(chosen);
  return entries.length > 0 && el(
    "div",
    { class: "reactions" },
    entries.map(([emoji, people]) => {
      const isMine = people.includes(view.me);
      const names = people.map((it) => personOf(it).name).join(", ");
      return el("button", { type: "button", "aria-pressed": String(isMine), title: names, onclick: () => act("react", { id, emoji }) }, emoji, el("span", {}, String(people.length)));
    }),
  );
}

function threadLink(message, { name, count, last, people }) {
  const open = () => go(message.place, message.id);
  if (view.app === "slack") {
    const replies = count === 1 ? "1 reply" : `${count} replies`;
    return el("button", { type: "button", class: "thread-link", onclick: open }, people.slice(0, 4).map((it) => avatar(it, "avatar tiny")), el("b", {}, replies), el("span", {}, `Last reply at ${timeOf(last)}`));
  }
  const messages = count === 1 ? "1 Message" : `${count} Messages`;
  return el("button", { type: "button", class: "thread-link", onclick: open }, el("b", {}, name), el("span", { class: "count" }, `${messages} ›`));
}
