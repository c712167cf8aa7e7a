// What can be done with a thread as a whole: rename, download, delete; and delete them all.

import { onAction } from "../actions.js";
import * as api from "../api.js";
import { answerOf } from "../dialogs.js";
import { sentenceOf } from "../failures.js";
import { t } from "../texts.js";
import { listenToThreadMenu } from "./menu.js";

const $ = (id) => document.getElementById(id);

/** Let the buttons work.
 *
 * `shown` returns the thread that the page shows, `titleOf` and `canManage` tell
 * of any thread by its id what it is called and whether it may be changed;
 * `onRenamed(id, title)`, `onDeleted(id)` and `onDeletedAll()` are called once
 * the server has done it, `onFailed(sentence)` if it has not.
 */
export function manageThreads({ shown, titleOf, canManage, onRenamed, onDeleted, onDeletedAll, onFailed }) {
  const openMenu = listenToThreadMenu((id, menu) => {
    for (const item of menu.querySelectorAll("[data-action]")) {
      item.hidden = canManage(id) === (item.dataset.action === "leave"); // a guest can only leave
    }
    for (const link of menu.querySelectorAll("[data-format]")) {
      link.href = `/api/threads/${encodeURIComponent(id)}/export?format=${link.dataset.format}`;
    }
  });
  const idOf = ({ dataset }) => dataset.thread ?? shown().id;
  onAction("thread-menu", (button) => openMenu(button, idOf(button)));
  onAction("rename", (button) => rename(idOf(button)));
  onAction("delete", (button) => remove(idOf(button)));
  onAction("delete-all", removeAll);
  $("threads").addEventListener("keydown", (event) => {
    const id = event.target.dataset.thread;
    if (!id || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const act = { F2: rename, Delete: remove }[event.key];
    if (!act || !canManage(id)) return;
    event.preventDefault();
    act(id);
  });

  async function rename(id) {
    const dialog = $("rename");
    const input = $("new-title");
    input.value = titleOf(id);
    const answer = answerOf(dialog);
    input.select();
    if ((await answer) !== "rename") return;
    const renamed = await done(() => api.renameThread(id, input.value));
    if (renamed) onRenamed(id, renamed.title);
  }

  async function remove(id) {
    if (!(await confirmed(t("page_delete_confirm"), titleOf(id), t("page_delete")))) return;
    if (await done(() => api.deleteThread(id))) onDeleted(id);
  }

  async function removeAll() {
    if (!(await confirmed(t("page_delete_all_confirm"), t("page_delete_all_hint"), t("page_delete_all")))) return;
    if (await done(() => api.deleteAllThreads())) onDeletedAll();
  }

  /** What the server answered, or null; that a thread is gone already is as good as done. */
  async function done(request) {
    try {
      return await request();
    } catch (error) {
      if (error.status === 404) return {};
      onFailed(sentenceOf(error));
      return null;
    }
  }
}

async function confirmed(sentence, detail, label) {
  const dialog = $("confirm-delete");
  $("confirm-sentence").textContent = sentence;
  dialog.querySelector("[data-title]").textContent = detail;
  dialog.querySelector("[value=delete]").textContent = label;
  return (await answerOf(dialog)) === "delete";
}
