// What the same reader does in other tabs and browsers appears in this one.

const TOGETHER_MS = 100; // an answer changes its thread several times in a moment

/** Follow the server's changes while the page is seen.
 *
 * `onThreads` is told the ids of threads that changed, `onBack` that some may have
 * been missed. A hidden page holds no connection: browsers have six for a server.
 */
export function followChanges({ onThreads, onBack }) {
  let source = null;
  let wasReady = false;
  const changed = new Set();

  function tell() {
    const ids = [...changed];
    changed.clear();
    onThreads(ids);
  }

  function connect() {
    source?.close();
    source = null;
    if (document.visibilityState === "hidden") return;
    source = new EventSource("/api/events");
    source.addEventListener("ready", () => {
      if (wasReady) onBack();
      wasReady = true;
    });
    source.addEventListener("thread", ({ data }) => {
      if (!changed.size) setTimeout(tell, TOGETHER_MS);
      changed.add(JSON.parse(data).thread_id);
    });
  }

  document.addEventListener("visibilitychange", connect);
  connect();
}
