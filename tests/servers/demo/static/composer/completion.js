// What typing `/` and `@` offers.

import { el, icon } from "../dom.js";
import { avatar } from "../message.js";
import { view } from "../state.js";

const MAX_OFFERS = 8;
const MENTION = /(?:^|\s)@([^\s@]*)$/u;

export class Completion {
  constructor(composer) {
    this.composer = composer;
    this.offers = [];
    this.active = 0;
    composer.text.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    composer.text.addEventListener("click", () => this.update());
  }

  get isOpen() {
    return !this.composer.list.hidden;
  }

  /** Offer what fits the text before the caret. */
  update() {
    const { text, draft } = this.composer;
    const before = text.value.slice(0, text.selectionStart);
    const mention = MENTION.exec(before);
    const isCommand = text.value.startsWith("/") && !draft.command && text.selectionStart === text.value.length;
    this.offers = isCommand ? commandOffers(text.value) : mention ? mentionOffers(mention[1]) : [];
    this.active = 0;
    this.draw();
  }

  close() {
    this.offers = [];
    this.draw();
  }

  draw() {
    const { list, text } = this.composer;
    list.hidden = !this.offers.length;
    list.replaceChildren(
      ...this.offers.map((offer, index) => {
        const item = el(
          "div",
          { role: "option", id: `${list.id}-${index}`, "aria-selected": String(index === this.active) },
          offer.face,
          el("b", {}, offer.label),
          offer.usage && el("code", {}, offer.usage),
          offer.description && el("span", { class: "about" }, offer.description),
        );
        // Before the text loses its focus.
        item.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          this.take(offer);
        });
        return item;
      }),
    );
    if (!this.isOpen) return text.removeAttribute("aria-activedescendant");
    text.setAttribute("aria-activedescendant", `${list.id}-${this.active}`);
    list.children[this.active].scrollIntoView({ block: "nearest" });
  }

  /** Returns: whether the key was for the offers. */
  keyPressed(event) {
    if (!this.isOpen) return false;
    const offer = this.offers[this.active];
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps) {
      this.active = (this.active + steps[event.key] + this.offers.length) % this.offers.length;
      this.draw();
    } else if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey)) {
      // What is written in full is sent by Enter.
      if (event.key === "Enter" && !offer.command && offer.text === this.composer.text.value.trim()) return false;
      this.take(offer);
    } else if (event.key === "Escape") {
      this.close();
    } else {
      return false;
    }
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  take(offer) {
    const { composer } = this;
    const { text } = composer;
    if (offer.command) composer.choose(offer.command);
    else if (offer.text) composer.write(`${offer.text} `);
    else {
      const start = text.value.slice(0, text.selectionStart).replace(/@[^\s@]*$/u, `@${offer.label} `);
      composer.write(start + text.value.slice(text.selectionStart), start.length);
    }
    this.close();
    if (offer.text) this.update();
    text.focus();
  }
}

function commandOffers(typed) {
  const begins = typed.toLowerCase().trimStart();
  if (view.app === "discord") {
    return view.commands
      .filter(({ name }) => name.startsWith(begins.trimEnd()))
      .slice(0, MAX_OFFERS)
      .map((command) => ({ face: avatar(view.bot, "avatar tiny"), label: command.name, usage: command.options.map((it) => it.name).join(" "), description: command.description, command }));
  }
  return view.commands.flatMap(({ name, usage, description }) => {
    const whole = { face: avatar(view.bot, "avatar tiny"), label: name, usage, description, text: name };
    if (name.startsWith(begins)) return [whole];
    if (!begins.startsWith(`${name} `)) return [];
    return usage
      .split(" | ")
      .map((words) => ({ face: icon("slash"), label: `${name} ${words}`, text: `${name} ${words}` }))
      .filter(({ text }) => text.toLowerCase().startsWith(begins.trimEnd()));
  });
}

function mentionOffers(typed) {
  const begins = typed.toLowerCase();
  const found = view.people.filter(({ name, id }) => id !== "USLACKBOT" && name.toLowerCase().startsWith(begins));
  const botFirst = found.sort((one, other) => (other.id === view.bot) - (one.id === view.bot));
  return botFirst.slice(0, MAX_OFFERS).map(({ id, name, is_bot: isBot }) => ({ face: avatar(id, "avatar tiny"), label: name, description: isBot ? "app" : "" }));
}
