// The buttons under an answer: ask again, change the question, copy, 👍 and 👎.

import { onAction } from "../actions.js";
import * as api from "../api.js";
import { copyFrom } from "../clipboard.js";
import { isSend } from "../composer/keys.js";
import { answerOf } from "../dialogs.js";
import { el, icon } from "../dom.js";
import { sentenceOf } from "../failures.js";
import { catchFocus } from "../focus.js";
import { canRepeat } from "../people/share.js";
import { t } from "../texts.js";

export function actionsNode(turn) {
  const hasAnswer = turn.answer && turn.state !== "refused";
  return el("div", { class: "actions" },
    turn.retry !== false && canRepeat(turn) && tool("again", t("page_again")),
    turn.message_id && hasAnswer && canRepeat(turn) && tool("edit", t("page_edit")),
    hasAnswer && el("button", { type: "button", class: "tool", "data-action": "copy" }, icon("copy"), el("span", { role: "status" }, t("page_copy"))),
    turn.message_id && hasAnswer && opinion("good", turn.good === true),
    turn.message_id && hasAnswer && opinion("bad", turn.good === false));
}

function tool(action, label) {
  return el("button", { type: "button", class: "tool", "data-action": action }, icon(action), el("span", {}, label));
}

function opinion(action, isPressed) {
  const label = t(action === "good" ? "page_good" : "page_bad");
  return el("button", { type: "button", class: "icon-button opinion", "data-action": action, "aria-pressed": String(isPressed), "aria-label": label, title: label }, icon(action));
}

/** Let them work on the thread that `shown` returns; `onFailed` is told why not. */
export function listenToTurnActions({ shown, onFailed }) {
  const turnOf = (button) => shown().turn(button.closest("[data-turn]").dataset.turn);
  onAction("good", (button) => rate(turnOf(button), true));
  onAction("bad", (button) => rate(turnOf(button), false));
  onAction("copy", (button) => copyFrom(button, turnOf(button).answer));
  onAction("edit", edit);
  document.getElementById("edited").addEventListener("keydown", (event) => {
    if (!isSend(event)) return;
    event.preventDefault();
    event.target.form.requestSubmit(event.target.form.querySelector("[value=ask]"));
  });

  async function rate({ message_id, good: before }, good) {
    const thread = shown();
    const now = before === good ? null : good; // pressed again, it is taken back
    thread.rate(message_id, now);
    try {
      await api.rateAnswer(thread.id, message_id, now);
    } catch (error) {
      thread.rate(message_id, before);
      onFailed(sentenceOf(error));
    }
  }

  async function edit() {
    const thread = shown();
    const { message_id, question, pictures } = thread.last;
    const input = document.getElementById("edited");
    input.value = question;
    input.required = !pictures.length;
    const answer = answerOf(document.getElementById("edit"));
    input.setSelectionRange(question.length, question.length);
    if ((await answer) !== "ask" || thread.running || thread.last.message_id !== message_id) return;
    if (input.value.trim() !== question) thread.edit(input.value.trim());
    catchFocus(); // the button is gone while it is answered
  }
}
