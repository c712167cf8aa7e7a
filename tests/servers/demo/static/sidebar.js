// The rail and the sidebar: workspace, channels, threads, direct messages, who one is.

import { el, icon, keyed } from "./dom.js";
import { avatar } from "./message.js";
import { go, here, isUnread, personOf, placeOf, view } from "./state.js";

const rail = document.querySelector("#rail");
const sidebar = document.querySelector("#sidebar");
const ICONS = { channel: "hash", voice: "voice", forum: "forum" };
const PRESENCE = { starting: "starting…", active: "online", away: "away" };
const MAX_THREADS = 8;

export function drawSidebar() {
  const isDiscord = view.app === "discord";
  const parts = isDiscord && placeOf(here.place).kind === "direct" ? directParts() : isDiscord ? serverParts() : slackParts();
  const key = JSON.stringify([parts.map(({ key }) => key), here, view.presence, view.people.length, view.threads, view.places.map((it) => isUnread(it.id))]);
  keyed(sidebar, parts.map((it) => ({ ...it, signature: key })), (it) => it.build());
  keyed(rail, [{ key: "rail", signature: key, build: isDiscord ? discordRail : slackRail }], (it) => it.build());
}

const initials = () => view.workspace.split(" ").map((it) => it[0]).join("");
const current = (is) => (is ? "page" : null);
const direct = () => view.places.find((it) => it.kind === "direct");

function slackRail() {
  const isDirect = placeOf(here.place).kind === "direct";
  return el(
    "div",
    {},
    el("span", { class: "workspace", "aria-hidden": "true" }, initials()),
    railButton("home", "Home", !isDirect, () => go(view.places[0].id)),
    railButton("chat", "DMs", isDirect, () => go(direct().id)),
  );
}

function discordRail() {
  const isDirect = placeOf(here.place).kind === "direct";
  return el(
    "div",
    {},
    railButton("chat", "Direct Messages", isDirect, () => open(direct().id)),
    el("hr"),
    el("button", { type: "button", class: "server", "aria-label": view.workspace, title: view.workspace, "aria-current": current(!isDirect), "data-initials": initials(), onclick: () => open(view.places[0].id) }),
  );
}

/** On a phone the list stays while one changes the server. */
function open(place) {
  const { screen } = document.body.dataset;
  go(place);
  document.body.dataset.screen = screen;
}

const railButton = (name, label, isHere, onClick) =>
  el("button", { type: "button", "aria-current": current(isHere), onclick: onClick }, icon(name), el("span", {}, label));

const head = (title) => ({ key: "head", build: () => el("div", { class: "title" }, title) });
const section = (title, places) => ({
  key: title,
  build: () => el("section", {}, el("h2", {}, title), el("ul", {}, places.flatMap((it) => [placeItem(it), ...threadItems(it)]))),
});

function slackParts() {
  const channels = view.places.filter((it) => it.kind !== "direct");
  return [head(view.workspace), section("Channels", channels), section("Direct messages", [direct()].filter(Boolean))];
}

function serverParts() {
  const of = (...kinds) => view.places.filter((it) => kinds.includes(it.kind));
  return [head(view.workspace), section("Text channels", of("channel", "forum")), section("Voice channels", of("voice")), ownPanel()];
}

const directParts = () => [head("Direct Messages"), section("", [direct()]), ownPanel()];

const ownPanel = () => ({
  key: "me",
  build: () => el("div", { class: "me-panel" }, avatar(view.me, "avatar tiny"), el("span", {}, el("b", {}, personOf(view.me).name), el("small", {}, "Online"))),
});

function placeItem({ id, kind, name }) {
  const face = kind === "direct" ? el("span", { class: `face ${view.presence}` }, avatar(view.bot, "avatar tiny")) : icon(ICONS[kind]);
  const isHere = here.place === id && !(view.app === "discord" && here.thread);
  const unread = isUnread(id);
  return el(
    "li",
    {},
    el(
      "button",
      { type: "button", class: unread ? "unread" : null, "aria-current": current(isHere), onclick: () => go(id) },
      face,
      el("span", { class: "name" }, name),
      kind === "direct" && el("span", { class: "presence" }, PRESENCE[view.presence]),
      unread && el("span", { class: "sr-only" }, "unread"),
    ),
  );
}

function threadItems({ id, kind }) {
  if (view.app !== "discord" || kind === "direct") return [];
  return view.threads
    .filter((it) => it.place === id)
    .slice(-MAX_THREADS)
    .map((it) =>
      el("li", { class: "in-thread" }, el("button", { type: "button", "aria-current": current(here.thread === it.id), onclick: () => go(id, it.id) }, el("span", { class: "name" }, it.name))),
    );
}
