// The beginning of a place: what it is for, and pictures to try the bot with.

import { el, icon } from "./dom.js";
import { personOf, repliesIn, view } from "./state.js";
import { avatar, timeOf } from "./message.js";
import { words } from "./words.js";

const SAMPLES = [
  { file: "cat.jpg", alt: "A cat", question: "What is in this picture?" },
  { file: "coffee.jpg", alt: "A cup of coffee", question: "What is this?" },
];

/** What stands above the first message. `fill(text, files)` writes into the composer. */
export function welcome(place, fill) {
  const isFirst = place.id === view.places[0].id;
  const isDirect = place.kind === "direct";
  const bot = personOf(view.bot).name;
  return el(
    "section",
    { class: "welcome" },
    isDirect ? avatar(view.bot, "avatar large") : el("span", { class: "sign" }, icon(place.kind === "voice" ? "voice" : "hash")),
    el("h3", {}, isDirect ? bot : words.welcome(place.name)),
    el("p", {}, place.topic),
    isFirst && el("ul", { class: "steps" }, stepsIn(bot).map((it) => el("li", {}, it))),
    isDirect && el("p", {}, words.direct),
    (isFirst || isDirect) && el("div", { class: "samples" }, SAMPLES.map((it) => sample(it, isDirect ? "" : `@${bot} `, fill))),
  );
}

const stepsIn = (bot) => [words.ask(el("b", { class: "mention" }, `@${bot}`)), words.thread, words.commands(view.app)];

function sample({ file, alt, question }, mention, fill) {
  const take = async () => {
    const data = await (await fetch(`/samples/${file}`)).blob();
    fill(mention + question, [new File([data], file, { type: data.type })]);
  };
  return el("button", { type: "button", class: "sample", onclick: take }, el("img", { src: `/samples/${file}`, alt }), el("span", {}, `“${question}”`));
}

/** A post of a forum, as a card. */
export function postCard({ id, name }, open) {
  const [first, ...replies] = repliesIn(id);
  const picture = first?.parts.find((it) => it.kind === "pictures")?.pictures[0];
  return el(
    "button",
    { type: "button", class: "post", onclick: open },
    el("span", { class: "words" },
      el("b", {}, name),
      first && el("span", {}, `${personOf(first.author).name}, ${timeOf(first.time)}`),
      el("span", { class: "count" }, replies.length === 1 ? "1 message" : `${replies.length} messages`),
    ),
    picture && el("img", { src: `/demo/files/${picture.id}`, alt: picture.name }),
  );
}
