// The playground: which thread is shown, what a click does, and the way back after
// the server was away. Start reading here.

import { listenToActions, onAction } from "./actions.js";
import * as api from "./api.js";
import { Composer } from "./composer/composer.js";
import { closeDrawer, listenToDrawer, openDrawer } from "./drawer.js";
import { catchFocus, listenToFocus } from "./focus.js";
import { followChanges } from "./live.js";
import { showLoading } from "./loading/loading.js";
import { listenToModelPanel, showModel, showModelLine } from "./model.js";
import { sampleItem } from "./render.js";
import { listenToPerson, loadPerson, onPerson } from "./people/person.js";
import { openLink } from "./people/requests.js";
import { listenToSharing, showAccess, whyUnshared } from "./people/share.js";
import { follow, listenToScrolling, showEnd } from "./scrolling.js";
import { manageThreads } from "./sidebar/manage.js";
import { listenToSearch } from "./sidebar/search.js";
import { Sidebar } from "./sidebar/sidebar.js";
import { t, useTexts } from "./texts.js";
import { Thread } from "./thread.js";
import { listenToTurnActions } from "./turn/actions.js";
import { listenToViewer, openViewer } from "./viewer/viewer.js";

const $ = (id) => document.getElementById(id);

const hooks = { onChange: changed, onEmptied: emptied };
const threads = new Map(); // id → Thread, those opened since the page was loaded
let fresh = null; // the next thread, without an id: what the start screen's composer edits
let current = null; // the thread shown

const sidebar = new Sidebar({ opened: () => threads, currentId: () => current.id });
const composer = new Composer({
  onAsk: (thread, text, pictures) => ask(thread, text, pictures),
  onStop: (thread) => thread.stop(),
});

start();

async function start() {
  current = fresh = newThread(); // what is typed or dropped before the texts are here is kept
  composer.show(current);
  try {
    useInfo(await untilReachable(api.getInfo));
  } catch (error) {
    $("alert").textContent = error.message;
    return;
  }
  listenToClicks();
  listenToScrolling();
  listenToDrawer();
  listenToFocus();
  listenToModelPanel();
  listenToViewer();
  listenToPerson();
  listenToSharing({ current: () => current, onShared: () => sidebar.refresh(), onLeft: left, onFailed: showAlert });
  onPerson(showState);
  listenToTurnActions({ shown: () => current, onFailed: showAlert });
  listenToSearch({ onWords: (words) => sidebar.search(words), onOpen: openDrawer });
  manageThreads({
    shown: () => current,
    titleOf: (id) => threads.get(id)?.heading || sidebar.find(id)?.title || "",
    canManage: (id) => (threads.get(id)?.access ?? sidebar.find(id))?.can_delete !== false,
    onRenamed: renamed,
    onDeleted: deleted,
    onDeletedAll: deletedAll,
    onFailed: showAlert,
  });
  api.server.addEventListener("offline", () => ($("offline").hidden = false));
  api.server.addEventListener("online", ({ detail }) => backOnline(detail));
  api.watchHealth();
  addEventListener("hashchange", route);
  // Another tab, or the same reader's phone, may have gone on meanwhile.
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
  await Promise.all([route(), sidebar.refresh(), loadPerson()]);
  followChanges({ onThreads: changedElsewhere, onBack: refresh });
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

function useInfo(info) {
  const { model, limits, presets, samples, texts, language } = info;
  document.documentElement.lang = language;
  useTexts(texts);
  composer.limits = limits;
  composer.presets = presets;
  $("samples").replaceChildren(...samples.map(sampleItem));
  showModel(model);
  showLoading(info, backOnline);
}

// -- Which thread is shown -------------------------------------------------

/** Show what the address names: `#/t/{id}` a thread, `#/s/{token}` one by its link, else the start screen. */
async function route() {
  closeDrawer();
  const token = decodeURIComponent(location.hash.match(/^#\/s\/(.+)$/)?.[1] ?? "");
  if (token) return routeByLink(token);
  const id = decodeURIComponent(location.hash.match(/^#\/t\/(.+)$/)?.[1] ?? "");
  if (!id) return show(fresh);
  if (current?.id === id) return show(current);
  const thread = threads.get(id) ?? remember(new Thread(id, hooks));
  show(thread);
  try {
    if (!thread.running) await untilReachable(() => thread.open());
  } catch (error) {
    forget(thread, whyLost(thread, error));
  }
}

async function routeByLink(token) {
  if (!current) show(fresh);
  try {
    const id = await untilReachable(() => openLink(token));
    history.replaceState(null, "", `#/t/${encodeURIComponent(id)}`);
    sidebar.refresh();
  } catch (error) {
    history.replaceState(null, "", "#/");
    fresh.alert = error.message;
  }
  return route();
}

/** A thread that somebody shared is off the reader's list. */
function left(id) {
  forget(threads.get(id) ?? new Thread(id, hooks));
  sidebar.remove(id);
}

function newThread(options = {}) {
  return new Thread(null, { ...hooks, ...options });
}

function remember(thread) {
  threads.set(thread.id, thread);
  return thread;
}

const whyLost = ({ access }, { status, message }) => (status === 404 && whyUnshared(access)) || message;

/** Leave a thread that is gone, saying why on the start screen. */
function forget(thread, sentence = "") {
  thread.close();
  threads.delete(thread.id);
  if (current !== thread) return;
  history.replaceState(null, "", "#/");
  if (sentence) fresh.add(thread.draft); // not deleted here: what was typed is kept
  fresh.alert = sentence;
  show(fresh);
}

/** A thread's only question was refused: the start screen has it again. */
function emptied(thread, id) {
  threads.delete(id);
  thread.add(fresh.draft);
  thread.keepsDraft = true;
  fresh = thread;
  if (current !== thread) return;
  history.replaceState(null, "", "#/");
  showState();
  sidebar.refresh();
}

function show(thread) {
  current = thread;
  $("thread").replaceChildren(...thread.nodes);
  showState();
  sidebar.show();
  showEnd(Boolean(thread.id));
  composer.focus();
}

function showState() {
  const onStart = !current.id && current.turns.length === 0;
  const title = current.heading || t(onStart ? "page_title" : "page_untitled");
  $("start").hidden = !onStart;
  showModelLine(onStart);
  $("thread").hidden = onStart;
  showAccess(current);
  $("thread-actions").hidden = !current.id;
  $("title").textContent = title;
  document.title = current.heading ? `${title} · ${t("page_title")}` : t("page_title");
  if ($("alert").textContent !== current.alert) $("alert").textContent = current.alert;
  composer.show(current);
}

/** A thread changed, the one shown or another. */
function changed(thread) {
  if (thread.gone) return;
  if (thread.lost) {
    sidebar.refresh();
    return forget(thread, whyLost(thread, thread.lost));
  }
  if (!thread.id && thread !== fresh && !thread.running && thread.alert) return sampleFailed(thread);
  const isNew = thread.id && !threads.has(thread.id);
  if (isNew) {
    remember(thread);
    if (thread === fresh) fresh = newThread();
    // The reader may have gone elsewhere while the thread was being made.
    if (thread === current) location.hash = `#/t/${encodeURIComponent(thread.id)}`;
  }
  if (thread === current) showState();
  // Only what the side bar shows of it is worth a request; a stream changes 60 times a second.
  const inList = JSON.stringify([thread.id, thread.title, thread.running, thread.last?.stage === "sending"]);
  if (thread.id && inList !== thread.inList) sidebar.refresh();
  thread.inList = inList;
}

async function ask(thread, text, pictures) {
  follow();
  await thread.ask(text, pictures);
}

async function askSample({ url, question }) {
  if (api.isAway()) return showAlert(t("page_sample_offline"));
  current.alert = "";
  const thread = newThread({ keepsDraft: false });
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(response.statusText);
    const blob = await response.blob();
    const file = new File([blob], url.split("/").at(-1), { type: blob.type });
    show(thread);
    await ask(thread, question, [{ file, url: URL.createObjectURL(file) }]);
  } catch {
    showAlert(t("page_send_failed")); // the sample itself could not be fetched
  }
}

/** Nothing of it is worth keeping: the start screen is back, with what was typed there. */
function sampleFailed(thread) {
  fresh.alert = thread.alert;
  if (current === thread || current === fresh) show(fresh);
}

// -- Clicks ------------------------------------------------------------------

function renamed(id, title) {
  threads.get(id)?.rename(title);
  sidebar.refresh();
}

function deleted(id) {
  forget(threads.get(id) ?? new Thread(id, hooks));
  sidebar.remove(id);
}

function deletedAll() {
  for (const thread of [...threads.values()]) forget(thread);
  sidebar.clear();
  catchFocus();
}

function showAlert(sentence) {
  current.alert = sentence;
  showState();
}

function listenToClicks() {
  listenToActions();
  onAction("again", askAgain);
  onAction("take-back", () => {
    current.takeBack();
    composer.focus();
  });
  onAction("skip-link", skip);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-sample], [data-full], #new-thread, .brand");
    if (!button) return;
    const { full, sample, url, question } = button.dataset;
    if (sample) askSample({ url, question });
    else if (full) openViewer(button);
    else openStart();
  });
}

/** By a link; where the address is the start screen's already, as while a sample is sent, nothing else follows it. */
function openStart() {
  closeDrawer();
  if (location.hash === "#/") show(fresh);
}

/** To the composer; as a link of its own it would lead to the start screen. */
function skip() {
  $("question").focus();
}

function askAgain() {
  follow();
  if (!current.running) current.again();
  catchFocus(); // the button is gone while it is answered
}

// -- When the server was away ----------------------------------------------

function backOnline(info) {
  $("offline").hidden = true;
  useInfo(info); // it may have come back with another model, or with the one that was loading
  showState();
  loadPerson();
  refresh();
}

/** Perhaps here, too: what this page does itself is up to date. */
function changedElsewhere(ids) {
  if (ids.includes(current.id)) refresh();
  else sidebar.refresh(); // another thread is loaded when it is shown
}

async function refresh() {
  sidebar.refresh();
  if (!current.id || current.running) return; // a running answer re-attaches itself
  const thread = current;
  const { id } = thread;
  try {
    await thread.open();
  } catch (error) {
    // Without its id it has been given back to the start screen meanwhile.
    if (error.status === 404 && thread.id === id) forget(thread, whyLost(thread, error));
  }
}
