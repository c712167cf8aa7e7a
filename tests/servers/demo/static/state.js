// What is shown, and where the visitor is. Modules that draw subscribe; nothing else keeps state.

import { fetchState } from "./api.js";

const POLL_MS = 250;
const listeners = new Set();

/** The server's view; `null` until it has come. */
export let view = null;
/** Where the visitor is, in the address: `#place` or `#place/thread`. */
export let here = { place: "", thread: "" };
export let reachable = true;

let known = "";
/** Ephemeral messages that were dismissed. */
const dismissed = new Set();
const lastSeen = new Map();

export const subscribe = (listener) => listeners.add(listener);
const changed = () => view && listeners.forEach((listener) => listener());

export const personOf = (id) => view.people.find((it) => it.id === id) ?? { id, name: id, is_bot: false };
export const placeOf = (id) => view.places.find((it) => it.id === id);
export const isWide = () => matchMedia("(min-width: 761px)").matches;

const byTime = (one, other) => one.time - other.time;
const shown = (predicate) => view.messages.filter((it) => !dismissed.has(it.id) && predicate(it)).sort(byTime);

/** The messages of a place itself. */
export const messagesIn = (place) => shown((it) => it.place === place && !it.thread);
/** The replies of a thread; without the message that it began under. */
export const repliesIn = (thread) => shown((it) => it.thread === thread);
export const threadOf = (id) => view.threads.find((it) => it.id === id);
/** The message that a thread began under, if it did. */
export const rootOf = (thread) => view.messages.find((it) => it.id === thread && !it.thread);

export function dismiss(id) {
  dismissed.add(id);
  changed();
}

/** Whether something came since the visitor was there last. */
export function isUnread(place) {
  const last = view.messages.findLast((it) => it.place === place && it.author !== view.me);
  return Boolean(last && place !== here.place && last.time > (lastSeen.get(place) ?? started));
}
const started = Date.now() / 1000;

/** Go to a place or a thread. */
export function go(place, thread = "") {
  const hash = thread ? `#${place}/${thread}` : `#${place}`;
  document.body.dataset.screen = thread ? "thread" : "place";
  if (location.hash === hash) changed();
  else location.hash = hash;
}

function readAddress() {
  lastSeen.set(here.place, Date.now() / 1000);
  const [place, thread = ""] = decodeURIComponent(location.hash.slice(1)).split("/");
  here = { place: placeOf(place) ? place : view.places[0].id, thread: placeOf(place) ? thread : "" };
  if (!here.thread && document.body.dataset.screen === "thread") document.body.dataset.screen = "place";
}

addEventListener("hashchange", () => {
  if (!view) return;
  readAddress();
  changed();
});

/** Ask for the state now, and draw what has changed. */
export async function refresh() {
  const next = await fetchState().catch((error) => {
    if (error instanceof TypeError) return null; // nobody answers
    throw error;
  });
  const text = next && JSON.stringify(next);
  if (next ? text === known && reachable : !reachable) return;
  reachable = Boolean(next);
  if (next) {
    const isFirst = !view;
    [known, view] = [text, next];
    if (isFirst) readAddress();
  }
  changed();
}

export async function poll() {
  for (;;) {
    await refresh().catch((error) => reportError(error));
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
