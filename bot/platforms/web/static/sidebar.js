// The list of threads.

import * as api from "./api.js";
import { threadItem } from "./render.js";

const $ = (id) => document.getElementById(id);

/** Shows what the server lists, and threads that are about to be listed.
 *
 * `opened` returns the threads that this page has open, `currentId` the id of
 * the one it shows.
 */
export class Sidebar {
  #listed = []; // as the server listed it
  #listing = null; // one request at a time; a change meanwhile asks once more
  #listAgain = false;

  constructor({ opened, currentId }) {
    this.opened = opened;
    this.currentId = currentId;
  }

  /** Ask the server for the list and show it. */
  async refresh() {
    if (this.#listing) return void (this.#listAgain = true);
    do {
      this.#listAgain = false;
      this.#listing = api.listThreads();
      this.#listed = await this.#listing.catch(() => this.#listed);
      this.show();
    } while (this.#listAgain);
    this.#listing = null;
  }

  titleOf(id) {
    return this.#listed.find(({ thread_id }) => thread_id === id)?.title ?? "";
  }

  remove(id) {
    this.#listed = this.#listed.filter(({ thread_id }) => thread_id !== id);
    this.show();
    this.refresh();
  }

  show() {
    const list = $("threads");
    const opened = this.opened();
    const items = [...this.#notYetListed(opened), ...this.#listed].map((item) => ({
      ...item,
      current: item.thread_id === this.currentId(),
      running: opened.get(item.thread_id)?.running ?? false,
    }));
    const shown = JSON.stringify(items);
    if (shown === list.shown) return; // rebuilding would take a click or the focus away
    list.shown = shown;
    const focused = [...list.querySelectorAll("a, button")].indexOf(document.activeElement);
    list.replaceChildren(...items.map(threadItem));
    $("no-threads").hidden = items.length > 0;
    list.querySelectorAll("a, button")[focused]?.focus();
  }

  /** Threads whose first question is on its way: the server lists a thread once it is written down. */
  #notYetListed(opened) {
    const ids = new Set(this.#listed.map(({ thread_id }) => thread_id));
    return [...opened.values()]
      .filter(({ id, running }) => id && running && !ids.has(id))
      .map(({ id, turns }) => ({ thread_id: id, title: turns[0]?.question ?? "", picture_url: null }));
  }
}
