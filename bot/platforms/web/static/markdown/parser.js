// markdown-it as answers need it: CommonMark with tables, strikethrough, formulas, task lists and
// bare links. HTML is text, pictures are links, and a block means the same whatever follows it.

import markdownit from "../vendor/markdown-it/markdown-it.mjs";
import { formulas } from "./formulas.js";
import { isLink } from "./links.js";
import { imagesAreLinks, lineBreaks, taskLists, writtenNumbers } from "./rules.js";

const parser = markdownit({ html: false, linkify: true, breaks: true, maxNesting: 40 });
// A definition at the end would change links above it; models write links in full.
parser.disable("reference");
// "Total\n---" is a line and a rule: what models mean, and what stays when the rule arrives.
parser.disable("lheading");
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
parser.validateLink = isLink;
parser.use(formulas).use(lineBreaks).use(imagesAreLinks).use(taskLists).use(writtenNumbers);

const { rules } = parser.renderer;

// The page has headings of its own above an answer's.
const levelOf = (token) => Math.min(6, Number(token.tag[1]) + 2);
rules.heading_open = (tokens, index) => `<h${levelOf(tokens[index])}>`;
rules.heading_close = (tokens, index) => `</h${levelOf(tokens[index])}>`;

// All of the info is shown: markdown-it keeps its first word alone.
rules.fence = (tokens, index) => {
  const [info, code] = [tokens[index].info.trim(), tokens[index].content].map(parser.utils.escapeHtml);
  return `<pre data-info="${info}"><code>${code}</code></pre>`;
};

// Alignment as a class: the page's policy allows no style attribute.
rules.th_open = rules.td_open = (tokens, index, options, _env, self) => {
  const token = tokens[index];
  const align = token.attrGet("style")?.match(/^text-align:(\w+)/)?.[1];
  token.attrs = align ? [["class", align]] : null;
  return self.renderToken(tokens, index, options);
};
rules.table_open = () => '<div class="table" tabindex="0"><table>';
rules.table_close = () => "</table></div>";

/** The blocks of a text: `{source, tokens}`; equal sources look equal. */
export function splitBlocks(text) {
  const normal = text.replace(/\r\n?/g, "\n").replaceAll("\0", "\uFFFD");
  const lines = normal.split("\n");
  const blocks = [];
  let depth = 0;
  let start = 0;
  parser.parse(normal, {}).forEach((token, index, tokens) => {
    depth += token.nesting;
    if (depth > 0 || token.nesting > 0) return;
    const [from, to] = tokens[start].map;
    blocks.push({
      type: tokens[start].type,
      source: lines.slice(from, to).join("\n"),
      tokens: tokens.slice(start, index + 1),
    });
    start = index + 1;
  });
  return blocks;
}

/** A block as HTML, which is still to be sanitised. */
export function htmlOf({ tokens }) {
  return parser.renderer.render(tokens, parser.options, {});
}
