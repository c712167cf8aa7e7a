// Says how far the loading of the model is, until it is ready or has failed.

import * as api from "../api.js";
import { t } from "../texts.js";

const AGAIN_MS = 1_500;
const UNITS = ["kilobyte", "megabyte", "gigabyte"]; // a single "byte" has no good plural in Intl
const MINUTE_S = 60;
const PHASES = {
  starting: "page_loading_starting",
  downloading: "page_loading_downloading",
  building: "page_loading_building",
  loading: "page_loading_loading",
  connecting: "page_loading_connecting",
  warming_up: "page_loading_warming_up",
};

const $ = (id) => document.getElementById(id);

let following = false;
let failure = null; // the operator's sentence; it stays until the bot is back

/** Take what `/api/info` says; while the model loads, follow the load. `onInfo` gets the info afterwards. */
export function showLoading({ state, progress }, onInfo) {
  if (state === "loading") {
    failure = null;
    show(progress);
    if (!following) follow(onInfo);
  } else {
    $("loading").hidden = true;
  }
}

async function follow(onInfo) {
  following = true;
  try {
    for await (const { event, data } of api.readEvents(await api.attachLoading())) {
      if (event === "progress") show(data);
      else if (event === "failed") fail(data.message);
    }
  } catch {
    // The bot went away; the loop below asks until it is back.
  }
  following = false;
  for (;;) {
    // After a failure the process ends: what it still answers meanwhile is no news.
    if (failure) await api.sleep(AGAIN_MS);
    try {
      return onInfo(await api.getInfo());
    } catch {
      await api.reachable();
    }
  }
}

function show({ phase, what, done_bytes: done, total_bytes: total, bytes_per_s: rate, remaining_s: left }) {
  const panel = $("loading");
  panel.hidden = false;
  panel.classList.remove("failed");
  write("loading-title", t("page_loading"));
  write("loading-phase", t(PHASES[phase], { what }));
  const bar = $("loading-bar");
  bar.hidden = false;
  if (total) [bar.max, bar.value] = [total, Math.min(done ?? 0, total)];
  else bar.removeAttribute("value");
  const figures = [
    total ? t("page_loading_of", { done: size(done ?? 0), total: size(total) }) : done && size(done),
    rate && phase === "downloading" && t("page_loading_rate", { rate: size(rate) }),
    left >= 1 && duration(left),
  ];
  write("loading-figures", figures.filter(Boolean).join(" · "));
  write("loading-hint", t("page_loading_hint"));
}

function fail(sentence) {
  failure = sentence;
  $("loading").hidden = false;
  $("loading").classList.add("failed");
  $("loading-bar").hidden = true;
  write("loading-title", t("page_loading_failed"));
  write("loading-phase", sentence);
  write("loading-figures", "");
  write("loading-hint", t("page_loading_failed_hint"));
}

/** The phase is read aloud when it changes, so a text that stays is left alone. */
function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function size(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1000)) / 3), UNITS.length);
  return new Intl.NumberFormat(document.documentElement.lang, {
    style: "unit", unit: UNITS[power - 1], maximumSignificantDigits: 3,
  }).format(bytes / 1000 ** power);
}

function duration(seconds) {
  if (seconds < MINUTE_S) return t("page_loading_left_s", { seconds: Math.round(seconds) });
  return t("page_loading_left_min", { minutes: Math.round(seconds / MINUTE_S) });
}
