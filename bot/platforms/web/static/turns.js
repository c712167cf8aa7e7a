// A turn on the page: the server's, with what only the page knows of it.

import { el } from "./dom.js";
import { turnNode, updateTurn, waitingNodes } from "./render.js";

/** A question as it is asked; `local` holds its files until the server has them. */
export function askedTurn(question, local) {
  const pictures = local.map(({ file, url, width, height }) => ({ name: file.name, url, width, height }));
  return { question, pictures, local };
}

/** The server's turn, with the text so far and a refusal's sentence of the one shown. */
export function merge(turn, shown) {
  if (shown?.ended && turn.state === "pending" && shown.message_id === turn.message_id) {
    // The server could not write the end down yet; this page has been told all the same.
    const { state, answer, receipt, retry } = shown;
    return Object.assign(turn, { ended: true, state, answer, receipt, retry });
  }
  if (shown?.state === "refused" && turn.state === "refused") {
    turn.answer ??= shown.answer;
    turn.retry ??= shown.retry;
  }
  if (shown?.state === "pending" && turn.state === "pending") {
    turn.answer ??= shown.answer;
    turn.stage = shown.stage;
    turn.position = shown.position;
  }
  return turn;
}

/** Free the files that the server has; those of a refused question go back into the draft. */
export function releaseFiles(turns) {
  for (const { local = [], retry } of turns) {
    if (retry !== false) local.forEach(({ url }) => URL.revokeObjectURL(url));
  }
}

/** The nodes of a thread's turns, and of the question that waits behind them. */
export class TurnsView {
  nodes = [el("div", { class: "turns" }), el("div", { class: "waiting", hidden: true })];

  /** Bring them up to date, the turns from the one at `from` on. */
  show(turns, waiting, from = 0) {
    const [list] = this.nodes;
    const urls = new Map(turns.flatMap((turn) => turn.pictures).map(({ number, url }) => [number, url]));
    while (list.children.length > turns.length) list.lastElementChild.remove();
    let pictures = 0;
    turns.forEach((turn, index) => {
      pictures += turn.pictures.length;
      if (index < from) return;
      turn.withPictures = pictures > 0;
      if (!list.children[index]) list.append(turnNode());
      updateTurn(list.children[index], turn, urls);
    });
    this.#showWaiting(waiting);
  }

  #showWaiting(turn) {
    const [, node] = this.nodes;
    node.hidden = !turn;
    if (node.turn === turn) return;
    node.turn = turn;
    node.replaceChildren(...(turn ? waitingNodes(turn) : []));
  }
}
