// The second lock: of whatever HTML arrives here, only what an answer is made of gets through.

import DOMPurify from "../vendor/dompurify/purify.mjs";

const HTML = "p br hr h3 h4 h5 h6 ul ol li blockquote pre code em strong s a div table thead tbody tr th td";
const MATHML =
  "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle mpadded mphantom menclose msub msup msubsup munder mover munderover mmultiscripts mprescripts mtable mtr mtd";
const ATTRIBUTES =
  "class data-info href value tabindex display displaystyle scriptlevel mathvariant stretchy fence separator form lspace rspace minsize maxsize symmetric largeop movablelimits accent accentunder linethickness columnalign rowspan columnspan width height depth voffset";

const purify = DOMPurify(window);
purify.addHook("afterSanitizeAttributes", (node) => {
  const isLink = node.localName === "a" && /^https?:\/\//i.test(node.getAttribute("href") ?? "");
  if (!isLink) return node.removeAttribute("href"); // parts of formulas could have one, too
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer");
});

/** Parse HTML into a fragment without anything that could run, load or lead elsewhere than to http. */
export function sanitize(html) {
  return purify.sanitize(html, {
    ALLOWED_TAGS: [...HTML.split(" "), ...MATHML.split(" ")],
    ALLOWED_ATTR: ATTRIBUTES.split(" "),
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}
