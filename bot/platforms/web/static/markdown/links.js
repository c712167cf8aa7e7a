// Where links lead, beside texts that do not say so. Chats have the same rules (links.py).
//
// `[bank.test](https://evil.test)` would be a link named bank.test. A link's host stands beside its
// text, unless the text names that host and no other.

import { el } from "../dom.js";

/** An address whose host every program reads alike: no user, nothing encoded, nothing odd. */
const LINK = /^https?:\/\/(?:[a-z0-9_-][a-z0-9_.-]*|\[[0-9a-f:.]+\])(?::\d{1,5})?(?=[/?#]|$)/i;
/** What looks like the name of a host. */
const NAMED = /[^\s/?#@:\\()[\]{}<>"'`,;|]+(?:[.。．｡][^\s/?#@:\\()[\]{}<>"'`,;|]+)+/g;

/** Whether a link may lead there. */
export function isLink(url) {
  return LINK.test(url) && URL.canParse(url);
}

/** Put the host beside every link of a fragment whose text does not name it. */
export function withHosts(fragment) {
  for (const link of fragment.querySelectorAll("a[href]")) {
    if (link.textContent === link.getAttribute("href")) continue;
    const { host, hostname } = new URL(link.getAttribute("href"));
    const named = new Set((link.textContent.match(NAMED) ?? []).map(bare));
    if (named.size !== 1 || !named.has(bare(hostname))) link.after(el("span", { class: "host" }, ` (${host})`));
  }
}

function bare(host) {
  return host.toLowerCase().replace(/^[.。!…?]+|[.。!…?]+$/g, "").replace(/^www\./, "");
}
