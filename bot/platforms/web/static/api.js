// The HTTP interface: JSON requests, event streams, and whether the server is there.

// A stream that brings nothing for this long, not even a keep-alive, is taken
// for dead (a laptop that slept): re-attaching costs one request.
const SILENCE_MS = 60_000;
const POLL_MS = 1_500;
const HEALTH_MS = 15_000;

/** The server refused; `message` is its sentence, for the reader. */
export class HttpError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The server could not be reached, or went away in mid-stream. */
export class Unreachable extends Error {}

/** Fires "offline" once when the server is lost and "online" (detail: the new info) when it is back. */
export const server = new EventTarget();
let comingBack = null;
let away = false;

export const getInfo = () => getJson("/api/info");
/** `{threads, next}`: a page of the list; `before` is the `next` of the page before it. */
export const listThreads = ({ words = "", limit, before = "" }) =>
  getJson(`/api/threads?${new URLSearchParams({ q: words, limit, before })}`);
export const getThread = (id) => getJson(path(id));
export const createThread = async () => (await (await request("/api/threads", { method: "POST" })).json()).thread_id;
export const renameThread = async (id, title) => (await sendJson("PATCH", path(id), { title })).json();
export const deleteAllThreads = () => request("/api/threads", { method: "DELETE" });
export const rateAnswer = (id, message, good) => sendJson("POST", path(id, `/messages/${encodeURIComponent(message)}/feedback`), { good });
export const editQuestion = (id, message, text, signal) =>
  sendJson("PUT", path(id, `/messages/${encodeURIComponent(message)}`), { text }, signal);
export const deleteThread = (id) => request(path(id), { method: "DELETE" });
export const stopAnswer = (id) => request(path(id, "/stop"), { method: "POST" });
export const takeBack = (id, message) => request(path(id, `/messages/${encodeURIComponent(message)}`), { method: "DELETE" });
export const askAgain = (id, signal) => request(path(id, "/again"), { method: "POST", signal });
/** The stream of the question in flight; its status is 204 when none is. */
export const attach = (id, signal) => request(path(id, "/events"), { signal });

export function sendQuestion(id, text, files, signal) {
  const form = new FormData();
  form.append("text", text);
  for (const file of files) form.append("images", file, file.name);
  return request(path(id, "/messages"), { method: "POST", body: form, signal });
}

/** The stream of how far the model's loading is; it ends with "ready" or "failed". */
export const attachLoading = () => request("/api/loading");

/** Whether the server is known to be away. */
export const isAway = () => away;

/** Notice that the server is away before the reader sends anything. */
export function watchHealth() {
  const check = () => comingBack ?? request("/api/info", { method: "HEAD", cache: "no-store" }).catch(() => {});
  setInterval(() => document.visibilityState === "visible" && check(), HEALTH_MS);
  // A network that went or came says nothing of a server on this very machine: it has to be asked.
  for (const change of ["offline", "online"]) addEventListener(change, check);
}

/** Resolves when the server answers (again): at once, if it was never lost. */
export const reachable = () => comingBack ?? Promise.resolve();

export function path(id, rest = "") {
  return `/api/threads/${encodeURIComponent(id)}${rest}`;
}

function sendJson(method, url, body, signal) {
  return request(url, { method, signal, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

export async function getJson(url) {
  try {
    return await (await request(url)).json();
  } catch (error) {
    // Cut off in mid-body: fetch succeeded, reading it did not.
    if (error instanceof TypeError || error instanceof SyntaxError) throw lost(error);
    throw error;
  }
}

export async function request(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw lost(error);
  }
  if (response.ok) return response;
  const sentence = await response.json().then((body) => body.error, () => null);
  // A proxy in front of a server that restarts answers for it, without a sentence.
  if (!sentence && response.status >= 502) throw lost(new Error(response.statusText));
  throw new HttpError(response.status, sentence ?? `${response.status} ${response.statusText}`);
}

function lost(cause) {
  comingBack ??= pollUntilBack();
  return new Unreachable("the server cannot be reached", { cause });
}

async function pollUntilBack() {
  // Not at once: one request that failed (an unreadable file, say) is no outage
  // when the very next one succeeds.
  for (let announced = false; ; ) {
    try {
      const response = await fetch("/api/info", { cache: "no-store" });
      if (response.ok) {
        const info = await response.json();
        comingBack = null;
        away = false;
        if (announced) server.dispatchEvent(new CustomEvent("online", { detail: info }));
        return;
      }
    } catch {
      // Still away.
    }
    away = true;
    if (!announced) server.dispatchEvent(new Event("offline"));
    announced = true;
    await sleep(POLL_MS);
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Yields `{event, data}` of a server-sent event stream.
 *
 * Throws Unreachable when the connection breaks; an end without a last event is
 * for the caller to notice, since a server that shuts down ends its streams well.
 */
export async function* readEvents(response) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder(); // stateful: a character may lie across two chunks
  const parse = eventParser();
  try {
    for (;;) {
      const { done, value } = await readOrGiveUp(reader);
      if (done) return;
      yield* parse(decoder.decode(value, { stream: true }));
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable("the stream broke", { cause: error });
  } finally {
    reader.cancel().catch(() => {}); // already broken: nothing left to cancel
  }
}

async function readOrGiveUp(reader) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("silence")), SILENCE_MS);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** A function that takes text as it comes and yields the events completed by it. */
export function eventParser() {
  let rest = "";
  let name = "message";
  let data = [];
  return function* (text) {
    rest += text;
    // A line ends with \r\n, \n or \r; a \r at the very end may be half of a \r\n.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length) yield { event: name, data: JSON.parse(data.join("\n")) };
        name = "message";
        data = [];
        continue;
      }
      const [, field, value] = line.match(/^([^:]*):? ?(.*)$/s); // ": comment" has an empty field
      if (field === "event") name = value;
      else if (field === "data") data.push(value);
    }
  };
}
