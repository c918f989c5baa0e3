// The answers to the last call: a table beside the JSON, and the call as a command.
import { call, curl, duration } from "./calls.js";
import { announce, button, element } from "./dom.js";
import { parse, pretty } from "./json.js";
import { linkTo } from "./links.js";
import { tableOf } from "./table.js";

const MAX_SHOWN = 20000; // characters of JSON

export class Answers {
  constructor() {
    this.root = element("section", { class: "answers", "aria-label": "Answer" });
    this.stop = () => {};
  }

  clear() {
    this.stop();
    this.root.replaceChildren();
  }

  // Makes the calls of a target at once; `finished` gets each reply.
  async run({ model, signature, target, body }, finished) {
    this.stop();
    const control = new AbortController();
    this.stop = () => control.abort();
    const shown = target.calls.map((to) => new Answer(to, model, signature, body, this.stop));
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
  constructor(to, model, signature, body, stop) {
    this.to = to;
    this.model = model;
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
    const shown = reply.isGood ? views(this.signature, this.body, reply.text) : [element("p", { class: "failure" }, reply.error)];
    this.content.replaceChildren(...shown);
    const [table] = shown; // above the JSON if it does not fit next to it
    if (table.scrollWidth > table.clientWidth) table.classList.add("wide");
  }

  command() {
    const text = curl(this.to.path, this.signature.action, this.body);
    const shown = region("pre", "The call as a curl command", text);
    const link = new URL(linkTo(this.model.name, { to: this.to.id, body: this.body }), document.baseURI);
    return element("div", { class: "command" }, shown,
      element("div", {}, copier("Copy as curl", text), copier("Copy link", String(link))));
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

function copier(title, text) {
  const made = button(title, { class: "plain" }, async () => {
    made.textContent = (await copied(text)) ? "Copied" : "Not allowed";
    announce(made.textContent);
    setTimeout(() => { made.textContent = title; }, 2000);
  });
  return made;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // browsers offer it over https and on this machine only
    const field = element("textarea", { class: "unseen" });
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
