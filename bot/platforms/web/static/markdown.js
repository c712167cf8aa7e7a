// An answer's Markdown in the page: parsed, sanitised, and brought into what is shown.

import { withCodeBlocks } from "./markdown/code_blocks.js";
import { settled } from "./markdown/growing.js";
import { withHosts } from "./markdown/links.js";
import { morph } from "./markdown/morph.js";
import { htmlOf, splitBlocks } from "./markdown/parser.js";
import { sanitize } from "./markdown/sanitizer.js";

/** Show `text` in `container`, touching only the blocks that changed.
 *
 * Called for each frame of a streaming answer: a reader's selection, focus and scrolling survive
 * the growth of the last block. While the text is `growing`, what cannot be shown yet as it is
 * meant (the head of a table, half a formula) is left out.
 */
export function showMarkdown(container, text, { growing = false } = {}) {
  const blocks = growing ? settled(text) : splitBlocks(text);
  let at = 0;
  for (const block of blocks) {
    const shown = container.children[at];
    if (shown?.source !== block.source) {
      const node = nodeOf(block);
      if (!node) continue;
      if (shown && morph(shown, node)) shown.source = block.source;
      else if (shown) shown.replaceWith(node);
      else container.append(node);
    }
    at += 1;
  }
  while (container.children.length > at) container.lastElementChild.remove();
  levelHeadings(container);
}

/** Tell assistive technology of headings without gaps, below the page's own of level 2.
 *
 * Models begin with any level and skip some; what is seen stays as they wrote it.
 */
function levelHeadings(container) {
  const above = []; // the written levels of the headings that the next one may stand below
  for (const heading of container.querySelectorAll("h3, h4, h5, h6")) {
    const written = Number(heading.localName[1]);
    while (above.at(-1) >= written) above.pop();
    above.push(written);
    const level = 2 + above.length;
    heading.ariaLevel = level === written ? null : String(level);
  }
}

/** A block's element, or null where nothing of it may be shown. */
function nodeOf(block) {
  const fragment = sanitize(htmlOf(block));
  withCodeBlocks(fragment);
  withHosts(fragment);
  const node = fragment.firstElementChild;
  if (node) node.source = block.source;
  return node;
}
