// What the page asks its server for.

/** This tab: modals belong to it, and are gone with it. */
export const tab = crypto.randomUUID();

async function checked(response) {
  if (!response.ok) throw new Error(`${response.status}`);
  return response.json();
}

export const fetchState = async () => checked(await fetch(`/demo/state?tab=${tab}`));

/** Choose a name. Returns: why it cannot be had, or nothing. */
export async function join(name) {
  const body = JSON.stringify({ name, locale: navigator.language });
  return (await (await fetch("/demo/join", { method: "POST", body })).json()).error;
}

/** Press, edit, delete, choose. */
export async function act(what, more = {}) {
  return checked(await fetch("/demo/do", { method: "POST", body: JSON.stringify({ what, tab, ...more }) }));
}

/** Send what a composer holds: `files` are `{file, option}`. */
export async function say({ files, ...values }) {
  const body = new FormData();
  for (const [name, value] of Object.entries({ tab, ...values })) body.set(name, value);
  for (const { file, option } of files) body.append(`files:${option ?? ""}`, file, file.name || "picture.png");
  return checked(await fetch("/demo/say", { method: "POST", body }));
}
