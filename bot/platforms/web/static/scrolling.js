// The view follows the answer for as long as the reader is at the bottom.

const NEAR_BOTTOM_PX = 60;
const $ = (id) => document.getElementById(id);

let following = true; // the reader is at the bottom, so new text scrolls

/** Follow from now on, wherever the reader was. */
export function follow() {
  following = true;
}

/** A thread, or the start screen, has just been put in place. */
export function showEnd(isThread) {
  follow();
  $("scroller").scrollTop = isThread ? $("scroller").scrollHeight : 0;
}

export function listenToScrolling() {
  const scroller = $("scroller");
  scroller.addEventListener("scroll", () => {
    following = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_BOTTOM_PX;
  }, { passive: true });
  // Growth of the thread fires no scroll event, so `following` still says where the reader was.
  const observer = new ResizeObserver(() => {
    if (following && !$("thread").hidden) scroller.scrollTop = scroller.scrollHeight;
  });
  for (const node of [$("thread"), $("alert"), scroller]) observer.observe(node);
}
