// The channel as a person sees it: asks for the state four times a second and draws what changed.
const channel = document.querySelector("#channel");
const userSelect = document.querySelector("#user");
const modal = document.querySelector("#modal");
let drawn = "";
let names = {};
let bot = "";

const user = () => userSelect.value || "U1ANN";
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
  for (const piece of text.split(/(<@[A-Z0-9]+>|\*\*[^*]+\*\*)/)) {
    const mention = piece.match(/^<@([A-Z0-9]+)>$/);
    if (mention) element.append(make("b", "", `@${mention[1] === bot ? "llava-bot" : names[mention[1]]}`));
    else if (piece.startsWith("**")) element.append(make("strong", "", piece.slice(2, -2)));
    else element.append(piece);
  }
  return element;
}

function blockElements(message) {
  const elements = [];
  const markdown = message.blocks?.filter((block) => block.type === "markdown") ?? [];
  if (markdown.length) for (const block of markdown) elements.push(textElement(block.text));
  else if (message.text) elements.push(textElement(message.text));
  for (const block of message.blocks ?? []) {
    if (block.type === "context") {
      elements.push(make("div", "context", ...block.elements.map((element) => element.text)));
    } else if (block.type === "actions" || block.type === "context_actions") {
      elements.push(make("div", "buttons", ...block.elements.flatMap((e) => buttonsOf(message, e))));
    }
  }
  return elements;
}

function buttonsOf(message, element) {
  const press = (side) => () =>
    act("press", { ts: message.ts, action: element.action_id, side });
  if (element.type === "feedback_buttons") {
    return ["positive_button", "negative_button"].map((side) =>
      button(element[side].text.text, press(side)),
    );
  }
  return [button(element.text.text, press(""))];
}

function messageElement(message) {
  const isBot = message.user === bot;
  const name = isBot ? "llava-bot" : names[message.user];
  const time = new Date(Number(message.ts) * 1000).toLocaleTimeString();
  const body = make("div", "", make("div", "name", name, make("small", "", isBot ? `APP ${time}` : time)));
  for (const file of message.files ?? []) {
    const image = make("img");
    image.src = `/demo/files/${file.id}`;
    image.alt = file.name ?? "picture";
    body.append(image);
  }
  body.append(...blockElements(message));
  const tools = make("div", "tools", button("Ask about this picture", () => act("shortcut", { ts: message.ts })));
  if (!isBot) {
    tools.append(
      button("Edit", () => {
        const text = prompt("Edit the message", message.text.replace(`<@${bot}>`, "@llava-bot"));
        if (text !== null) act("edit", { ts: message.ts, text: text.replace("@llava-bot", `<@${bot}>`) });
      }),
      button("Delete", () => act("delete", { ts: message.ts })),
    );
  }
  body.append(tools);
  const element = make("article", `message${isBot ? " bot" : ""}`, make("div", "avatar", name[0].toUpperCase()), body);
  element.dataset.ts = message.ts;
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
  for (const root of state.messages.filter((it) => !it.thread_ts || it.thread_ts === it.ts)) {
    channel.append(messageElement(root));
    const replies = state.messages.filter((it) => it.thread_ts === root.ts && it.ts !== root.ts);
    const working = state.working.find((it) => it.thread === root.ts);
    if (!replies.length && !working) continue;
    const thread = make("section", "thread", ...replies.map(messageElement));
    if (working) {
      thread.append(
        make("div", "status", `llava-bot: ${working.status} `, button("Stop", () => act("stop", { ts: root.ts }))),
      );
    }
    thread.append(composer(root.ts));
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
  const form = make("form", "", make("h2", "", view.title.text));
  for (const block of view.blocks) {
    if (block.type !== "input") {
      form.append(make("p", "", block.text.text));
      continue;
    }
    const isSelect = block.element.type === "static_select";
    const field = make(isSelect ? "select" : "textarea");
    for (const option of block.element.options ?? []) field.append(new Option(option.text.text, option.value));
    field.value = isSelect ? block.element.initial_option.value : (block.element.initial_value ?? "");
    field.placeholder = block.element.placeholder?.text ?? "";
    fields.set(block.block_id, field);
    form.append(make("label", "", block.label.text), field);
  }
  const buttons = make("div", "buttons", button(view.close.text, () => act("close", { view: view.id })));
  if (view.submit) {
    buttons.append(
      button(view.submit.text, () => {
        const values = Object.fromEntries([...fields].map(([id, field]) => [id, field.value || null]));
        act("submit", { view: view.id, values });
      }),
    );
  }
  form.append(buttons);
  modal.replaceChildren(form);
  if (!modal.open) modal.showModal();
}

async function refresh() {
  const state = await (await fetch(`/demo/state?user=${user()}`)).json();
  names = state.users;
  bot = state.bot;
  if (!userSelect.options.length) {
    for (const [id, name] of Object.entries(names)) userSelect.append(new Option(name, id));
  }
  document.querySelector("#state").textContent = state.connected ? "llava-bot is connected" : "llava-bot is away";
  draw(state);
  drawModal(state.views.at(-1));
}

document.querySelector("#composer").addEventListener("submit", send);
setInterval(() => refresh().catch(() => {}), 250);
