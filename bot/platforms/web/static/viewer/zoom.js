// Enlarging and moving a picture: wheel, pinch, double click, drag.

const PAN_PX = 80;
const SWIPE_PX = 60;
const DOUBLE = 2.5; // what a double click enlarges to

/** Scales an image within its stage; the point under the pointer stays where it is.
 *
 * `onChange` is told the scale; `onSwipe` 1 for the next picture and -1 for the
 * one before, when a finger wipes over a picture that is not enlarged.
 */
export class Zoom {
  static MAX = 8;
  #scale = 1;
  #x = 0; // px from the middle of the stage to the middle of the image
  #y = 0;
  #pointers = new Map(); // pointerId → {x, y}, those that are down
  #began = null; // where a single finger began

  constructor(stage, image, { onChange, onSwipe }) {
    Object.assign(this, { stage, image, onChange, onSwipe });
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("dblclick", (event) => this.#doubleClick(event));
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => this.#up(event));
  }

  get isIn() {
    return this.#scale > 1;
  }

  reset() {
    this.#pointers.clear();
    this.#set(1, 0, 0);
  }

  /** Enlarge by a factor; (x, y) stays in place, in px from the stage's middle. */
  by(factor, x = 0, y = 0) {
    const scale = Math.min(Zoom.MAX, Math.max(1, this.#scale * factor));
    const grown = scale / this.#scale;
    this.#set(scale, x - (x - this.#x) * grown, y - (y - this.#y) * grown);
  }

  pan(x, y) {
    this.#set(this.#scale, this.#x + x * PAN_PX, this.#y + y * PAN_PX);
  }

  #set(scale, x, y) {
    // The picture never leaves the stage: its edge stops at the stage's.
    const room = (image, stage) => Math.max(0, (image * scale - stage) / 2);
    const within = (value, limit) => Math.min(limit, Math.max(-limit, value));
    this.#scale = scale < 1.01 ? 1 : scale;
    this.#x = within(x, room(this.image.offsetWidth, this.stage.clientWidth));
    this.#y = within(y, room(this.image.offsetHeight, this.stage.clientHeight));
    this.image.style.transform = this.isIn ? `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})` : "";
    this.stage.dataset.zoomed = String(this.isIn);
    this.onChange(this.#scale);
  }

  #fromMiddle({ clientX, clientY }) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return [clientX - left - width / 2, clientY - top - height / 2];
  }

  #wheel(event) {
    event.preventDefault(); // a pinch on a touchpad would enlarge the page
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.by(Math.exp((-event.deltaY * lines) / (event.ctrlKey ? 100 : 400)), ...this.#fromMiddle(event));
  }

  #doubleClick(event) {
    if (event.target !== this.image) return;
    if (this.isIn) this.reset();
    else this.by(DOUBLE, ...this.#fromMiddle(event));
  }

  #down(event) {
    if (event.button !== 0) return;
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.#began = this.#pointers.size === 1 ? { x: event.clientX, y: event.clientY, type: event.pointerType } : null;
    // By the image, not the stage: a click would seem to have been beside the image.
    if (event.target === this.image) this.image.setPointerCapture(event.pointerId);
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const [other] = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    const now = { x: event.clientX, y: event.clientY };
    this.#pointers.set(event.pointerId, now);
    if (other) {
      const spread = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
      const middle = { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 };
      this.by(spread(now) / spread(before), ...this.#fromMiddle(middle));
    }
    if (this.isIn) {
      const share = other ? 0.5 : 1; // two fingers that move together move their middle
      this.#set(this.#scale, this.#x + (now.x - before.x) * share, this.#y + (now.y - before.y) * share);
    }
  }

  #up(event) {
    const began = this.#began;
    this.#pointers.delete(event.pointerId);
    this.#began = null;
    if (!began || began.type === "mouse" || this.isIn || event.type === "pointercancel") return;
    const [x, y] = [event.clientX - began.x, event.clientY - began.y];
    if (Math.abs(x) > SWIPE_PX && Math.abs(x) > 2 * Math.abs(y)) this.onSwipe(x < 0 ? 1 : -1);
  }
}
