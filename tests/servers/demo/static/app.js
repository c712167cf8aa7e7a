// The page: joins the parts, and draws them whenever the state has changed.

import { act } from "./api.js";
import { Composer, takePastes } from "./composer/composer.js";
import { el, icon } from "./dom.js";
import { askForName, drawModal } from "./modals.js";
import { messageElement } from "./message.js";
import { showAlert } from "./overlays.js";
import { drawSidebar } from "./sidebar.js";
import * as state from "./state.js";
import { Timeline } from "./timeline.js";
import { postCard, welcome } from "./welcome.js";
import { words } from "./words.js";

const placePane = document.querySelector("#place");
const threadPane = document.querySelector("#thread");
const channel = new Timeline(document.querySelector("#channel"));
const replies = new Timeline(threadPane.querySelector(".timeline"));

/** The place of a message that was just sent: on a wide screen its thread opens by itself. */
let awaiting = null;

const composer = new Composer(document.querySelector("#composer"), placePane, {
  target: () => ({ place: state.here.place, thread: "" }),
  onSent: ({ place }) => {
    channel.follows = true;
    awaiting = { place, since: Date.now() / 1000 - 5 };
  },
});
const threadComposer = new Composer(document.querySelector("#thread-composer"), threadPane, {
  target: () => state.here,
  onSent: () => (replies.follows = true),
});
takePastes(composer, threadComposer);

for (const back of document.querySelectorAll(".back")) {
  back.append(icon("back"));
  back.addEventListener("click", () => {
    if (back.dataset.back === "place") state.go(state.here.place);
    else document.body.dataset.screen = "list";
  });
}
const close = threadPane.querySelector(".close");
close.append(icon("close"));
close.addEventListener("click", () => state.go(state.here.place));
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && threadPane.contains(document.activeElement)) state.go(state.here.place);
});

function draw() {
  const { view } = state;
  document.body.dataset.app = view.app;
  document.querySelector("h1").textContent = view.workspace;
  document.title = `#${state.placeOf(state.here.place).name} – ${view.workspace}`;
  showAlert(alertText());
  askForName();
  openAwaited();
  drawSidebar();
  drawPlace();
  drawThread();
  drawModal();
}

function alertText() {
  if (!state.reachable) return words.ended(state.view.app);
  return { starting: words.starting, away: words.away, active: "" }[state.view.presence];
}

function drawPlace() {
  const place = state.placeOf(state.here.place);
  const [heading, topic] = [placePane.querySelector("h2"), placePane.querySelector(".topic")];
  const sign = { channel: "hash", voice: "voice", forum: "forum" }[place.kind];
  if (heading.dataset.key !== place.id) {
    heading.dataset.key = place.id;
    heading.replaceChildren(...(sign ? [icon(sign)] : []), place.name);
  }
  topic.textContent = place.kind === "direct" ? "" : place.topic;
  const isForum = place.kind === "forum";
  placePane.classList.toggle("forum", isForum);
  const start = isForum ? [] : [{ key: `welcome-${place.id}`, signature: state.view.app, build: () => welcome(place, (text, files) => composer.fill(text, files)) }];
  channel.draw(place.id, isForum ? [] : state.messagesIn(place.id), { start, end: isForum ? posts(place.id) : [] });
  composer.show();
  composer.showWork(workIn(place.id, ""));
}

const posts = (place) =>
  state.view.threads
    .filter((it) => it.place === place)
    .toReversed()
    .map((thread) => ({
      key: thread.id,
      signature: JSON.stringify([thread, state.repliesIn(thread.id).length]),
      build: () => postCard(thread, () => state.go(place, thread.id)),
    }));

function drawThread() {
  const { place, thread } = state.here;
  const isOpen = Boolean(thread);
  document.body.classList.toggle("with-thread", isOpen);
  threadPane.hidden = !isOpen;
  if (!isOpen) return;
  const name = state.view.app === "discord" ? state.threadOf(thread)?.name : "";
  threadPane.querySelector("h2").textContent = name || "Thread";
  threadPane.querySelector(".topic").textContent = state.view.app === "slack" ? `# ${state.placeOf(place).name}` : "";
  const root = state.rootOf(thread);
  const messages = state.repliesIn(thread);
  const start = root ? [{ key: `root-${root.id}`, signature: JSON.stringify([root, messages.length]), build: () => rootElement(root, messages.length) }] : [];
  replies.draw(thread, messages, { start });
  threadComposer.show();
  threadComposer.showWork(workIn(place, thread));
}

function rootElement(root, count) {
  const line = state.view.app === "slack" && count > 0 && el("div", { class: "reply-count" }, count === 1 ? "1 reply" : `${count} replies`);
  return el("div", { class: "root" }, messageElement({ message: root, grouped: false, thread: null }), line);
}

function workIn(place, thread) {
  const work = state.view.working.find((it) => it.place === place && it.thread === thread);
  if (!work) return null;
  return { status: work.status, stop: work.can_stop && (() => act("stop", { place, thread })) };
}

/** The visitor's own question has got a thread: show the answer beside it. */
function openAwaited() {
  if (!awaiting) return;
  const { place, since } = awaiting;
  const mine = state.messagesIn(place).findLast((it) => it.time >= since && (it.author === state.view.me || it.used.startsWith(state.personOf(state.view.me).name)));
  const thread = mine && (state.threadOf(mine.id) ?? state.view.working.find((it) => it.thread === mine.id));
  if (!thread) return;
  awaiting = null;
  if (!state.isWide() || state.here.place !== place || state.here.thread === mine.id) return;
  state.go(place, mine.id);
  // Where one goes on asking; a message that has been begun in the channel is not left.
  if (document.activeElement === composer.text && !composer.text.value) requestAnimationFrame(() => threadComposer.text.focus());
}

state.subscribe(draw);
state.poll();
