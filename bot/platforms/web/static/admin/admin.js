// The admin's page: lets those in who know the password, and shows the overview, which it asks for
// every few seconds. What has not changed is not touched: nothing flickers, focus stays.

import { HttpError, Unreachable, getJson, request } from "../api.js";
import { el } from "../dom.js";
import { t, useTexts } from "../texts.js";
import { lines, stackedBars } from "./charts.js";
import { Words } from "./words.js";

const EVERY_MS = 5_000;
const OUTCOMES = {
  answered: "admin_outcome_answered",
  stopped: "admin_outcome_stopped",
  refused: "admin_outcome_refused",
  failed: "admin_outcome_failed",
};
const STATES = { here: "admin_is_here", standby: "admin_is_standby", away: "admin_is_away" };

const $ = (id) => document.getElementById(id);
const shown = new Map(); // id → what it was last made from, as JSON
let words;
let latest = null;
let by = "outcome";
let timer = 0;

start();

async function start() {
  const { texts, language } = await getJson("/api/admin/texts");
  document.documentElement.lang = language;
  useTexts(texts);
  document.title = `${t("admin_title")} – ${t("page_title")}`;
  words = new Words(language);
  $("gate").addEventListener("submit", enter);
  $("leave").addEventListener("click", leave);
  for (const button of document.querySelectorAll("[data-by]")) button.addEventListener("click", () => choose(button.dataset.by));
  addEventListener("resize", () => latest && (shown.delete("days"), shown.delete("hour"), show(latest)));
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && !$("overview").hidden && refresh());
  await refresh();
}

// -- in and out -------------------------------------------------------------------------------

async function enter(event) {
  event.preventDefault();
  try {
    const body = JSON.stringify({ password: $("password").value });
    await request("/api/admin/session", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  } catch (error) {
    $("refused").textContent = error instanceof HttpError ? error.message : t("admin_unreachable");
    $("password").select();
    return;
  }
  $("refused").textContent = $("password").value = "";
  await refresh();
}

async function leave() {
  await request("/api/admin/session", { method: "DELETE" });
  askForPassword();
}

function askForPassword() {
  clearTimeout(timer);
  latest = null;
  $("overview").hidden = $("leave").hidden = $("state").hidden = true;
  if (!$("gate").hidden) return;
  $("gate").hidden = false;
  $("password").focus();
}

async function refresh() {
  clearTimeout(timer);
  try {
    latest = await getJson("/api/admin/overview");
  } catch (error) {
    if (error instanceof HttpError && error.status === 403) return askForPassword();
    if (!(error instanceof HttpError || error instanceof Unreachable)) throw error;
    fill($("stale"), t("admin_stale"));
    $("stale").hidden = false;
    timer = setTimeout(refresh, EVERY_MS);
    return;
  }
  $("stale").hidden = $("gate").hidden = true;
  $("overview").hidden = $("leave").hidden = $("state").hidden = false;
  show(latest);
  // A page that nobody looks at asks for nothing.
  if (document.visibilityState === "visible") timer = setTimeout(refresh, EVERY_MS);
}

// -- what is shown ----------------------------------------------------------------------------

function show(overview) {
  fill($("state"), t(overview.ready ? "admin_ready" : "admin_not_ready"));
  $("state").dataset.is = overview.ready ? "here" : "away";
  change("problems", overview.problems, (box, problems) =>
    problems.length
      ? problems.map(({ what, remedy }) => el("div", { class: "problem" }, el("p", {}, what), el("p", {}, remedy)))
      : [el("p", { class: "fine" }, t("admin_no_problems"))],
  );
  showTiles(tilesOf(overview));
  showDays(overview.days);
  showHour(overview.history);
  change("platforms", overview.platforms.map((one) => platformRow(one, overview.at)), (_, rows) =>
    table(["admin_platform", "admin_state", "admin_since", "admin_last_event", "admin_places"], rows),
  );
  showBars("reasons", overview.reasons.map((one) => ({ words: one.words, count: one.questions })), "admin_no_reasons");
  showBars("people", overview.people.map((one) => ({ words: `${words.platform(one.platform)} · ${one.person}`, count: one.questions })), "admin_no_people");
  showQuotas(overview.quotas);
  fill($("foot"), t("admin_foot", { model: overview.model?.name ?? "–", device: overview.model?.device ?? "–", up: words.duration(overview.up_s) }));
}

function tilesOf({ now, memory, feedback, disk_free_bytes: disk }) {
  const { p50, p95 } = now.first_token_s;
  return [
    ["admin_waiting", words.number(now.waiting), t("admin_in_flight", { count: now.in_flight })],
    ["admin_running", words.number(now.running), now.cache_usage == null ? "" : t("admin_cache_usage", { share: words.share(now.cache_usage) })],
    ["admin_first_token", words.seconds(p50), t("admin_p95", { time: words.seconds(p95) })],
    ["admin_cache_hits", words.share(now.cache_hits), t("admin_of_prompts")],
    ...memory.map(({ device, used_bytes: used, total_bytes: total }) => [
      "admin_memory", words.share(total ? used / total : null), `${device}: ${words.bytes(used)} / ${words.bytes(total)}`,
    ]),
    ["admin_feedback", `${words.number(feedback.good)} / ${words.number(feedback.bad)}`, t("admin_good_bad")],
    ["admin_disk", words.bytes(disk), t("admin_free")],
  ];
}

/** Figures change in place: a screen reader's position in them stays. */
function showTiles(tiles) {
  const box = $("tiles");
  while (box.childElementCount > tiles.length) box.lastElementChild.remove();
  while (box.childElementCount < tiles.length) box.append(el("div", {}, el("dt"), el("dd", { class: "figure" }), el("dd", { class: "beside" })));
  tiles.forEach(([key, figure, beside], at) => {
    const [name, value, note] = box.children[at].children;
    fill(name, t(key));
    fill(value, figure);
    fill(note, beside);
  });
}

function showDays(rows) {
  const names = by === "outcome" ? Object.keys(OUTCOMES) : [...new Set(rows.map((row) => row.platform))].sort();
  const days = words.lastDays(latest.at, 14);
  const count = (day, name) => rows.filter((row) => row.day === day && row[by] === name).reduce((sum, row) => sum + row.questions, 0);
  const series = names.map((name, at) => ({
    name: by === "outcome" ? t(OUTCOMES[name]) : words.platform(name),
    className: `series-${by === "outcome" ? at : at % 6}`,
    values: days.map((day) => count(day, name)),
  }));
  const total = series.reduce((sum, { values }) => sum + values.reduce((one, other) => one + other, 0), 0);
  const label = t("admin_days_label", { count: total });
  const labels = days.map((day) => words.day(day));
  const describe = (at) => [labels[at], ...series.map(({ name, values }) => `${name}: ${values[at]}`)].join("\n");
  change("days", [by, series, labels], (box) => void stackedBars(box, { label, labels, series, describe }));
  change("days-legend", series.map(({ name, className }) => [name, className]), (_, all) => all.map(legendItem));
  const rowsOfTable = days.map((day, at) => [labels[at], ...series.map(({ values }) => words.number(values[at]))]).reverse();
  change("days-table", [series.map(({ name }) => name), rowsOfTable], (_, [heads, body]) => table(["admin_day", ...heads], body, true));
}

function showHour(samples) {
  const series = [
    { className: "series-2", values: samples.map((one) => one.waiting) },
    { className: "series-0", values: samples.map((one) => one.running) },
  ];
  const labels = samples.map((one) => words.time(one.at));
  change("hour", [series, labels], (box) => void lines(box, { label: t("admin_hour"), labels, series }));
  change("hour-legend", [[t("admin_waiting"), "series-2"], [t("admin_running"), "series-0"]], (_, all) => all.map(legendItem));
}

function platformRow(one, now) {
  const is = one.connected ? "here" : one.standby ? "standby" : "away";
  const ago = (at) => (at == null ? "–" : t("admin_ago", { time: words.duration(now - at) }));
  return [words.platform(one.platform), { is, text: t(STATES[is]) }, one.since == null ? "–" : words.moment(one.since), ago(one.last_event_at), one.places.join(", ") || "–"];
}

function showBars(id, items, empty) {
  const most = Math.max(1, ...items.map(({ count }) => count));
  change(id, items, () =>
    items.length
      ? items.map((item) => el("li", {}, el("span", {}, item.words), el("span", { class: "number" }, words.number(item.count)), el("meter", { max: most, value: item.count, "aria-hidden": "true" })))
      : [el("li", { class: "quiet" }, t(empty))],
  );
}

function showQuotas(quotas) {
  change("quotas", quotas, () =>
    quotas.length
      ? quotas.map(({ platform, whose, bound, left, limit, renews_at: at }) =>
          el("li", {},
            el("span", {}, t(bound === "channel_per_day" ? "admin_quota_channel" : "admin_quota_person", { platform: words.platform(platform), whose, time: words.moment(at) })),
            el("span", { class: "number" }, t("admin_quota_left", { left: words.number(left), limit: words.number(limit) })),
            el("meter", { max: limit, value: limit - left, "aria-hidden": "true" }),
          ))
      : [el("li", { class: "quiet" }, t("admin_no_quotas"))],
  );
}

const legendItem = ([name, className]) => el("li", {}, el("i", { class: className, "aria-hidden": "true" }), name);

/** Head and body; `heads` are keys of sentences or words. */
function table(heads, rows, areNumbers = false) {
  const kind = (at) => (areNumbers && at ? "number" : null);
  return [
    el("thead", {}, el("tr", {}, ...heads.map((head, at) => el("th", { scope: "col", class: kind(at) }, t(head))))),
    el("tbody", {}, ...rows.map((cells) => el("tr", {}, ...cells.map((cell, at) => tableCell(cell, at, kind(at)))))),
  ];
}

function tableCell(cell, at, className) {
  if (cell.is) return el("td", {}, el("span", { class: "state", "data-is": cell.is }, cell.text));
  return at ? el("td", { class: className }, cell) : el("th", { scope: "row" }, cell);
}

// -- only what has changed --------------------------------------------------------------------

/** Make an element's children anew if what they are made from has changed. */
function change(id, from, make) {
  const now = JSON.stringify(from);
  if (shown.get(id) === now) return;
  shown.set(id, now);
  const children = make($(id), from);
  if (children) $(id).replaceChildren(...children);
}

function fill(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function choose(one) {
  by = one;
  for (const button of document.querySelectorAll("[data-by]")) button.setAttribute("aria-pressed", button.dataset.by === by);
  if (latest) showDays(latest.days);
}
