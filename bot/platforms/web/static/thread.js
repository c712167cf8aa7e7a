// One thread: its turns, the draft of its next question, and the answer in flight.

import * as api from "./api.js";
import { el } from "./dom.js";
import { turnNode, updateTurn } from "./render.js";
import { t } from "./texts.js";

/** A thread; it has no id before its first question.
 *
 * It owns its node and goes on reading its stream while another thread is
 * shown, so streams cannot mix and coming back costs nothing. `onChange` is
 * called after the node was brought up to date.
 */
export class Thread {
  title = "";
  turns = [];
  draft = { text: "", pictures: [] };
  alert = "";
  running = false;
  gone = false;
  node = el("div", { class: "turns" });
  #abort = new AbortController();
  #asked = 0; // counts questions: what was loaded before the last one is stale
  #stopping = false; // asked for, perhaps before the server knew of the question
  #frame = 0;

  constructor(id, onChange) {
    this.id = id;
    this.onChange = onChange;
  }

  get last() {
    return this.turns.at(-1);
  }

  /** Load the thread from the server; if an answer is in flight, follow it. */
  async open() {
    await this.#load();
    if (!this.running && this.last?.state === "pending") this.#follow();
  }

  /** Ask. Should the request itself fail, text and pictures go back into the draft. */
  async ask(text, pictures) {
    const known = this.turns.length;
    const turn = {
      question: text,
      pictures: pictures.map(({ file, url }) => ({ name: file.name, url })),
      local: pictures,
    };
    this.turns.push(turn);
    const failed = await this.#run(turn, async (signal) => {
      if (!this.id) {
        this.id = await api.createThread();
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
      this.draft = { text: "", pictures: [] };
      this.alert = "";
      this.#changed();
    }
  }

  /** Answer the last question anew. */
  async again() {
    const before = this.last;
    const turn = { ...before, receipt: null };
    this.turns[this.turns.length - 1] = turn;
    const failed = await this.#run(turn, (signal) => api.askAgain(this.id, signal));
    if (!failed) return;
    this.turns[this.turns.length - 1] = before;
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

  #giveBack({ question, local = [] }) {
    this.draft = {
      text: [question, this.draft.text].filter(Boolean).join("\n"),
      pictures: [...local, ...this.draft.pictures],
    };
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
        Object.assign(turn, { message_id: data.message_id, state: data.outcome, answer: data.text, receipt: data.receipt });
        return true;
      } else if (event === "error") {
        if (data.resumes) return false; // the server stops, and goes on with the answer after that
        Object.assign(turn, { state: "refused", answer: data.message, receipt: data.receipt });
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
      if (error instanceof api.HttpError) this.alert = error.message;
      return this.#changed();
    }
    if (this.last?.state === "pending" && this.turns.length === count) {
      // The server could not write the end down yet; it has been told all the same.
      Object.assign(this.last, { state: turn.state, answer: turn.answer, receipt: turn.receipt });
      this.#changed();
    }
    if (turn.state === "refused" && this.turns.length < count) {
      this.alert = turn.answer;
      this.#giveBack(turn);
      this.#changed();
    }
  }

  async #load() {
    const asked = this.#asked;
    const thread = await api.getThread(this.id);
    if (asked !== this.#asked || this.gone) return;
    const shown = this.turns;
    this.title = thread.title;
    this.turns = thread.turns.map((turn, index) => merge(turn, shown[index]));
    for (const { local = [] } of shown.slice(0, this.turns.length)) local.forEach(({ url }) => URL.revokeObjectURL(url));
    this.#changed();
  }

  #changed() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#show();
    this.onChange(this);
  }

  /** The last turn's answer went on: shown with the next frame, however many pieces come. */
  #grew() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#show(this.turns.length - 1);
      this.onChange(this);
    });
  }

  #show(from = 0) {
    const urls = new Map(this.turns.flatMap((turn) => turn.pictures).map(({ number, url }) => [number, url]));
    while (this.node.children.length > this.turns.length) this.node.lastElementChild.remove();
    let pictures = 0;
    this.turns.forEach((turn, index) => {
      pictures += turn.pictures.length;
      if (index < from) return;
      turn.withPictures = pictures > 0;
      if (!this.node.children[index]) this.node.append(turnNode());
      updateTurn(this.node.children[index], turn, urls);
    });
  }
}

/** The server's turn, with what only this page knows: the text so far, a refusal's sentence. */
function merge(turn, shown) {
  if (shown?.state === "refused" && turn.state === "refused") turn.answer ??= shown.answer;
  if (shown?.state === "pending" && turn.state === "pending") {
    turn.answer ??= shown.answer;
    turn.stage = shown.stage;
    turn.position = shown.position;
  }
  return turn;
}
