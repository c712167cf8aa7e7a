// The list of threads: by day, in pages, or those in which something was found.

import * as api from "../api.js";
import { el } from "../dom.js";
import { t } from "../texts.js";
import { byDay } from "./days.js";
import { threadItem } from "./item.js";

const PAGE = 50;
const MAX_PAGE = 200; // as the server allows
const $ = (id) => document.getElementById(id);

/** Shows what the server lists, and threads that are about to be listed.
 *
 * `opened` returns the threads that this page has open, `currentId` the id of
 * the one it shows.
 */
export class Sidebar {
  #listed = []; // as the server listed it
  #next = null; // where its next page begins
  #words = ""; // what is searched for
  #isStale = false; // what is shown was found for other words
  #listing = false; // one request at a time; a change meanwhile asks once more
  #listAgain = false;

  constructor({ opened, currentId }) {
    this.opened = opened;
    this.currentId = currentId;
    // The next page comes before the reader has reached the end of this one.
    new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.#more(), { root: $("threads"), rootMargin: "600px" })
      .observe($("more-threads"));
    $("more-threads").addEventListener("click", () => this.#more());
  }

  /** Ask the server for the list, as far as it is shown, and show it. */
  async refresh() {
    if (this.#listing) return void (this.#listAgain = true);
    this.#listing = true;
    do {
      this.#listAgain = false;
      const words = this.#words;
      const shown = this.#isStale ? 0 : this.#listed.length;
      const limit = Math.min(MAX_PAGE, Math.max(PAGE, shown));
      const page = await api.listThreads({ words, limit }).catch(() => null);
      if (!page || words !== this.#words) continue; // the next round has the newer words
      const known = new Set(page.threads.map(({ thread_id }) => thread_id));
      // Pages further down, beyond what one request brings, stay as they are.
      const below = limit < shown ? this.#listed.slice(limit).filter(({ thread_id }) => !known.has(thread_id)) : [];
      this.#listed = [...page.threads, ...below];
      this.#isStale = false;
      if (!below.length) this.#next = page.next ?? null;
      this.show();
    } while (this.#listAgain);
    this.#listing = false;
  }

  async #more() {
    if (!this.#next || this.#listing || this.#isStale) return;
    this.#listing = true;
    const { words, before } = { words: this.#words, before: this.#next };
    const page = await api.listThreads({ words, limit: PAGE, before }).catch(() => null);
    this.#listing = false;
    if (this.#listAgain || words !== this.#words) return void this.refresh();
    if (!page) return;
    const known = new Set(this.#listed.map(({ thread_id }) => thread_id));
    this.#listed.push(...page.threads.filter(({ thread_id }) => !known.has(thread_id)));
    this.#next = page.next ?? null;
    this.show();
  }

  /** Show only the threads in which these words occur; none shows all. */
  search(words) {
    if (words === this.#words) return;
    this.#words = words;
    this.#isStale = true;
    this.refresh();
  }

  find(id) {
    return this.#listed.find(({ thread_id }) => thread_id === id);
  }

  remove(id) {
    this.#listed = this.#listed.filter(({ thread_id }) => thread_id !== id);
    this.show();
    this.refresh();
  }

  /** All threads were deleted. */
  clear() {
    this.#listed = [];
    this.show();
    this.refresh();
  }

  show() {
    const list = $("threads");
    const opened = this.opened();
    const items = [...(this.#words ? [] : this.#notYetListed(opened)), ...this.#listed].map((item) => ({
      ...item,
      current: item.thread_id === this.currentId(),
      running: opened.get(item.thread_id)?.running ?? false,
    }));
    const groups = this.#words && !this.#isStale ? [{ label: "", items }] : byDay(items);
    const shown = JSON.stringify(groups);
    $("more-threads").hidden = !this.#next;
    this.#showEmpty(items.length);
    if (shown === list.shown) return; // rebuilding would take a click or the focus away
    list.shown = shown;
    const focused = list.contains(document.activeElement) ? document.activeElement : null;
    const place = [...list.querySelectorAll("li")].indexOf(focused?.closest("li"));
    list.querySelectorAll("section").forEach((section) => section.remove());
    list.prepend(...groups.map(groupNode));
    if (focused?.dataset.thread) focusAgain(list, focused.dataset, place);
  }

  #showEmpty(count) {
    const sentence = this.#words ? t("page_found", { count }) : t("page_no_threads");
    $("found").textContent = this.#words && count ? sentence : "";
    $("no-threads").hidden = count > 0 || (this.#words && this.#isStale);
    $("no-threads").textContent = this.#words ? t("page_found_none") : sentence;
    $("delete-all").hidden = Boolean(this.#words) || !count;
  }

  /** Threads whose first question is on its way: the server lists a thread once it is written down. */
  #notYetListed(opened) {
    const ids = new Set(this.#listed.map(({ thread_id }) => thread_id));
    return [...opened.values()]
      .filter(({ id, running }) => id && running && !ids.has(id))
      .map(({ id, turns }) => ({ thread_id: id, title: turns[0]?.question ?? "", picture_url: null }));
  }
}

/** Focus what was focused before the list was built anew; what is gone leaves it to the next line. */
function focusAgain(list, { thread, action }, place) {
  const same = list.querySelector(`[data-thread="${CSS.escape(thread)}"]${action ? "[data-action]" : ""}`);
  const links = list.querySelectorAll("a[data-thread]");
  (same ?? links[Math.min(place, links.length - 1)] ?? $("search")).focus();
}

function groupNode({ label, items }) {
  return el("section", {}, label && el("h3", {}, label), el("ul", {}, ...items.map(threadItem)));
}
