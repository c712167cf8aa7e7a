// The playground: which thread is shown, the side bar, dialogs, and the way back
// after the server was away. Start reading here.

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { el } from "./dom.js";
import { sampleItem, threadItem } from "./render.js";
import { t, useTexts } from "./texts.js";
import { Thread } from "./thread.js";

const NEAR_BOTTOM_PX = 60;
const $ = (id) => document.getElementById(id);

const threads = new Map(); // id → Thread, those opened since the page was loaded
let listed = []; // the side bar, as the server listed it
let current = null; // the thread shown; its id is null on the start screen
let following = true; // the reader is at the bottom, so new text scrolls

const composer = new Composer({
  onAsk: (thread, text, pictures) => ask(thread, text, pictures),
  onStop: (thread) => thread.stop(),
});

start();

async function start() {
  current = newThread(); // what is typed or dropped before the texts are here is kept
  composer.show(current);
  try {
    useInfo(await untilReachable(api.getInfo));
  } catch (error) {
    $("alert").textContent = error.message;
    return;
  }
  listenToClicks();
  listenToScrolling();
  listenToMenu();
  api.server.addEventListener("offline", () => ($("offline").hidden = false));
  api.server.addEventListener("online", ({ detail }) => backOnline(detail));
  addEventListener("hashchange", route);
  // Another tab, or the same reader's phone, may have gone on meanwhile.
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
  await Promise.all([route(), showList()]);
}

async function untilReachable(request) {
  for (;;) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof api.Unreachable)) throw error;
      $("offline").hidden = false;
      await api.reachable();
      $("offline").hidden = true;
    }
  }
}

function useInfo({ model, limits, samples, texts, language }) {
  document.documentElement.lang = language;
  useTexts(texts);
  composer.limits = limits;
  $("samples").replaceChildren(...samples.map(sampleItem));
  for (const node of document.querySelectorAll("[data-model=name]")) node.textContent = model.name;
  for (const node of document.querySelectorAll("[data-model=details]")) {
    node.textContent = [model.family, model.weights, model.device].filter(Boolean).join(" · ");
  }
  for (const node of document.querySelectorAll("[data-model=cannot]")) {
    node.replaceChildren(...model.cannot.map((sentence) => el("li", {}, sentence)));
  }
}

// -- Which thread is shown -------------------------------------------------

/** Show what the address names: `#/t/{id}` a thread, anything else the start screen. */
async function route() {
  closeMenu();
  const id = decodeURIComponent(location.hash.match(/^#\/t\/(.+)$/)?.[1] ?? "");
  if (!id) return show(current && !current.id ? current : newThread());
  if (current?.id === id) return show(current);
  const thread = threads.get(id) ?? remember(new Thread(id, changed));
  show(thread);
  try {
    if (!thread.running) await untilReachable(() => thread.open());
  } catch (error) {
    forget(thread, error.message);
  }
}

function newThread() {
  return new Thread(null, changed);
}

function remember(thread) {
  threads.set(thread.id, thread);
  return thread;
}

/** Leave a thread that is gone, saying why on the start screen. */
function forget(thread, sentence = "") {
  thread.close();
  threads.delete(thread.id);
  if (current !== thread) return;
  history.replaceState(null, "", "#/");
  const fresh = newThread();
  fresh.alert = sentence;
  show(fresh);
}

function show(thread) {
  current = thread;
  following = true;
  $("thread").replaceChildren(thread.node);
  showState();
  showCurrentInList();
  $("scroller").scrollTop = thread.id ? $("scroller").scrollHeight : 0;
  composer.focus();
}

function showState() {
  const onStart = !current.id && current.turns.length === 0;
  const title = current.title || t(onStart ? "page_title" : "page_untitled");
  $("start").hidden = !onStart;
  $("thread").hidden = onStart;
  $("delete-thread").hidden = !current.id;
  $("title").textContent = title;
  document.title = current.title ? `${title} · ${t("page_title")}` : t("page_title");
  if ($("alert").textContent !== current.alert) $("alert").textContent = current.alert;
  composer.show(current);
}

/** A thread changed, the one shown or another. */
function changed(thread) {
  if (thread.gone) return;
  const isNew = thread.id && !threads.has(thread.id);
  if (isNew) {
    remember(thread);
    // The reader may have gone elsewhere while the thread was being made.
    if (thread === current) location.hash = `#/t/${encodeURIComponent(thread.id)}`;
  }
  if (thread === current) showState();
  // Only what the side bar shows of it is worth a request; a stream changes 60 times a second.
  const inList = JSON.stringify([thread.id, thread.title, thread.running, thread.last?.stage === "sending"]);
  if (thread.id && inList !== thread.inList) showList();
  thread.inList = inList;
}

async function ask(thread, text, pictures) {
  following = true;
  await thread.ask(text, pictures);
}

async function askSample({ url, question }) {
  const thread = newThread();
  try {
    const blob = await (await fetch(url)).blob();
    const file = new File([blob], url.split("/").at(-1), { type: blob.type });
    show(thread);
    await ask(thread, question, [{ file, url: URL.createObjectURL(file) }]);
  } catch {
    current.alert = t("page_send_failed"); // the sample itself could not be fetched
    showState();
  }
}

// -- The side bar ----------------------------------------------------------

let listing = null; // one request at a time; a change meanwhile asks once more
let listAgain = false;

async function showList() {
  if (listing) return void (listAgain = true);
  do {
    listAgain = false;
    listing = api.listThreads();
    listed = await listing.catch(() => listed);
    showCurrentInList();
  } while (listAgain);
  listing = null;
}

function showCurrentInList() {
  const list = $("threads");
  const items = [...notYetListed(), ...listed].map((item) => ({
    ...item,
    current: item.thread_id === current.id,
    running: threads.get(item.thread_id)?.running ?? false,
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
function notYetListed() {
  const ids = new Set(listed.map(({ thread_id }) => thread_id));
  return [...threads.values()]
    .filter(({ id, running }) => id && running && !ids.has(id))
    .map(({ id, turns }) => ({ thread_id: id, title: turns[0]?.question ?? "", picture_url: null }));
}

async function deleteThread(id) {
  const dialog = $("confirm-delete");
  dialog.querySelector("[data-title]").textContent = listed.find(({ thread_id }) => thread_id === id)?.title ?? "";
  if ((await answerOf(dialog)) !== "delete") return;
  try {
    await api.deleteThread(id);
  } catch (error) {
    if (error.status !== 404) {
      current.alert = error instanceof api.HttpError ? error.message : t("page_send_failed");
      return showState();
    }
  }
  listed = listed.filter(({ thread_id }) => thread_id !== id);
  forget(threads.get(id) ?? new Thread(id, changed));
  showCurrentInList();
  showList();
}

function answerOf(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

function listenToMenu() {
  const phone = matchMedia("(max-width: 52rem)");
  const apply = () => closeMenu();
  phone.addEventListener("change", apply);
  $("menu").addEventListener("click", () => setMenu(true));
  $("close-menu").addEventListener("click", closeMenu);
  $("shade").addEventListener("click", closeMenu);
  $("side").addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !phone.matches) return;
    event.preventDefault(); // it closes the drawer, it does not stop the answer
    closeMenu();
    $("menu").focus();
  });
  apply();
}

function closeMenu() {
  setMenu(false);
}

/** Open or close the drawer; on a wide page the side bar is always there. */
function setMenu(open) {
  const drawer = matchMedia("(max-width: 52rem)").matches;
  $("side").classList.toggle("open", open);
  $("side").inert = drawer && !open;
  $("page").inert = drawer && open;
  $("shade").hidden = !(drawer && open);
  $("menu").ariaExpanded = String(open);
  if (open) $("close-menu").focus();
}

// -- Clicks, scrolling -----------------------------------------------------

function listenToClicks() {
  document.addEventListener("click", (event) => {
    const details = $("model");
    if (details.open && !details.contains(event.target)) details.open = false;
    const button = event.target.closest("[data-sample], [data-full], [data-action], #new-thread, .brand");
    if (!button) return;
    const { action, full, sample, url, question, name, thread } = button.dataset;
    if (sample) askSample({ url, question });
    else if (full) openViewer(full, name, button.ariaLabel ?? button.title);
    else if (action === "again") askAgain();
    else if (action === "copy") copyAnswer(button);
    else if (action === "delete") deleteThread(thread ?? current.id);
    else closeMenu(); // a link to the start screen, which may be shown already
  });
  $("model").addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !$("model").open) return;
    event.preventDefault();
    $("model").open = false;
    $("model").firstElementChild.focus();
  });
  $("viewer").addEventListener("click", ({ target }) => target === $("viewer") && $("viewer").close());
}

function askAgain() {
  following = true;
  if (!current.running) current.again();
}

function openViewer(url, name, label) {
  const viewer = $("viewer");
  const image = viewer.querySelector("img");
  image.src = url;
  image.alt = label;
  viewer.querySelector("p").textContent = label === name ? name : `${label} · ${name}`;
  viewer.showModal();
}

async function copyAnswer(button) {
  await copyText(current.last.answer);
  const label = button.querySelector("span");
  label.textContent = t("page_copied");
  setTimeout(() => (label.textContent = t("page_copy")), 2_000);
}

async function copyText(text) {
  // The clipboard interface exists only on https and localhost; a team's bot may
  // well be reached by plain http.
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = el("textarea", { class: "visually-hidden", readonly: true });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

function listenToScrolling() {
  const scroller = $("scroller");
  scroller.addEventListener("scroll", () => {
    following = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_BOTTOM_PX;
  }, { passive: true });
  // Growth of the thread fires no scroll event, so `following` still says where the reader was.
  const observer = new ResizeObserver(() => {
    if (following && !$("thread").hidden) scroller.scrollTop = scroller.scrollHeight;
  });
  for (const node of [$("thread"), $("alert"), scroller]) observer.observe(node);
}

// -- When the server was away ----------------------------------------------

function backOnline(info) {
  $("offline").hidden = true;
  useInfo(info); // it may have come back with another model
  refresh();
}

async function refresh() {
  showList();
  if (!current.id || current.running) return; // a running answer re-attaches itself
  try {
    await current.open();
  } catch (error) {
    if (error.status === 404) forget(current, error.message);
  }
}
