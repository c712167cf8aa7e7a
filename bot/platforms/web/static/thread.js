// One thread: its turns, the draft of its next question, and the answer in flight.

import * as api from "./api.js";
import { emptyDraft, forgetDraft, keepDraft, loadDraft } from "./composer/drafts.js";
import { t } from "./texts.js";
import { askedTurn, merge, releaseFiles, TurnsView } from "./turns.js";

/** A thread; it has no id before its first question.
 *
 * It owns its nodes and goes on reading its stream while another thread is
 * shown, so streams cannot mix and coming back costs nothing. `onChange` is
 * called after the nodes were brought up to date, `onEmptied` with the thread
 * and its former id when its only question was refused: it has no id again.
 */
export class Thread {
  title = "";
  turns = [];
  waiting = null; // the question that is asked once the answer has ended
  alert = "";
  running = false;
  gone = false;
  lost = null; // the error that says why it is no longer there for the reader: deleted, or not shared any more
  access = null; // what the reader may do in it, and with whom it is shared
  #view = new TurnsView();
  #abort = new AbortController();
  #asked = 0; // counts questions: what was loaded before the last one is stale
  #stopping = false; // asked for, perhaps before the server knew of the question
  #frame = 0;

  /** `keepsDraft`: false for a new thread that the reader does not type into, as that of a sample. */
  constructor(id, { onChange, onEmptied, keepsDraft = true }) {
    this.id = id;
    this.onChange = onChange;
    this.onEmptied = onEmptied;
    this.draft = keepsDraft ? loadDraft(this.#draftKey) : emptyDraft();
    this.keepsDraft = keepsDraft;
  }

  get #draftKey() {
    return this.id ?? "new";
  }

  /** The title, and until there is one, the question that will be in it. */
  get heading() {
    return this.title || this.turns[0]?.question || "";
  }

  /** Somebody shared it for reading alone: nothing is asked here. */
  get isReadOnly() {
    return this.access?.can_ask === false;
  }

  rename(title) {
    this.title = title;
    this.#changed();
  }

  get nodes() {
    return this.#view.nodes;
  }

  get last() {
    return this.turns.at(-1);
  }

  /** The turn of that message; the last one has none until it is answered. */
  turn(messageId) {
    return this.turns.find(({ message_id }) => message_id === messageId) ?? this.last;
  }

  /** Load the thread from the server; if an answer is in flight, follow it. */
  async open() {
    await this.#load();
    if (!this.running && this.last?.state === "pending") this.#follow().then(() => this.#askWaiting());
  }

  /** Replace what is typed, as a whole. */
  setDraft(text = "", pictures = []) {
    this.draft = { ...emptyDraft(), text, pictures };
    this.keepDraft();
  }

  /** Put another draft behind what is typed. */
  add({ text, pictures }) {
    this.setDraft(joined(this.draft.text, text), [...this.draft.pictures, ...pictures]);
  }

  /** Keep over a reload what the server does not have yet. */
  keepDraft() {
    if (!this.keepsDraft && !this.id) return;
    const unsent = [this.last?.stage === "sending" && this.last.local ? this.last : null, this.waiting].filter(Boolean);
    const pictures = [...unsent.flatMap(({ local }) => local), ...this.draft.pictures];
    const text = joined(...unsent.map(({ question }) => question), this.draft.text);
    keepDraft(this.#draftKey, text, pictures.map(({ file }) => file.name));
  }

  /** Ask, or ask later if an answer is running.
   *
   * Should the request itself fail, text and pictures go back into the draft.
   */
  async ask(text, pictures) {
    const turn = askedTurn(text, pictures);
    if (this.running) {
      this.waiting = turn;
      this.keepDraft();
      return this.#changed();
    }
    await this.#ask(turn);
    await this.#askWaiting();
  }

  /** Put the waiting question back into the draft. */
  takeBack() {
    const { waiting } = this;
    if (!waiting) return;
    this.waiting = null;
    this.#giveBack(waiting);
    this.#changed();
  }

  async #askWaiting() {
    while (this.waiting && !this.running && !this.gone) {
      const next = this.waiting;
      this.waiting = null;
      await this.#ask(next);
    }
  }

  async #ask(turn) {
    const { question: text, local: pictures } = turn;
    const known = this.turns.length;
    this.turns.push(turn);
    const failed = await this.#run(turn, async (signal) => {
      if (!this.id) {
        const id = await api.createThread();
        if (this.keepsDraft) forgetDraft(this.#draftKey); // it goes on under the new id
        this.id = id;
        this.keepDraft();
        this.onChange(this);
      }
      return api.sendQuestion(this.id, text, pictures.map(({ file }) => file), signal);
    });
    if (!failed) return;
    this.turns.pop();
    this.#giveBack(turn);
    await this.#afterFailure(failed);
    // The connection was lost, but only after the question had arrived.
    if (this.turns.length > known && this.last.question === text && this.draft.text === text) {
      this.setDraft();
      this.alert = "";
      this.#changed();
    }
    await this.#leaveIfEmpty();
  }

  /** Answer the last question anew. */
  again() {
    return this.#anew({}, (signal) => api.askAgain(this.id, signal));
  }

  /** Answer the last question in other words, about the same pictures. */
  edit(question) {
    const { message_id } = this.last;
    return this.#anew({ question }, (signal) => api.editQuestion(this.id, message_id, question, signal));
  }

  /** Show what the reader thinks of an answer: true, false or null. */
  rate(messageId, good) {
    const turn = this.turns.find(({ message_id }) => message_id === messageId);
    if (!turn) return;
    turn.good = good;
    this.#changed();
  }

  async #anew(changes, send) {
    const before = this.last;
    const turn = { ...before, ...changes, receipt: null };
    this.turns[this.turns.length - 1] = turn;
    const failed = await this.#run(turn, send);
    if (!failed) return this.#askWaiting();
    this.turns[this.turns.length - 1] = before;
    this.#giveBack();
    await this.#afterFailure(failed);
  }

  async stop() {
    if (this.last?.stage === "sending") {
      this.#stopping = true; // the server does not know of it yet: its first event does it
      return;
    }
    if (this.id) await api.stopAnswer(this.id).catch(() => {}); // too late, or away: the stream tells
  }

  /** Stop reading: the thread was deleted. */
  close() {
    this.gone = true;
    this.running = false;
    forgetDraft(this.#draftKey);
    this.#abort.abort();
  }

  /** Send a question and follow its answer; returns the error if it was not taken. */
  async #run(turn, send) {
    this.#asked += 1;
    this.#stopping = false;
    this.#abort = new AbortController();
    this.alert = "";
    this.running = true;
    Object.assign(turn, { state: "pending", stage: "sending", answer: "" });
    this.keepDraft();
    this.#changed();
    let response;
    try {
      response = await send(this.#abort.signal);
    } catch (error) {
      this.running = false;
      return error;
    }
    await this.#follow(response);
    return null;
  }

  async #afterFailure(error) {
    if (error.name !== "AbortError") this.alert = error instanceof api.HttpError ? error.message : t("page_send_failed");
    this.#changed();
    await api.reachable();
    // What the server has is what counts: it may be busy with another question.
    if (this.id && !this.gone) await this.open().catch(() => {});
  }

  /** Put a question back into the draft, before what is there; the one that waits behind it, too. */
  #giveBack(...turns) {
    const back = [...turns, this.waiting].filter(Boolean);
    this.waiting = null;
    this.setDraft(
      joined(...back.map(({ question }) => question), this.draft.text),
      [...back.flatMap(({ local = [] }) => local), ...this.draft.pictures],
    );
  }

  /** A thread whose only question was refused is none: nothing of it stays in the list. */
  async #leaveIfEmpty() {
    const { id } = this;
    if (!id || this.gone || this.turns.length) return;
    await api.deleteThread(id).catch(() => {}); // or it is gone already
    if (this.gone || this.running) return;
    forgetDraft(id);
    this.#asked += 1; // what was loaded meanwhile may still have the question
    this.turns = [];
    this.#view.show(this.turns, this.waiting);
    this.id = null;
    this.title = "";
    this.onEmptied(this, id);
    this.keepDraft();
  }

  /** Read the answer to its end, whatever happens to the connection in between. */
  async #follow(response = null) {
    this.running = true;
    if (this.#abort.signal.aborted) this.#abort = new AbortController();
    this.last.stage ??= "reading";
    this.#changed();
    for (let delay = 250; !this.gone; delay = Math.min(2 * delay, 4_000)) {
      try {
        response ??= await api.attach(this.id, this.#abort.signal);
        if (response.status !== 204) {
          if (await this.#read(response)) break;
        } else {
          await this.#load();
          if (this.last?.state !== "pending") break;
        }
      } catch (error) {
        if (this.gone || (error instanceof api.HttpError && error.status === 404)) break;
        // Anything else: the server restarts, and goes on with the answer then.
      }
      response = null;
      await api.sleep(delay);
      await api.reachable();
    }
    this.running = false;
    if (!this.gone) await this.#settle();
  }

  /** Take the events of one stream; true once the answer has ended. */
  async #read(response) {
    let first = true; // the first delta holds all the text so far
    for await (const { event, data } of api.readEvents(response)) {
      const turn = this.last;
      if (turn.stage === "sending") this.#taken(turn);
      if (this.#stopping && (event === "status" || event === "delta")) {
        this.#stopping = false;
        api.stopAnswer(this.id).catch(() => {});
      }
      if (event === "status") {
        Object.assign(turn, data);
      } else if (event === "delta") {
        turn.answer = first ? data.text : turn.answer + data.text;
        turn.stage = "answering";
        first = false;
      } else if (event === "done") {
        Object.assign(turn, { ended: true, message_id: data.message_id, state: data.outcome, answer: data.text, receipt: data.receipt });
        return true;
      } else if (event === "error") {
        if (data.resumes) return false; // the server stops, and goes on with the answer after that
        Object.assign(turn, { ended: true, message_id: data.message_id, state: "refused", answer: data.message, receipt: data.receipt, retry: data.retry });
        return true;
      }
      this.#grew();
    }
    return false;
  }

  /** After an answer: learn the pictures' numbers, the title, and whether the question was kept. */
  async #settle() {
    const { last: turn } = this;
    const count = this.turns.length;
    this.#changed();
    try {
      await this.#load();
    } catch (error) {
      // What is shown is complete but for the pictures' numbers, or the thread is gone.
      if (error.status === 404) this.lost = error;
      else if (error instanceof api.HttpError) this.alert = error.message;
      return this.#changed();
    }
    if (this.last?.state === "pending" && this.turns.length === count) {
      // The server could not write the end down yet; it has been told all the same.
      Object.assign(this.last, { state: turn.state, answer: turn.answer, receipt: turn.receipt });
      this.#changed();
    }
    if (turn.state !== "refused") return;
    if (this.turns.length < count || (turn.retry === false && turn.local)) return this.#takeBackRefused(turn);
    this.#giveBack(); // what waited may make no sense without an answer
    this.#changed();
  }

  /** The server has the question: a reload finds it there. */
  #taken(turn) {
    turn.stage = "reading";
    this.keepDraft();
  }

  /** Asking the same again cannot help: text and pictures go back to be changed. */
  async #takeBackRefused(turn) {
    this.alert = turn.answer;
    this.#asked += 1; // what is being loaded still has it
    this.turns = this.turns.filter(({ message_id }) => message_id !== turn.message_id);
    this.#giveBack(turn);
    this.#changed();
    if (this.turns.length && turn.message_id) await api.takeBack(this.id, turn.message_id).catch(() => {});
    await this.#leaveIfEmpty();
  }

  async #load() {
    const asked = this.#asked;
    const thread = await api.getThread(this.id);
    if (asked !== this.#asked || this.gone) return;
    const shown = this.turns;
    this.title = thread.title;
    const { is_mine, can_ask, can_delete, share, shared_by } = thread;
    this.access = { is_mine, can_ask, can_delete, share, shared_by };
    this.turns = thread.turns.map((turn, index) => merge(turn, shown[index]));
    releaseFiles(shown.slice(0, this.turns.length));
    this.#changed();
  }

  #changed() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#view.show(this.turns, this.waiting);
    this.onChange(this);
  }

  /** The last turn's answer went on: shown with the next frame, however many pieces come. */
  #grew() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#view.show(this.turns, this.waiting, this.turns.length - 1);
      this.onChange(this);
    });
  }
}

const joined = (...texts) => texts.filter(Boolean).join("\n");
