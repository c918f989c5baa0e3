// The page: one model at a time, chosen by the fragment of the address.
import { Answers } from "./answers.js";
import { element } from "./dom.js";
import { Form } from "./form.js";
import { History } from "./history.js";
import { Latency } from "./latency.js";
import { follow } from "./live.js";
import { available, unlabelled } from "./targets.js";
import { Versions } from "./versions.js";

const STATUS = { live: "live", paused: "paused without focus", lost: "no reply, retrying" };

const byId = (id) => document.getElementById(id);
const views = new Map();
const history = new History(repeat);
let models = [];

class View {
  constructor(name) {
    this.answers = new Answers();
    this.form = new Form((call) => this.send(call));
    this.versions = new Versions();
    this.latency = new Latency();
    this.none = element("p", { class: "note" }, "No version is AVAILABLE, so there is nothing to call.");
    this.left = element("div", { class: "left" },
      element("section", { class: "card part", "aria-label": "Call" }, element("h3", {}, "Call"), this.none, this.form.root, this.answers.root));
    this.root = element("div", { class: "model", "data-model": name },
      element("h2", {}, name), this.left, element("div", { class: "right" }, this.versions.root, this.latency.root));
  }

  show(model, data) {
    const text = JSON.stringify(model);
    if (text !== this.text) this.versions.show(model); // keeps a selection of text
    this.text = text;
    this.none.hidden = available(model).length > 0;
    this.latency.show(data.latency_bounds, data.latencies.filter((cell) => cell.model === model.name));
    return this.form.show(model);
  }

  send(call) {
    return this.answers.run(call, (reply, to) => history.add(call, reply, to));
  }
}

function chosen() {
  return models.find((model) => address(model) === location.hash) ?? models[0];
}

const address = (model) => `#/${encodeURIComponent(model.name)}`;

function link(model) {
  const isGood = unlabelled(model).version !== null;
  const attributes = { href: address(model), class: isGood ? "good" : "bad" };
  if (model === chosen()) attributes["aria-current"] = "page";
  return element("li", {}, element("a", attributes, model.name, element("span", { class: "unseen" }, isGood ? "" : " (not available)")));
}

let data;

function show(state) {
  data = state ?? data;
  models = data.models;
  const nav = byId("models"), shown = JSON.stringify([models, chosen()?.name]);
  if (nav.dataset.shown !== shown) {
    nav.dataset.shown = shown;
    nav.hidden = models.length < 2;
    nav.querySelector("ul").replaceChildren(...models.map(link));
  }
  const model = chosen();
  byId("none").hidden = model !== undefined;
  if (!model) return byId("model").replaceChildren();
  if (!views.has(model.name)) views.set(model.name, new View(model.name));
  const view = views.get(model.name);
  if (byId("model").firstChild !== view.root) {
    byId("model").replaceChildren(view.root);
    view.left.append(history.root);
  }
  return view.show(model, data);
}

// Fills in a stored call and makes it again; returns the reason if that is not possible.
async function repeat(call) {
  const model = models.find(({ name }) => name === call.model);
  if (!model) return "This server no longer has the model.";
  location.replace(address(model));
  await show();
  const { form } = views.get(model.name);
  if (!(await form.restore(call))) return "The model no longer takes this call: the version, label or signature is gone or has changed.";
  form.run();
  return "";
}

function report(status) {
  byId("live").className = status;
  byId("live").textContent = STATUS[status];
}

byId("host").textContent = location.host;
window.addEventListener("hashchange", () => data && show());
follow(show, report);
