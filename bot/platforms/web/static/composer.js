// The box at the bottom: text, pending pictures, and every way a picture gets in.

import { el, icon } from "./dom.js";
import { pictureImage } from "./render.js";
import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);

/** Edits one thread's draft; `onAsk` is told when the reader asks, `onStop` when they stop. */
export class Composer {
  #thread = null;
  #limits = {};

  constructor({ onAsk, onStop }) {
    this.onAsk = onAsk;
    this.onStop = onStop;
    this.#listenToKeys();
    this.#listenToButtons();
    document.addEventListener("paste", (event) => this.#paste(event));
    this.#listenToDrops();
  }

  set limits(limits) {
    this.#limits = limits;
  }

  /** Show that thread's draft and whether its answer is running. */
  show(thread) {
    const input = $("question");
    if (thread !== this.#thread) this.#note("");
    this.#thread = thread;
    if (input.value !== thread.draft.text) input.value = thread.draft.text;
    this.#showPictures();
    this.#update();
  }

  focus() {
    // On a touch screen this would raise the keyboard over the answer.
    if (!matchMedia("(pointer: coarse)").matches) $("question").focus({ preventScroll: true });
  }

  add(files) {
    const { draft } = this.#thread;
    const limit = this.#limits.pictures_per_question ?? Infinity;
    const room = Math.max(0, limit - draft.pictures.length);
    for (const file of [...files].slice(0, room)) draft.pictures.push({ file, url: URL.createObjectURL(file) });
    this.#note(files.length > room ? t("page_too_many", { limit }) : "");
    this.#showPictures();
    this.#update();
    this.focus();
  }

  #ask() {
    const { draft, running } = this.#thread;
    const text = draft.text.trim();
    if (running || (!text && !draft.pictures.length)) return;
    const bytes = draft.pictures.reduce((sum, { file }) => sum + file.size, 0);
    if (bytes > (this.#limits.upload_mb ?? Infinity) * 1e6) {
      this.#note(t("page_too_large", { limit_mb: Math.floor(this.#limits.upload_mb) }));
      return;
    }
    this.#note("");
    this.#thread.draft = { text: "", pictures: [] };
    this.onAsk(this.#thread, text, draft.pictures);
    this.focus();
  }

  #update() {
    const { draft, running } = this.#thread;
    $("send").hidden = running;
    $("stop").hidden = !running;
    $("send").disabled = !draft.text.trim() && !draft.pictures.length;
    const input = $("question");
    input.style.height = "auto";
    input.style.height = `${input.scrollHeight}px`; // CSS caps it
  }

  #note(sentence) {
    $("composer-note").textContent = sentence;
  }

  #showPictures() {
    const { pictures } = this.#thread.draft;
    const list = $("pending");
    list.hidden = pictures.length === 0;
    const shown = new Map([...list.children].map((item) => [item.picture, item]));
    list.replaceChildren(...pictures.map((picture) => shown.get(picture) ?? this.#pendingItem(picture)));
  }

  #pendingItem(picture) {
    const { name } = picture.file;
    const remove = () => {
      const { draft } = this.#thread;
      draft.pictures = draft.pictures.filter((other) => other !== picture);
      URL.revokeObjectURL(picture.url);
      this.#note("");
      this.#showPictures();
      this.#update();
      $("question").focus();
    };
    const item = el("li", { title: name }, pictureImage(picture.url, name, name),
      el("button", { type: "button", "aria-label": t("page_remove", { name }), onclick: remove }, icon("close")));
    item.picture = picture;
    return item;
  }

  #listenToKeys() {
    const input = $("question");
    input.addEventListener("input", () => {
      this.#thread.draft.text = input.value;
      this.#update();
    });
    input.addEventListener("keydown", (event) => {
      // Enter that accepts a word of an input method (Japanese) is not a send;
      // Safari reports it after the composition, with keyCode 229.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
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

  #paste(event) {
    const { files, types } = event.clipboardData;
    // Office programs put a picture of the text beside the text: the text is meant.
    if (!files.length || types.includes("text/plain") || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    this.add(files);
  }

  #listenToDrops() {
    const overlay = $("drop-overlay");
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    document.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      overlay.hidden = false;
    });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) overlay.hidden = true; // left the window
    });
    document.addEventListener("drop", (event) => {
      overlay.hidden = true;
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.add(droppedFiles(event.dataTransfer));
    });
  }
}

/** The files of a drop; a folder shows up as a file that cannot be read, so it is left out. */
function droppedFiles({ items, files }) {
  const folders = [...items].map((item) => item.webkitGetAsEntry?.()?.isDirectory);
  return [...files].filter((_, index) => !folders[index]);
}
