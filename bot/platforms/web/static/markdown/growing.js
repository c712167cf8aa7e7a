// A text that is still being written: what its end means is known a little later.

import { CLOSING, formulaAt, opened } from "./formulas.js";
import { splitBlocks } from "./parser.js";

const MAX_HELD = 1_000;
/** A table's first line, and as much of its second as there is. */
const TABLE_HEAD = /(?:^|\n)[ \t]*\|[^\n]*(?:\n[ \t|:-]*)?$/;
/** A link or a picture whose target is not complete. */
const HALF_LINK = /!?\[[^\]\n]*\]\([^)\s]*$/;

/** The blocks of a growing text, without an end whose meaning is still open. */
export function settled(text) {
  const blocks = splitBlocks(text);
  const last = blocks.at(-1);
  if (!last || last.type === "fence" || last.type === "code_block" || last.type === "table_open") return blocks;
  const open = openAt(last.source);
  if (open < 0 || last.source.length - open > MAX_HELD) return blocks;
  return [...blocks.slice(0, -1), ...splitBlocks(last.source.slice(0, open))];
}

/** Where the unfinished end of a block begins, or -1. */
function openAt(source) {
  const places = [source.search(TABLE_HEAD), source.search(HALF_LINK), openFormulaAt(source)].filter((at) => at >= 0);
  return places.length ? Math.min(...places) : -1;
}

function openFormulaAt(source) {
  const signs = /`+[^`]*`+|\\[^]|\$\$?/g; // code and escapes hide a sign
  for (let match = signs.exec(source); match; match = signs.exec(source)) {
    const markup = match[0][0] === "`" ? null : opened(source, match.index);
    if (!markup) continue;
    const formula = formulaAt(source, match.index);
    if (formula) signs.lastIndex = formula.end;
    else if (mayClose(markup, source.slice(match.index + markup.length))) return match.index;
  }
  return -1;
}

/** Whether what follows a sign may yet become a formula. A dollar before a digit is money. */
function mayClose(markup, rest) {
  return markup === "$" ? /^(?:[^\s\d$][^\n$]{0,99})?$/.test(rest) : !rest.includes(CLOSING[markup]);
}
