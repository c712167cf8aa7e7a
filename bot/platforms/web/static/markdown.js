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

/** Blocks of a text: `{kind: "code" | "heading" | "ul" | "ol" | "p", lines}`. */
function splitBlocks(text) {
  const blocks = [];
  let block = null;
  const open = (kind, line, extra) => blocks.push((block = { kind, lines: [line], ...extra }));
  for (const line of text.replace(/\r\n?/g, "\n").split("\n")) {
    if (block?.kind === "code" && !block.closed) {
      if (/^\s*```\s*$/.test(line)) block.closed = true;
      else block.lines.push(line);
      continue;
    }
    const bullet = line.match(/^\s*[-*+•]\s+(.*)/);
    const numbered = line.match(/^\s*(\d{1,3})[.)]\s+(.*)/);
    const heading = line.match(/^#{1,6}\s+(.*)/);
    if (/^\s*```/.test(line)) {
      open("code", "", { closed: false });
      block.lines = [];
    } else if (!line.trim()) {
      // A blank line ends a paragraph, but stands between the items of a loose list.
      if (block?.kind !== "ul" && block?.kind !== "ol") block = null;
    } else if (heading) {
      open("heading", heading[1]);
      block = null;
    } else if (bullet) {
      if (block?.kind === "ul") block.lines.push(bullet[1]);
      else open("ul", bullet[1]);
    } else if (numbered) {
      if (block?.kind === "ol") block.lines.push(numbered[2]);
      else open("ol", numbered[2], { start: Number(numbered[1]) });
    } else if (block?.kind === "p") {
      block.lines.push(line);
    } else if ((block?.kind === "ul" || block?.kind === "ol") && /^\s+/.test(line)) {
      block.lines[block.lines.length - 1] += `\n${line.trim()}`;
    } else {
      open("p", line);
    }
  }
  return blocks;
}

function blockNode({ kind, lines, start }) {
  if (kind === "code") return el("pre", { tabindex: "0" }, el("code", {}, lines.join("\n")));
  if (kind === "heading") return el("h3", {}, ...inline(lines[0]));
  if (kind === "p") return el("p", {}, ...inline(lines.join("\n")));
  return el(kind, start > 1 ? { start } : {}, ...lines.map((line) => el("li", {}, ...inline(line))));
}

// Code, bold, [text](link), a bare link. Links lead to http and https only.
const INLINE = /`([^`\n]{1,500})`|\*\*(\S(?:[^\n]{0,1000}?\S)??)\*\*|\[([^\]\n]{1,500})\]\((https?:\/\/[^\s)]+)\)|(https?:\/\/[^\s<>"'）」、。]+[^\s<>"'）」、。.,;:!?)\]])/g;

function inline(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, bold, label, target, bare] = match;
    nodes.push(text.slice(from, match.index));
    if (code) nodes.push(el("code", {}, code));
    else if (bold) nodes.push(el("strong", {}, bold));
    else nodes.push(el("a", { href: target ?? bare, target: "_blank", rel: "noopener noreferrer" }, label ?? bare));
    from = match.index + whole.length;
  }
  nodes.push(text.slice(from));
  return nodes.filter((node) => node !== "");
}
