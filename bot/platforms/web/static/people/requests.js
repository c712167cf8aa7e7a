// The requests about people and about links to threads.

import { getJson, path, request } from "../api.js";

const JSON_HEADERS = { "Content-Type": "application/json" };

export const getMe = () => getJson("/api/me");
export const forgetMe = () => request("/api/me", { method: "DELETE" });
export const shareThread = (id, can_ask) => send("POST", path(id, "/share"), { can_ask });
export const unshareThread = (id) => request(path(id, "/share"), { method: "DELETE" });
export const leaveThread = (id) => request(path(id, "/leave"), { method: "POST" });
export const rename = (name) => send("PUT", "/api/me", { name });

/** The id of the thread that a link's token leads to; from now on it is in the reader's list. */
export async function openLink(token) {
  const response = await request(`/api/shared/${encodeURIComponent(token)}`, { method: "POST" });
  return (await response.json()).thread_id;
}

async function send(method, url, body) {
  const response = await request(url, { method, headers: JSON_HEADERS, body: JSON.stringify(body) });
  return response.json();
}
