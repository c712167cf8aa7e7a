// A composer: text, pictures, commands. Each place and thread keeps a draft of its own.

import { say } from "../api.js";
import { el, icon, iconButton } from "../dom.js";
import { here, personOf, placeOf, refresh, view } from "../state.js";
import { words } from "../words.js";
import { Completion } from "./completion.js";
import { drawFiles, filesOf } from "./files.js";

const MAX_HEIGHT_PX = 220;
let created = 0;

const empty = () => ({ text: "", title: "", files: [], command: null });

export class Composer {
  /** `target`: where it writes now, `{place, thread}`. `onSent` is told when it has. */
  constructor(form, pane, { target, onSent }) {
    this.form = form;
    this.target = target;
    this.onSent = onSent;
    this.drafts = new Map();
    this.key = "";
    this.build();
    for (const name of ["dragenter", "dragover"]) {
      pane.addEventListener(name, (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        pane.classList.add("dropping");
      });
    }
    pane.addEventListener("dragleave", (event) => pane.contains(event.relatedTarget) || pane.classList.remove("dropping"));
    pane.addEventListener("drop", (event) => {
      pane.classList.remove("dropping");
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      this.add(filesOf(event.dataTransfer));
    });
  }

  build() {
    const number = (created += 1);
    this.text = el("textarea", { name: "text", rows: 1, autocomplete: "off", "aria-autocomplete": "list", "aria-haspopup": "listbox", "aria-controls": `offers-${number}` });
    this.title = el("input", { class: "post-title", placeholder: "Title", "aria-label": "Title of the post", autocomplete: "off", maxlength: 100 });
    this.input = el("input", { type: "file", multiple: true, hidden: true, accept: "image/*,.heic,.heif,.avif", tabindex: -1 });
    this.list = el("div", { class: "offers", role: "listbox", id: `offers-${number}`, "aria-label": "Suggestions", hidden: true });
    this.files = el("ul", { class: "files", "aria-label": "Attached pictures", hidden: true });
    this.chip = el("div", { class: "chip", hidden: true });
    this.problem = el("div", { class: "problem", role: "alert", hidden: true });
    this.working = el("div", { class: "working", role: "status" });
    this.form.append(
      this.list,
      el("div", { class: "field" },
        this.problem, this.files, this.title,
        el("div", { class: "row" },
          iconButton("plus", "Add pictures", () => this.input.click(), { class: "attach" }),
          this.chip, this.text,
          el("button", { class: "send", "aria-label": "Send", title: "Send" }, icon("send")),
        ),
      ),
      this.working,
      this.input,
    );
    this.completion = new Completion(this);
    let width = 0;
    new ResizeObserver(() => {
      if (width === this.text.clientWidth) return;
      width = this.text.clientWidth;
      this.resize();
    }).observe(this.text);
    this.input.addEventListener("change", () => {
      this.add([...this.input.files]);
      this.input.value = "";
    });
    this.text.addEventListener("input", () => this.typed());
    this.title.addEventListener("input", () => (this.draft.title = this.title.value));
    this.text.addEventListener("paste", (event) => {
      const files = filesOf(event.clipboardData);
      if (!files.length) return;
      event.preventDefault();
      this.add(files);
    });
    this.text.addEventListener("keydown", (event) => this.keyPressed(event));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
  }

  get draft() {
    if (!this.drafts.has(this.key)) this.drafts.set(this.key, empty());
    return this.drafts.get(this.key);
  }

  /** Show the draft of the place or thread where it writes now. */
  show() {
    const { place, thread } = this.target();
    const key = `${place}/${thread}`;
    this.titled = placeOf(place)?.kind === "forum" && !thread;
    if (key !== this.key) {
      this.key = key;
      this.text.value = this.draft.text;
      this.title.value = this.draft.title;
      this.say("");
      this.draw();
    }
    this.title.hidden = !this.titled;
    this.describe();
  }

  describe() {
    const { place, thread } = this.target();
    const option = this.draft.command?.options.find((it) => !it.is_file);
    const { kind, name } = placeOf(place) ?? {};
    const sign = kind === "direct" ? "" : "#";
    const label = option?.description ?? (this.draft.command ? "" : thread ? "Reply…" : this.titled ? "Write your post…" : `Message ${sign}${name}`);
    if (this.text.placeholder === label) return;
    this.text.placeholder = label;
    this.text.setAttribute("aria-label", label || "Message");
  }

  draw() {
    const { command } = this.draft;
    this.chip.hidden = !command;
    if (command) {
      this.chip.replaceChildren(el("b", {}, command.name), iconButton("close", `Remove ${command.name}`, () => this.choose(null)));
    }
    drawFiles(this);
    this.describe();
    this.resize();
    this.form.classList.toggle("ready", Boolean(this.draft.text.trim() || this.draft.files.length || command));
  }

  typed() {
    this.draft.text = this.text.value;
    const command = view.app === "discord" && !this.draft.command && view.commands.find((it) => it.options.length && this.text.value.startsWith(`${it.name} `));
    if (command) this.choose(command, this.text.value.slice(command.name.length + 1));
    this.say("");
    this.draw();
    this.completion.update();
  }

  /** Put text and pictures in, as if typed and dropped. */
  fill(text, files) {
    this.draft.files = files.map((file) => ({ file }));
    this.write(text);
    this.text.focus();
  }

  write(text, caret = text.length) {
    this.text.value = this.draft.text = text;
    this.text.setSelectionRange(caret, caret);
    this.draw();
  }

  /** Write a slash command of Discord's, which has fields of its own; `null` gives it up. */
  choose(command, text = "") {
    this.draft.command = command;
    this.write(text);
    this.text.focus();
  }

  add(files) {
    const { command } = this.draft;
    const slot = command?.options.find((it) => it.is_file);
    if (command && !slot) return this.say(`${command.name} takes no pictures.`);
    const added = files.map((file) => ({ file, option: slot?.name }));
    this.draft.files = slot ? added.slice(0, 1) : [...this.draft.files, ...added];
    this.say("");
    this.draw();
    this.text.focus();
  }

  remove(index) {
    this.draft.files.splice(index, 1);
    this.draw();
    this.text.focus();
  }

  say(problem) {
    this.problem.textContent = problem;
    this.problem.hidden = !problem;
  }

  resize() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, MAX_HEIGHT_PX)}px`;
  }

  keyPressed(event) {
    if (event.isComposing || this.completion.keyPressed(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.send();
    }
    if (event.key === "Backspace" && this.draft.command && !this.text.value) this.choose(null);
  }

  async send() {
    const { text, files, command, title } = this.draft;
    const { place, thread } = this.target();
    const missing = command?.options.find((it) => it.required && it.is_file && !files.length);
    if (missing) return this.say(`“${missing.name}” is required: add a picture.`);
    if (!text.trim() && !files.length && !command) return;
    if (this.titled && !title.trim()) return this.title.focus();
    const draft = this.draft;
    this.drafts.set(this.key, empty());
    this.text.value = this.title.value = "";
    this.draw();
    this.completion.close();
    try {
      await say({ text, files, place, thread, command: command?.name ?? "", title: this.titled ? title.trim() : "" });
    } catch {
      this.drafts.set(`${place}/${thread}`, draft); // nothing is lost: it can be sent again
      this.key = "";
      this.show();
      this.say(words.unsent);
      return;
    }
    this.onSent({ place, thread });
    await refresh();
  }

  /** What the bot does here: `null`, or `{status, stop}`. */
  showWork(work) {
    const key = work ? work.status + Boolean(work.stop) : "";
    if (this.working.dataset.key === key) return;
    this.working.dataset.key = key;
    this.working.replaceChildren();
    if (!work) return;
    const bot = personOf(view.bot).name;
    this.working.append(el("span", { class: "dots", "aria-hidden": "true" }), el("span", {}, el("b", {}, bot), ` ${work.status}`));
    if (work.stop) this.working.append(el("button", { type: "button", class: "stop", onclick: work.stop }, icon("stop"), "Stop"));
  }
}

/** Pictures that are pasted while nothing is being written go to the channel, or the open thread. */
export function takePastes(channel, thread) {
  addEventListener("paste", (event) => {
    if (event.target.closest?.("input, textarea") || document.querySelector("dialog[open]")) return;
    const files = filesOf(event.clipboardData);
    if (files.length) (here.thread ? thread : channel).add(files);
  });
}
