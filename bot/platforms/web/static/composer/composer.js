// The box at the bottom: text, pending pictures, and every way a picture gets in.

import * as api from "../api.js";
import { el } from "../dom.js";
import { catchFocus } from "../focus.js";
import { t } from "../texts.js";
import { isSend } from "./keys.js";
import { pendingPicture, showPending } from "./pending.js";
import { orderable } from "./picture_order.js";

const $ = (id) => document.getElementById(id);

/** Edits one thread's draft; `onAsk` is told when the reader asks, `onStop` when they stop. */
export class Composer {
  #thread = null;
  #limits = {};
  #isHeld = false; // somebody wanted to send while the bot was away, and reads that it was not sent
  #sending = false; // Enter was pressed, and a file is still being looked at

  constructor({ onAsk, onStop }) {
    this.onAsk = onAsk;
    this.onStop = onStop;
    this.#listenToKeys();
    this.#listenToButtons();
    document.addEventListener("paste", (event) => this.#paste(event));
    this.#listenToDrops();
    api.server.addEventListener("online", () => this.#isHeld && this.#note(t("page_back")));
    orderable($("pending"), (picture, index) => this.#move(picture, index));
    addEventListener("resize", () => this.#fitHeight()); // a phone that is turned
  }

  set limits(limits) {
    this.#limits = limits;
    // Some systems know HEIC and AVIF by their names alone.
    $("file-input").accept = ["image/*", ...limits.types].join();
  }

  /** Questions with a name, to be chosen where a picture is attached and nothing is written. */
  set presets(names) {
    $("presets").replaceChildren(
      ...names.map((name) => {
        const button = el("button", { type: "button", class: "tool" }, name);
        button.addEventListener("click", () => this.#askPreset(name));
        return button;
      }),
    );
  }

  /** Show that thread's draft and whether its answer is running. */
  show(thread) {
    const input = $("question");
    const isOther = thread !== this.#thread;
    this.#thread = thread;
    const { text, lost } = thread.draft;
    if (isOther) this.#note(lost.length && t("page_add_again", { names: lost.join(", ") }));
    if (input.value !== text) {
      input.value = text;
      this.#fitHeight();
    }
    this.#update();
  }

  focus() {
    // On a touch screen this would raise the keyboard over the answer.
    if (matchMedia("(pointer: coarse)").matches) return;
    $(this.#thread.isReadOnly ? "scroller" : "question").focus({ preventScroll: true });
  }

  /** Add files to the draft; those that can be no pictures leave it again, each with a sentence. */
  async add(files) {
    const thread = this.#thread;
    const limit = this.#limits.pictures_per_question ?? Infinity;
    const room = Math.max(0, limit - thread.draft.pictures.length);
    const pictures = [...files].slice(0, room).map((file) => pendingPicture(file, this.#limits));
    const sentences = files.length > room ? [t("page_too_many", { limit })] : [];
    thread.draft.pictures.push(...pictures);
    this.#note(...sentences);
    this.#changed(thread);
    this.focus();
    for (const picture of pictures) {
      const problem = await picture.checked;
      if (!problem) continue;
      sentences.push(problem);
      this.#drop(thread, picture);
      if (thread === this.#thread) this.#note(...sentences);
    }
  }

  async #ask() {
    const thread = this.#thread;
    const { draft } = thread;
    if (this.#sending || (!draft.text.trim() && !draft.pictures.length)) return;
    if (api.isAway()) {
      this.#note(t("page_kept_offline"));
      this.#isHeld = true;
      return;
    }
    if (thread.waiting) return this.#note(t("page_one_waits"));
    const bytes = draft.pictures.reduce((sum, { file }) => sum + file.size, 0);
    if (bytes > (this.#limits.upload_mb ?? Infinity) * 1e6) {
      return this.#note(t("page_too_large", { limit_bytes: Math.round(this.#limits.upload_mb * 1e6) }));
    }
    this.#sending = true;
    const problems = await Promise.all(draft.pictures.map(({ checked }) => checked));
    this.#sending = false;
    // A picture that cannot be used is not silently left out of a question that was sent.
    if (problems.some(Boolean) || thread.draft !== draft) return;
    this.#note();
    const { text, pictures } = draft;
    thread.setDraft();
    this.onAsk(thread, text.trim(), pictures);
    this.focus();
  }

  #askPreset(name) {
    this.#thread.draft.text = $("question").value = name;
    this.#changed(this.#thread);
    $("question").focus({ preventScroll: true }); // the button is about to go
    this.#ask();
  }

  #move(picture, index) {
    const thread = this.#thread;
    const others = thread.draft.pictures.filter((other) => other !== picture);
    thread.draft.pictures = others.toSpliced(index, 0, picture);
    this.#note(t("page_moved", { name: picture.file.name, number: index + 1, count: others.length + 1 }));
    this.#changed(thread);
  }

  #drop(thread, picture) {
    thread.draft.pictures = thread.draft.pictures.filter((other) => other !== picture);
    URL.revokeObjectURL(picture.url);
    this.#changed(thread);
  }

  #changed(thread) {
    thread.keepDraft();
    if (thread === this.#thread) this.#update();
  }

  #update() {
    const { draft, running } = this.#thread;
    const isEmpty = !draft.text.trim() && !draft.pictures.length;
    const hadFocus = $("composer").contains(document.activeElement);
    showPending($("pending"), draft.pictures, (picture) => {
      this.#note();
      this.#drop(this.#thread, picture);
      catchFocus();
    });
    $("order-hint").hidden = draft.pictures.length < 2;
    $("presets").hidden = !draft.pictures.length || Boolean(draft.text.trim()) || !$("presets").childElementCount;
    $("send").hidden = running && isEmpty;
    $("stop").hidden = !running;
    $("send").disabled = isEmpty;
    if (hadFocus) catchFocus(); // Stop is gone once it has stopped
  }

  #fitHeight() {
    const input = $("question");
    input.style.height = "auto";
    input.style.height = `${input.scrollHeight}px`; // CSS caps it
  }

  #note(...sentences) {
    const shown = sentences.filter(Boolean);
    this.#isHeld = false;
    $("composer-note").replaceChildren(...shown.map((sentence) => el("p", {}, sentence)));
  }

  #listenToKeys() {
    const input = $("question");
    input.addEventListener("input", () => {
      this.#thread.draft.text = input.value;
      this.#fitHeight();
      this.#changed(this.#thread);
    });
    input.addEventListener("keydown", (event) => {
      if (!isSend(event)) return;
      event.preventDefault();
      this.#ask();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing || event.defaultPrevented) return;
      if (document.querySelector("dialog[open]") || !this.#thread?.running) return;
      this.onStop(this.#thread);
    });
  }

  #listenToButtons() {
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
    $("stop").addEventListener("click", () => this.onStop(this.#thread));
    const choosers = [["add-pictures", "file-input"], ["drop-target", "file-input"], ["take-photo", "photo-input"], ["start-photo", "photo-input"]];
    for (const [button, input] of choosers) {
      $(button).addEventListener("click", () => $(input).click());
    }
    for (const input of [$("file-input"), $("photo-input")]) {
      input.addEventListener("change", () => {
        this.add(input.files);
        input.value = ""; // so that the same file can be chosen again
      });
    }
  }

  /** Nothing is added where it could not be seen: behind a dialog, in a thread that may only be read. */
  #takesFiles() {
    return !this.#thread.isReadOnly && !document.querySelector("dialog[open]");
  }

  #paste(event) {
    const { files, types } = event.clipboardData;
    // Office programs put a picture of the text beside the text: the text is meant.
    if (!files.length || types.includes("text/plain") || !this.#takesFiles()) return;
    event.preventDefault();
    this.add(files);
  }

  #listenToDrops() {
    const overlay = $("drop-overlay");
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    document.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = this.#takesFiles() ? "copy" : "none";
      overlay.hidden = !this.#takesFiles();
    });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) overlay.hidden = true; // left the window
    });
    document.addEventListener("drop", (event) => {
      overlay.hidden = true;
      if (!hasFiles(event)) return;
      event.preventDefault(); // the browser would open the file in place of the page
      if (this.#takesFiles()) this.add(droppedFiles(event.dataTransfer));
    });
  }
}

/** The files of a drop; a folder shows up as a file that cannot be read, so it is left out. */
function droppedFiles({ items, files }) {
  const folders = [...items].map((item) => item.webkitGetAsEntry?.()?.isDirectory);
  return [...files].filter((_, index) => !folders[index]);
}
