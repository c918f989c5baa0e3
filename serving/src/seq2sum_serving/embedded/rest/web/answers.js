// The answers to the last call: a table beside the JSON, and the call as a command.
import { call, curl, duration } from "./calls.js";
import { announce, button, element } from "./dom.js";
import { parse, pretty } from "./json.js";
import { tableOf } from "./table.js";

const MAX_SHOWN = 20000; // characters of JSON

export class Answers {
  constructor() {
    this.root = element("section", { class: "answers", "aria-label": "Answer" });
    this.stop = () => {};
  }

  // Makes the calls of a target at once; `finished` gets each reply.
  async run({ signature, target, body }, finished) {
    this.stop();
    const control = new AbortController();
    this.stop = () => control.abort();
    const shown = target.calls.map((to) => new Answer(to, signature, body, this.stop));
    this.root.replaceChildren(...shown.map((answer) => answer.root));
    await Promise.all(shown.map(async (answer) => {
      const reply = await call(answer.to.path, signature.action, body, control.signal);
      answer.show(reply);
      finished(reply, answer.to);
      announce(`${answer.to.name}: ${reply.error || `answered in ${duration(reply.took)}`}`);
    }));
  }
}

class Answer {
  constructor(to, signature, body, stop) {
    this.to = to;
    this.signature = signature;
    this.body = body;
    this.state = element("span", { class: "state" }, "waiting");
    this.took = element("span", { class: "took" }, button("Stop", { class: "plain" }, stop));
    this.content = element("div", { class: "content" });
    this.root = element("article", { class: "answer", "aria-label": to.name, "aria-busy": "true" },
      element("div", { class: "from" }, element("h4", {}, to.name), this.state, this.took),
      this.content, this.command());
  }

  show(reply) {
    this.root.setAttribute("aria-busy", "false");
    this.state.textContent = `${reply.status} ${reply.phrase}`.trim();
    this.state.classList.add(reply.isGood ? "available" : "failed");
    this.took.textContent = duration(reply.took);
    if (!reply.isGood) this.content.replaceChildren(element("p", { class: "failure" }, reply.error));
    else this.content.replaceChildren(...views(this.signature, this.body, reply.text));
  }

  command() {
    const text = curl(this.to.path, this.signature.action, this.body);
    const shown = region("pre", "The call as a curl command", text);
    const copy = button("Copy as curl", { class: "plain copy" }, async () => {
      copy.textContent = (await copied(shown)) ? "Copied" : "Press Ctrl+C to copy";
      announce(copy.textContent);
      setTimeout(() => { copy.textContent = "Copy as curl"; }, 2000);
    });
    return element("div", { class: "command" }, shown, copy);
  }
}

function views(signature, body, text) {
  let table, json;
  try {
    table = tableElement(tableOf(signature, body, text));
    json = pretty(parse(text));
  } catch { // not as expected: shown as it came
    return [region("pre", "Reply", shortened(text))];
  }
  return [table, region("pre", "Reply as JSON", shortened(json))];
}

function tableElement({ titles, rows, left }) {
  const head = element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title)));
  const body = rows.map((cells) => element("tr", {}, ...cells.map(cellElement)));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  if (left) table.append(element("caption", {}, `${left.toLocaleString("en")} more rows are not shown`));
  return region("div", "Reply as a table", table);
}

function cellElement({ text, isInput, isNumber, note }) {
  const classes = [isInput && "input", isNumber && "number"].filter(Boolean).join(" ");
  const made = element("td", classes ? { class: classes } : {}, text === "" ? element("span", { class: "quiet" }, "empty") : text);
  if (note) made.append(element("span", { class: "type" }, note));
  return made;
}

// Scrollable, so the keyboard must reach it.
const region = (tag, label, content) => element(tag, { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, content);

const shortened = (text) =>
  text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…\n\n(${text.length.toLocaleString("en")} characters in all)`;

async function copied(shown) {
  try {
    await navigator.clipboard.writeText(shown.textContent);
    return true;
  } catch { // not allowed, or not over https
    getSelection().selectAllChildren(shown);
    return document.execCommand("copy");
  }
}
