// Two small charts as SVG: stacked bars, and lines. Sizes are attributes and colours are classes,
// since the page allows no inline style.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 180;
const LEFT = 36;
const RIGHT = 8;
const BELOW = 22;
const TOP = 8;
const LABEL = 68;

/** Bars, one per label, each stacked from the values of all series.
 *
 * `series`: `[{className, values}]`, as many values as labels; `describe(at)` is a bar's tooltip.
 */
export function stackedBars(box, { label, labels, series, describe }) {
  const chart = frame(box, label, Math.max(0, ...labels.map((_, at) => sum(series, at))));
  const step = chart.width / labels.length;
  const wide = Math.max(2, Math.min(36, step * 0.7));
  labels.forEach((_, at) => {
    const bar = svg("g", { class: "bar" }, svg("title", {}, describe(at)));
    let y = chart.bottom;
    for (const { className, values } of series) {
      const height = chart.scale * values[at];
      if (!height) continue;
      y -= height;
      const x = LEFT + at * step + (step - wide) / 2;
      bar.append(svg("rect", { class: className, x, y, width: wide, height, rx: Math.min(2, height / 2) }));
    }
    chart.root.append(bar);
  });
  writeLabels(chart, labels, (at) => LEFT + (at + 0.5) * step, "middle");
}

/** Lines over the same x, the latest value at the right. */
export function lines(box, { label, labels, series }) {
  const chart = frame(box, label, Math.max(0, ...series.flatMap(({ values }) => values)));
  const step = labels.length > 1 ? chart.width / (labels.length - 1) : 0;
  for (const { className, values } of series) {
    const points = values.map((value, at) => `${(LEFT + at * step).toFixed(1)},${(chart.bottom - chart.scale * value).toFixed(1)}`);
    chart.root.append(svg("polyline", { class: `line ${className}`, points: points.join(" ") }));
  }
  writeLabels(chart, labels, (at) => LEFT + at * step, "end");
}

/** Axes for values from 0 to the next round number above `most`. */
function frame(box, label, most) {
  const full = Math.max(240, box.clientWidth);
  const top = roundAbove(most);
  const bottom = HEIGHT - BELOW;
  const root = svg("svg", { class: "plot", role: "img", "aria-label": label, viewBox: `0 0 ${full} ${HEIGHT}` });
  for (const value of top >= 2 ? [0, top / 2, top] : [0, top]) {
    const y = bottom - ((bottom - TOP) * value) / top;
    root.append(svg("line", { class: "grid", x1: LEFT, x2: full, y1: y, y2: y }));
    root.append(svg("text", { class: "tick", x: LEFT - 6, y: y + 4, "text-anchor": "end" }, value));
  }
  box.replaceChildren(root);
  return { root, bottom, width: full - LEFT - RIGHT, scale: (bottom - TOP) / top };
}

/** As many labels as there is room for, counted from the last one. */
function writeLabels(chart, labels, xOf, anchor) {
  const every = Math.max(1, Math.ceil((labels.length * LABEL) / chart.width));
  labels.forEach((text, at) => {
    const isCut = xOf(at) - LABEL < LEFT && anchor === "end";
    if ((labels.length - 1 - at) % every || isCut) return;
    chart.root.append(svg("text", { class: "tick", x: xOf(at), y: HEIGHT - 4, "text-anchor": anchor }, text));
  });
}

/** 1, 2, 4 or 6 times a power of ten, so that its half is whole; 1 for nothing or one. */
function roundAbove(value) {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 10].map((factor) => factor * power).find((one) => one >= value);
}

const sum = (series, at) => series.reduce((total, { values }) => total + values[at], 0);

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
