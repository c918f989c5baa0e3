// The last calls, kept for the session of the browser tab.
import { duration } from "./calls.js";
import { button, element } from "./dom.js";

const KEY = "model-server-calls";
const MAX_CALLS = 20;
const MAX_BODY = 50000; // characters: the browser keeps few megabytes
const MAX_SHOWN = 200;
const SIGNATURE = /^\{"signature_name": "(?:[^"\\]|\\.)*", /; // shown before

export class History {
  // `repeat` gets a stored call and returns the reason if it cannot be made again.
  constructor(repeat) {
    this.repeat = repeat;
    this.calls = load();
    this.list = element("ol", { class: "calls" });
    this.problem = element("p", { class: "problem", role: "alert" });
    this.root = element("section", { class: "card part history", "aria-labelledby": "history-title" },
      element("div", { class: "title" },
        element("h3", { id: "history-title" }, "Last calls"),
        button("Clear", { class: "plain" }, () => this.set([]))),
      this.problem, this.list);
    this.show();
  }

  add({ model, signature, body }, reply, to) {
    if (body.length > MAX_BODY) return;
    const { status, isGood, took } = reply;
    const call = { model: model.name, signature: signature.name, target: to.id, to: to.name, body, status, isGood, took, at: Date.now() };
    this.set([call, ...this.calls].slice(0, MAX_CALLS));
  }

  set(calls) {
    this.calls = calls;
    try {
      sessionStorage.setItem(KEY, JSON.stringify(calls));
    } catch { /* full or not allowed: the list lasts until the page is left */ }
    this.show();
  }

  show() {
    this.root.hidden = this.calls.length === 0;
    this.list.replaceChildren(...this.calls.map((call) => this.item(call)));
  }

  item(call) {
    const time = new Date(call.at).toLocaleTimeString("en-GB");
    return element("li", {},
      element("span", { class: `state ${call.isGood ? "available" : "failed"}` }, call.status),
      element("span", { class: "took" }, duration(call.took)),
      element("span", { class: "what" },
        element("b", {}, call.model), ` ${call.signature} · ${call.to} · ${time}`,
        element("code", {}, call.body.replace(SIGNATURE, "{").slice(0, MAX_SHOWN))),
      button("Repeat", { "aria-label": `Repeat the call of ${time} to ${call.model}` }, async () => {
        this.problem.textContent = await this.repeat(call);
      }));
  }
}

function load() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? [];
  } catch {
    return [];
  }
}
