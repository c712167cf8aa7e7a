// A column of messages that follows its end until its reader scrolls up.

import { keyed } from "./dom.js";
import { messageElement, threadUnder } from "./message.js";
import { view } from "./state.js";

const GROUPED_WITHIN_S = 300;
const NEAR_END_PX = 80;

export class Timeline {
  constructor(element) {
    this.element = element;
    this.follows = true;
    this.place = "";
    element.addEventListener("scroll", () => {
      this.follows = element.scrollTop + element.clientHeight > element.scrollHeight - NEAR_END_PX;
    });
    // Pictures get their size when they are loaded; a composer that grows takes room.
    element.addEventListener("load", () => this.toEnd(), true);
    new ResizeObserver(() => this.toEnd()).observe(element);
  }

  /** `extra`: elements by key before (`start`) and after (`end`) the messages. */
  draw(place, messages, { start = [], end = [] } = {}) {
    if (place !== this.place) this.follows = true;
    this.place = place;
    const items = messages.map((message, index) => {
      const thread = this.element.id === "channel" ? threadUnder(message) : null;
      const grouped = isGrouped(message, messages[index - 1]);
      return { key: message.id, signature: JSON.stringify([message, grouped, thread, view.people.length, view.menu]), message, grouped, thread };
    });
    keyed(this.element, [...start, ...items, ...end], (item) => item.build?.() ?? messageElement(item));
    this.toEnd();
  }

  toEnd() {
    if (this.follows) this.element.scrollTop = this.element.scrollHeight;
  }
}

function isGrouped(message, before) {
  return Boolean(
    before && before.author === message.author && before.only_you === message.only_you && !message.used && !before.is_note &&
      message.time - before.time < GROUPED_WITHIN_S && !(threadUnder(before)) && !message.only_you,
  );
}
