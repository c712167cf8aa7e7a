// The side bar on a phone: a drawer over the page.

const $ = (id) => document.getElementById(id);
const phone = matchMedia("(max-width: 52rem)");

export function listenToDrawer() {
  phone.addEventListener("change", closeDrawer);
  $("menu").addEventListener("click", () => setDrawer(true));
  $("close-menu").addEventListener("click", closeDrawer);
  $("shade").addEventListener("click", closeDrawer);
  // On the document: the focus may be nowhere, after a touch or a list that was built anew.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || !isOpen()) return;
    if (document.querySelector("dialog[open], :popover-open")) return;
    event.preventDefault(); // it closes the drawer, it does not stop the answer
    closeDrawer();
    $("menu").focus();
  }, { capture: true });
  closeDrawer();
}

export function openDrawer() {
  setDrawer(true);
}

export function closeDrawer() {
  setDrawer(false);
}

const isOpen = () => phone.matches && $("side").classList.contains("open");

/** Open or close the drawer; on a wide page the side bar is always there. */
function setDrawer(open) {
  const drawer = phone.matches;
  $("side").classList.toggle("open", open);
  $("side").inert = drawer && !open;
  $("page").inert = drawer && open;
  $("shade").hidden = !(drawer && open);
  $("menu").ariaExpanded = String(open);
  if (open) $("close-menu").focus();
}
