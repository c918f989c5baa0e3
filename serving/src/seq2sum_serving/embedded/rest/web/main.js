// The page: one model at a time, chosen by the fragment of the address.
import { Answers } from "./answers.js";
import { announce, element } from "./dom.js";
import { Form } from "./form.js";
import { History } from "./history.js";
import { Latency } from "./latency.js";
import { linkTo, readLink } from "./links.js";
import { follow } from "./live.js";
import { Nav } from "./nav.js";
import { available } from "./targets.js";
import { Versions } from "./versions.js";

const STATUS = { live: "live", paused: "paused without focus", lost: "no reply, retrying" };

const byId = (id) => document.getElementById(id);
const views = new Map();
const calls = new History(repeat);
const nav = new Nav(byId("models"));
let data; // the last state
let models = [];

class View {
  constructor(name) {
    this.answers = new Answers();
    this.form = new Form((call) => this.send(call), () => this.answers.clear());
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
    return this.answers.run(call, (reply, to) => calls.add(call, reply, to));
  }
}

function chosen() {
  const { model } = readLink(location.hash);
  return models.find(({ name }) => name === model) ?? models[0];
}

function show(state) {
  data = state ?? data;
  models = data.models;
  const model = chosen();
  nav.show(models, model);
  byId("none").hidden = model !== undefined;
  if (!model) return byId("model").replaceChildren();
  if (!views.has(model.name)) views.set(model.name, new View(model.name));
  const view = views.get(model.name);
  if (byId("model").firstChild !== view.root) {
    byId("model").replaceChildren(view.root);
    view.left.append(calls.root);
  }
  document.title = `${model.name} · Model server`;
  return fillIn(view, model).then(() => view.show(model, data));
}

// Fills in the call of a link, once: from then on the form belongs to the user.
async function fillIn(view, model) {
  const { model: name, call } = readLink(location.hash);
  if (!call || (name && name !== model.name)) return;
  history.replaceState(null, "", linkTo(model.name));
  await view.show(model, data);
  await view.form.restore(call);
}

// Fills in a stored call and makes it again; returns the reason if that is not possible.
async function repeat(call) {
  const model = models.find(({ name }) => name === call.model);
  if (!model) return "This server no longer has the model.";
  location.replace(linkTo(model.name));
  await show();
  const { form } = views.get(model.name);
  if (!(await form.restore(call))) return "The model no longer takes this call: the version, label or signature is gone or has changed.";
  form.run();
  return "";
}

function report(status) {
  const live = byId("live");
  if (status === "lost" && live.className !== status) announce("The server does not reply.");
  live.className = status;
  live.textContent = STATUS[status];
}

byId("host").textContent = location.host;
window.addEventListener("hashchange", () => data && show());
follow(show, report);
