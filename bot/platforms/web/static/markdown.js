// A little Markdown, built of DOM nodes. What the model wrote is only ever text:
// nothing here goes through innerHTML.

import { el } from "./dom.js";

/** Show `text` in `container`, keeping the blocks that did not change.
 *
 * Called for each piece of a streaming answer: a reader's selection in the
 * paragraphs above survives the growth of the last one.
 */
export function showMarkdown(container, text) {
  const blocks = splitBlocks(text);
  blocks.forEach((block, index) => {
    const shown = container.children[index];
    const source = JSON.stringify(block);
    if (shown?.source === source) return;
    const node = blockNode(block);
    node.source = source;
    if (shown) shown.replaceWith(node);
    else container.append(node);
  });
  while (container.children.length > blocks.length) container.lastElementChild.remove();
}

// A code fence as CommonMark has it (bot/reply.py, FENCE): what follows backticks on their line
// has none itself, or it is code within a line.
const FENCE = /^([ \t]*)(?:(`{3,})([^`]*)|(~{3,})(.*))$/;
const BULLET = /^(\s*[-*+•]\s+)(.*)/;
const NUMBERED = /^(\s*(\d{1,9})[.)]\s+)(.*)/;

const width = (space) => space.replaceAll("\t", "    ").length;
const indentOf = (line) => width(line.match(/^\s*/)[0]);

/** The code block that a line opens, or null.
 *
 * `columns`: where the contents of the list items begin that the line may stand in. A fence is
 * indented by three spaces at most, from the margin or from such a column.
 */
function openedBy(line, columns) {
  const fence = line.match(FENCE);
  if (!fence) return null;
  const [, space, ticks, info, tildes, rest] = fence;
  const indent = width(space);
  const column = Math.max(0, ...columns.filter((it) => it <= indent));
  if (indent - column > 3) return null;
  return { kind: "code", lines: [], fence: ticks ?? tildes, info: (info ?? rest).trim(), column, indent };
}

function closes(line, { fence, column }) {
  const text = line.trim();
  return text.length >= fence.length && text === fence[0].repeat(text.length) && indentOf(line) - column <= 3;
}

function withoutIndent(line, indent) {
  let at = 0;
  while (at < line.length && /[ \t]/.test(line[at]) && width(line.slice(0, at + 1)) <= indent) at += 1;
  return line.slice(at);
}

/** Blocks of a text: `{kind: "code" | "heading" | "ul" | "ol" | "p", lines}`. */
function splitBlocks(text) {
  const blocks = [];
  let block = null;
  let columns = [];
  const open = (it) => blocks.push((block = it));
  for (const line of text.replace(/\r\n?/g, "\n").split("\n")) {
    if (block?.kind === "code") {
      if (closes(line, block)) {
        block = null;
        continue;
      }
      if (!line.trim() || indentOf(line) >= block.column) {
        block.lines.push(withoutIndent(line, block.indent));
        continue;
      }
      block = null; // the list item ends here, and its code with it
    }
    const bullet = line.match(BULLET);
    const numbered = line.match(NUMBERED);
    const heading = line.match(/^#{1,6}\s+(.*)/);
    const item = bullet ?? numbered;
    if (item) columns.push(width(item[1]));
    else if (/^\S/.test(line)) columns = [];
    const code = openedBy(line, columns);
    if (code) {
      open(code);
    } else if (!line.trim()) {
      // A blank line ends a paragraph, but stands between the items of a loose list.
      if (block?.kind !== "ul" && block?.kind !== "ol") block = null;
    } else if (heading) {
      open({ kind: "heading", lines: [heading[1]] });
      block = null;
    } else if (item) {
      const kind = bullet ? "ul" : "ol";
      if (block?.kind !== kind) open({ kind, lines: [], numbers: [] });
      const inItem = openedBy(" ".repeat(width(item[1])) + item.at(-1), columns);
      block.lines.push(inItem ? "" : item.at(-1));
      block.numbers.push(numbered && Number(numbered[2]));
      if (inItem) open(inItem);
    } else if (block?.kind === "p") {
      block.lines.push(line);
    } else if ((block?.kind === "ul" || block?.kind === "ol") && /^\s+/.test(line)) {
      block.lines[block.lines.length - 1] += `\n${line.trim()}`;
    } else {
      open({ kind: "p", lines: [line] });
    }
  }
  return blocks;
}

function blockNode({ kind, lines, numbers, info }) {
  if (kind === "code") {
    return el("pre", { tabindex: "0" }, info && el("span", { class: "info" }, info), el("code", {}, lines.join("\n")));
  }
  if (kind === "heading") return el("h3", {}, ...inline(lines[0]));
  if (kind === "p") return el("p", {}, ...inline(lines.join("\n")));
  return el(kind, {}, ...lines.map((line, index) => el("li", { value: numbers[index] }, ...inline(line))));
}

// Code, bold, [text](link), a bare link. Links lead to http and https only.
const INLINE = /(?<!`)(`+)(?!`)([^]{1,500}?)(?<!`)\1(?!`)|\*\*(\S(?:[^\n]{0,1000}?\S)??)\*\*|\[([^\]\n]{1,500})\]\((https?:\/\/[^\s)]+)\)|(https?:\/\/[^\s<>"'）」、。]+[^\s<>"'）」、。.,;:!?)\]])/g;

function inline(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, , code, bold, label, target, bare] = match;
    nodes.push(text.slice(from, match.index));
    if (code) nodes.push(el("code", {}, codeText(code)));
    else if (bold) nodes.push(el("strong", {}, bold));
    else nodes.push(el("a", { href: target ?? bare, target: "_blank", rel: "noopener noreferrer" }, label ?? bare));
    from = match.index + whole.length;
  }
  nodes.push(text.slice(from));
  return nodes.filter((node) => node !== "");
}

/** What a code span shows: one space on each side only keeps ticks apart, and it is one line. */
function codeText(code) {
  const line = code.replaceAll("\n", " ");
  return /^ .*\S.* $/.test(line) ? line.slice(1, -1) : line;
}
