// What a newcomer reads first, in the browser's language; the rest speaks English, as the apps' names do.

const APPS = { slack: "Slack", discord: "Discord" };

const EN = {
  join: (workspace) => `Join ${workspace}`,
  about: (app) => `A local ${APPS[app]} with the real llava-bot in it. It runs on this machine, without an account.`,
  name: "Your name",
  enter: "Join",
  starting: "llava-bot is starting… You can write already: it answers as soon as it is here.",
  away: "llava-bot is away. It answers when it is back.",
  ended: (app) => `This demo has ended. Start it again: make demo-${app}`,
  unsent: "This could not be sent. Try again.",
  welcome: (place) => `Welcome to #${place}`,
  ask: (mention) => ["Drop or paste a picture, or click one of these. Mention ", mention, " with your question and press Enter."],
  thread: "The answer comes in a thread. Ask on there: no mention, no second upload.",
  commands: (app) => `Type / for the commands${app === "discord" ? ", /ask for one with a picture" : ""}. The menu ⋯ of a message asks about its picture.`,
  direct: "Drop or paste a picture here, ask about it, and press Enter. No mention is needed.",
};

const JA = {
  join: (workspace) => `${workspace} に参加`,
  about: (app) => `このマシンだけで動く ${APPS[app]} です。中にいる llava-bot は本物です。アカウントは要りません。`,
  name: "お名前",
  enter: "参加する",
  starting: "llava-bot を起動しています。もう書き込めます。準備ができしだい回答します。",
  away: "llava-bot は離席中です。戻ると回答します。",
  ended: (app) => `デモは終了しました。もう一度始めるには: make demo-${app}`,
  unsent: "送信できませんでした。もう一度お試しください。",
  welcome: (place) => `#${place} へようこそ`,
  ask: (mention) => ["画像をドロップするか貼り付けるか、下の画像をクリックします。", mention, " にメンションして質問を書き、Enter で送信します。"],
  thread: "回答はスレッドに届きます。続きの質問に、メンションや画像の再送信は要りません。",
  commands: (app) => `/ を入力するとコマンドが並びます${app === "discord" ? "（/ask は画像付きの質問）" : ""}。メッセージの ⋯ メニューから、その画像について質問できます。`,
  direct: "ここに画像をドロップするか貼り付けて、質問を書き、Enter で送信します。メンションは要りません。",
};

export const words = navigator.language.startsWith("ja") ? JA : EN;
