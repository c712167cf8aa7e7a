// A line of the list of threads.

import { el, icon } from "../dom.js";
import { sharedMark } from "../people/share.js";
import { t } from "../texts.js";

/** The line of a thread as the server listed it, with `current` and `running`. */
export function threadItem({ thread_id, title, picture_url, match, current, running, ...sharing }) {
  const name = title || t("page_untitled");
  return el("li", {},
    el("a", { href: `#/t/${encodeURIComponent(thread_id)}`, "data-thread": thread_id, "aria-current": current && "page",
      "aria-keyshortcuts": "F2 Delete ArrowRight", title: name },
      picture_url ? el("img", { src: picture_url, alt: "", width: "36", height: "36", loading: "lazy", draggable: "false" })
        : el("span", { class: "no-picture" }, icon("picture")),
      el("span", { class: "words" }, el("span", { class: "name" }, name), match && matchNode(match)),
      sharedMark(sharing),
      running && el("span", { class: "running" }, el("span", { class: "visually-hidden" }, t("page_answering")))),
    // One tab stop per thread: the arrow keys lead to its menu.
    el("button", { type: "button", class: "icon-button", tabindex: "-1", "data-action": "thread-menu", "data-thread": thread_id,
      "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": `${t("page_thread_menu")}: ${name}`, title: t("page_thread_menu") },
      icon("more")));
}

function matchNode({ before, hit, after }) {
  return el("span", { class: "match" }, before, el("mark", {}, hit), after);
}
