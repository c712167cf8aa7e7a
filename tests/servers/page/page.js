// The channel as a person sees it: asks for the state four times a second and draws what changed.
const channel = document.querySelector("#channel");
const userSelect = document.querySelector("#user");
const modal = document.querySelector("#modal");
let drawn = "";

const user = () => userSelect.value;
const make = (tag, className, ...children) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
};
const act = (what, more) =>
  fetch("/demo/do", { method: "POST", body: JSON.stringify({ what, user: user(), ...more }) });

function button(label, onClick) {
  const element = make("button", "", label);
  element.type = "button";
  element.addEventListener("click", onClick);
  return element;
}

function textElement(text) {
  const element = make("div", "text");
  for (const piece of text.split(/(@[\w-]+|\*\*[^*]+\*\*)/)) {
    if (/^@./.test(piece)) element.append(make("b", "", piece));
    else if (piece.startsWith("**")) element.append(make("strong", "", piece.slice(2, -2)));
    else element.append(piece);
  }
  return element;
}

function messageElement(message) {
  const { id, thread } = message;
  const time = new Date(message.time * 1000).toLocaleTimeString();
  const label = message.is_bot ? `APP ${time}` : time;
  const body = make("div", "", make("div", "name", message.author, make("small", "", label)));
  for (const file of message.pictures) {
    const image = make("img");
    image.src = `/demo/files/${file}`;
    image.alt = "picture";
    body.append(image);
  }
  if (message.text) body.append(textElement(message.text));
  if (message.small) body.append(make("div", "context", message.small));
  const buttons = message.buttons.map(([text, value]) =>
    button(text, () => act("press", { id, thread, button: value })),
  );
  if (buttons.length) body.append(make("div", "buttons", ...buttons));
  const tools = make("div", "tools");
  tools.append(button("Ask about this picture", () => act("menu", { id, thread })));
  if (!message.is_bot) {
    tools.append(
      button("Edit", () => {
        const text = prompt("Edit the message", message.raw);
        if (text !== null) act("edit", { id, thread, text });
      }),
      button("Delete", () => act("delete", { id, thread })),
    );
  }
  body.append(tools);
  const avatar = make("div", "avatar", message.author[0].toUpperCase());
  const element = make("article", `message${message.is_bot ? " bot" : ""}`, avatar, body);
  element.dataset.id = id;
  return element;
}

function composer(thread) {
  const form = document.querySelector("#composer").cloneNode(true);
  form.removeAttribute("id");
  form.elements.text.value = "";
  form.elements.text.placeholder = "Reply…";
  form.dataset.thread = thread;
  form.addEventListener("submit", send);
  return form;
}

async function send(event) {
  event.preventDefault();
  const form = event.target;
  const body = new FormData(form);
  body.set("user", user());
  body.set("thread", form.dataset.thread ?? "");
  form.reset();
  if (form.dataset.thread) form.elements.text.value = "";
  await fetch("/demo/say", { method: "POST", body });
}

function draw(state) {
  const key = JSON.stringify([state.messages, state.working, state.private]);
  if (key === drawn) return;
  drawn = key;
  const writing = document.activeElement?.closest(".thread form");
  const kept = writing && { thread: writing.dataset.thread, text: writing.elements.text.value };
  const atEnd = channel.scrollTop + channel.clientHeight > channel.scrollHeight - 80;
  channel.replaceChildren();
  for (const root of state.messages.filter((it) => !it.thread)) {
    channel.append(messageElement(root));
    const replies = state.messages.filter((it) => it.thread === root.id);
    const working = state.working.find(([thread]) => thread === root.id);
    if (!replies.length && !working) continue;
    const thread = make("section", "thread", ...replies.map(messageElement));
    if (working) {
      const [, status, stops] = working;
      const line = make("div", "status", `llava-bot: ${status} `);
      if (stops) line.append(button("Stop", () => act("stop", { id: root.id })));
      thread.append(line);
    }
    thread.append(composer(root.id));
    channel.append(thread);
  }
  for (const text of state.private) channel.append(make("div", "private", text));
  if (kept) {
    const form = channel.querySelector(`form[data-thread="${kept.thread}"]`);
    form.elements.text.value = kept.text;
    form.elements.text.focus();
  }
  if (atEnd) channel.scrollTop = channel.scrollHeight;
}

function drawModal(view) {
  if (!view) {
    modal.close();
    return;
  }
  if (modal.open && modal.dataset.id === view.id) return;
  modal.dataset.id = view.id;
  const fields = new Map();
  const form = make("form", "", make("h2", "", view.title));
  if (view.text) form.append(make("p", "", view.text));
  for (const { id, label, value, placeholder, options } of view.fields) {
    const field = make(options.length ? "select" : "textarea");
    for (const [text, option] of options) field.append(new Option(text, option));
    field.value = value;
    field.placeholder = placeholder;
    fields.set(id, field);
    form.append(make("label", "", label), field);
  }
  const buttons = make("div", "buttons", button(view.close, () => act("close", { modal: view.id })));
  if (view.submit) {
    buttons.append(
      button(view.submit, () => {
        const values = Object.fromEntries([...fields].map(([id, field]) => [id, field.value || null]));
        act("submit", { modal: view.id, values });
      }),
    );
  }
  form.append(buttons);
  modal.replaceChildren(form);
  if (!modal.open) modal.showModal();
}

async function refresh() {
  const state = await (await fetch(`/demo/state?user=${user()}`)).json();
  if (!userSelect.options.length) {
    for (const [id, name] of Object.entries(state.people)) userSelect.append(new Option(name, id));
    document.title = document.querySelector("h1").textContent = state.title;
  }
  document.querySelector("#state").textContent = state.connected ? "llava-bot is connected" : "llava-bot is away";
  draw(state);
  drawModal(state.modals.at(-1));
}

document.querySelector("#composer").addEventListener("submit", send);
setInterval(() => refresh().catch(() => {}), 250);
