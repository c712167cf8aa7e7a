// Change a node into another one, keeping all that is the same: what a reader has selected,
// focused or scrolled stays as it is.

/** Make `node` look like `wanted`. Returns: false where they are of different kinds. */
export function morph(node, wanted) {
  if (node.nodeName !== wanted.nodeName) return false;
  if (node instanceof Text) {
    const { data } = node;
    if (data === wanted.data) return true;
    if (wanted.data.startsWith(data)) node.appendData(wanted.data.slice(data.length));
    else node.data = wanted.data;
    return true;
  }
  // A button says for a moment that it has copied; only that differs.
  if (node.dataset?.kept !== undefined || node.isEqualNode(wanted)) return true;
  for (const { name } of [...node.attributes]) if (!wanted.hasAttribute(name)) node.removeAttribute(name);
  for (const { name, value } of wanted.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  const children = [...wanted.childNodes];
  children.forEach((child, index) => {
    const own = node.childNodes[index];
    if (!own) node.append(child);
    else if (!morph(own, child)) own.replaceWith(child);
  });
  while (node.childNodes.length > children.length) node.lastChild.remove();
  return true;
}
