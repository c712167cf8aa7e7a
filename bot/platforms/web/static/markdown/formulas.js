// Formulas: `$…$`, `$$…$$`, `\(…\)` and `\[…\]` become MathML, which needs no fonts and no styles.

const MAX_LENGTH = 2_000;
export const CLOSING = { "\\(": "\\)", "\\[": "\\]", $$: "$$", $: "$" };

/** Teach markdown-it formulas. */
export function formulas(parser) {
  parser.inline.ruler.before("escape", "formula", (state, silent) => {
    const formula = formulaAt(state.src.slice(0, state.posMax), state.pos);
    if (!formula) return false;
    if (!silent) Object.assign(state.push("formula", "math", 0), formula);
    state.pos = formula.end;
    return true;
  });
  const options = { alt: ["paragraph", "reference", "blockquote", "list"] };
  parser.block.ruler.before("fence", "formula_block", formulaBlock, options);
  parser.renderer.rules.formula = (tokens, index) => mathOf(tokens[index], parser.utils.escapeHtml);
  parser.renderer.rules.formula_block = (tokens, index) => `<div class="formula">${mathOf(tokens[index], parser.utils.escapeHtml)}</div>`;
}

/** The formula that begins at `at`: `{markup, content, end}`, or null.
 *
 * A dollar sign is an amount of money unless a formula is plain: nothing blank inside it next to
 * the signs, no letter or digit outside next to them, and not "5 and 10".
 */
export function formulaAt(text, at) {
  const markup = opened(text, at);
  if (!markup) return null;
  const from = at + markup.length;
  const to = text.slice(from, from + MAX_LENGTH).indexOf(CLOSING[markup]);
  const content = to < 0 ? "" : text.slice(from, from + to);
  const end = from + to + markup.length;
  if (!content.trim() || /\n[ \t]*\n/.test(content)) return null;
  if (markup === "$" && !isPlain(content, text[at - 1] ?? "", text[end] ?? "")) return null;
  return { markup, content: content.trim(), end };
}

/** The sign that a formula could begin with at `at`. */
export function opened(text, at) {
  const two = text.slice(at, at + 2);
  if (two in CLOSING) return two;
  return text[at] === "$" ? "$" : null;
}

function isPlain(content, before, after) {
  if (/^\s|\s$|\n|\\$/.test(content)) return false;
  if (/[A-Za-z0-9$\\]/.test(before) || /[A-Za-z0-9$]/.test(after)) return false;
  return !/^[\d.,]+\s+[a-z]{2,}/i.test(content);
}

/** A formula on lines of its own, so that a line of it is never a list or a rule. */
function formulaBlock(state, startLine, endLine, silent) {
  if (state.sCount[startLine] - state.blkIndent >= 4) return false;
  const start = state.bMarks[startLine] + state.tShift[startLine];
  const markup = state.src.slice(start, start + 2);
  if (markup !== "$$" && markup !== "\\[") return false;
  const lines = [];
  for (let line = startLine; line < endLine; line += 1) {
    if (line > startLine && (state.isEmpty(line) || state.sCount[line] < state.blkIndent)) return false;
    const text = line === startLine ? state.src.slice(start + 2, state.eMarks[line]) : state.getLines(line, line + 1, state.blkIndent, false);
    const to = text.indexOf(CLOSING[markup]);
    lines.push(to < 0 ? text : text.slice(0, to));
    if (to < 0) continue;
    const content = lines.join("\n").trim();
    if (!content || content.length > MAX_LENGTH || /[^\s.,;:]/.test(text.slice(to + 2))) return false;
    if (silent) return true;
    Object.assign(state.push("formula_block", "math", 0), { markup, content, map: [startLine, line + 1] });
    state.line = line + 1;
    return true;
  }
  return false;
}

function mathOf({ markup, content }, escapeHtml) {
  const displayMode = markup !== "$" && markup !== "\\(";
  try {
    // temml is a plain script of the page; it writes styles as attributes, which the page may not have.
    return globalThis.temml.renderToString(content, { displayMode, throwOnError: true }).replace(/ style="[^"]*"/g, "");
  } catch {
    return `<code>${escapeHtml(content)}</code>`; // not TeX after all, or more than temml knows
  }
}
