// The view follows the answer until the reader scrolls up, and again once they are back
// at the bottom.

import { catchFocus } from "./focus.js";

const NEAR_BOTTOM_PX = 60;
const $ = (id) => document.getElementById(id);

let following = true; // new text scrolls
let topPx = 0; // where the view was last known to be

/** Follow from now on, wherever the reader was. */
export function follow() {
  following = true;
  pin();
}

/** A thread, or the start screen, has just been put in place. */
export function showEnd(isThread) {
  following = true;
  $("scroller").scrollTop = isThread ? $("scroller").scrollHeight : 0;
  topPx = $("scroller").scrollTop;
  showJump();
}

export function listenToScrolling() {
  const scroller = $("scroller");
  scroller.addEventListener("scroll", () => {
    // Pictures that load and a composer that grows move the bottom away, but never the view:
    // only the reader moves it up, short of the bottom.
    if (toBottomPx() < 2) following = true;
    else if (scroller.scrollTop < topPx) following = false;
    else if (toBottomPx() < NEAR_BOTTOM_PX) following = true;
    topPx = scroller.scrollTop;
    showJump();
  }, { passive: true });
  // Growth of the thread fires no scroll event, so `following` still says where the reader was.
  const observer = new ResizeObserver(pin);
  for (const node of [$("thread"), scroller]) observer.observe(node);
  $("jump").addEventListener("click", () => {
    follow();
    catchFocus();
  });
}

function pin() {
  const scroller = $("scroller");
  if (following && !$("thread").hidden) {
    scroller.scrollTop = scroller.scrollHeight;
    topPx = scroller.scrollTop; // content that shrank has moved the view up, without an event
  }
  showJump();
}

function toBottomPx() {
  const { scrollHeight, scrollTop, clientHeight } = $("scroller");
  return scrollHeight - scrollTop - clientHeight;
}

function showJump() {
  $("scroller").classList.toggle("following", following);
  $("jump").hidden = following || $("thread").hidden;
}
