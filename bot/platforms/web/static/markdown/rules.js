// Small additions to markdown-it.

/** `<br>`, which models write in the cells of tables, is a line break. */
export function lineBreaks(parser) {
  parser.inline.ruler.before("html_inline", "line_break", (state, silent) => {
    const tag = /^<br ?\/?>/i.exec(state.src.slice(state.pos, state.pos + 6));
    if (!tag) return false;
    if (!silent) state.push("hardbreak", "br", 0);
    state.pos += tag[0].length;
    return true;
  });
}

/** A picture becomes a link to it: the page loads nothing from other hosts. */
export function imagesAreLinks(parser) {
  forEachInline(parser, "images_are_links", ({ children }, Token) => {
    let inLink = 0;
    return children.flatMap((token) => {
      inLink += (token.type === "link_open") - (token.type === "link_close");
      if (token.type !== "image") return [token];
      const text = Object.assign(new Token("text", "", 0), { content: token.content || token.attrGet("src") });
      if (inLink) return [text];
      const open = Object.assign(new Token("link_open", "a", 1), { attrs: [["href", token.attrGet("src")]] });
      return [open, text, new Token("link_close", "a", -1)];
    });
  });
}

/** `- [x] done` begins with a ticked box. */
export function taskLists(parser) {
  forEachInline(parser, "task_lists", ({ children, level }, Token, tokens, index) => {
    const item = tokens[index - 2];
    const mark = item?.type === "list_item_open" && item.level === level - 2 && /^\[([ xX])\]\s/.exec(children[0]?.content ?? "");
    if (!mark || children[0].type !== "text") return children;
    item.attrJoin("class", "task");
    children[0].content = children[0].content.slice(mark[0].length);
    const box = Object.assign(new Token("text", "", 0), { content: mark[1] === " " ? "☐ " : "☑ " });
    return [box, ...children];
  });
}

/** Items keep the numbers that were written, also where they do not count up. */
export function writtenNumbers(parser) {
  parser.core.ruler.push("written_numbers", ({ tokens }) => {
    for (const token of tokens) {
      if (token.type === "list_item_open" && token.info) token.attrSet("value", String(Number(token.info)));
      if (token.type === "ordered_list_open") token.attrs = null;
    }
  });
}

function forEachInline(parser, name, childrenOf) {
  parser.core.ruler.push(name, ({ tokens, Token }) => {
    tokens.forEach((token, index) => {
      if (token.type === "inline") token.children = childrenOf(token, Token, tokens, index);
    });
  });
}
