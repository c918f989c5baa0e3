// The form of a model: signature, target and rows. Sends nothing itself.
import { button, element } from "./dom.js";
import { bodyOf, draftOf, example, RowError } from "./draft.js";
import { Rows } from "./rows.js";
import { signatureOf, signaturesOf } from "./signatures.js";
import { metadataPath, targetsOf } from "./targets.js";

let made = 0;

export class Form {
  // `send` gets the model, the signature, the target and the body. `changed` is called when the
  // fields of another signature are shown.
  constructor(send, changed) {
    const id = `form-${++made}`;
    this.send = send;
    this.changed = changed;
    this.drafts = new Map(); // by signature name
    this.known = new Map(); // promises of signatures by version
    this.signatures = [];
    this.signatureSelect = element("select", { id: id + "-signature" });
    this.targetSelect = element("select", { id: id + "-target" });
    this.rows = new Rows();
    this.note = element("p", { class: "note" });
    const submit = element("button", { type: "submit", class: "main" }, "Send");
    this.addButton = button("Add a row", {}, () => this.rows.add());
    const reset = button("Reset to example", { class: "plain" }, () => this.reset());
    this.actions = element("div", { class: "actions" }, submit, this.addButton, reset,
      element("span", { class: "keys" }, element("kbd", {}, "Ctrl"), " + ", element("kbd", {}, "Enter"), " sends"));
    this.root = element("form", { novalidate: "" },
      element("div", { class: "fields" },
        labelled("signature", this.signatureSelect), labelled("send to", this.targetSelect)),
      this.note, this.rows.root, this.actions);
    this.root.addEventListener("submit", (event) => { event.preventDefault(); this.run(); });
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
      event.preventDefault(); // a button with the focus would send once more
      this.root.requestSubmit();
    });
    this.signatureSelect.addEventListener("change", () => this.showSignature());
    this.targetSelect.addEventListener("change", () => this.load());
  }

  get target() {
    return this.targets.find(({ id }) => id === this.targetSelect.value) ?? this.targets[0];
  }

  get signature() {
    return this.signatures.find(({ name }) => name === this.signatureSelect.value);
  }

  async show(model) {
    this.model = model;
    this.targets = targetsOf(model);
    choose(this.targetSelect, this.targets.map(({ id, text }) => [id, text]));
    this.root.hidden = this.targets.length === 0;
    // A version may be replaced by another one of the same number.
    const versions = new Set(this.targets.map(({ version }) => version));
    for (const version of this.known.keys()) if (!versions.has(version)) this.known.delete(version);
    await this.load();
  }

  // Fills in a call made earlier; returns whether this model still takes it.
  async restore({ target, body }) {
    if (!this.targets.some(({ id }) => id === target)) return false;
    this.targetSelect.value = target;
    await this.load();
    const signature = signatureOf(body);
    const known = this.signatures.find(({ name }) => name === signature);
    const draft = known && !known.refusal && draftOf(known, body);
    if (!draft) return false;
    this.drafts.set(signature, draft);
    this.signatureSelect.value = signature;
    this.shown = "";
    this.showSignature();
    return true;
  }

  run() {
    const { signature, target } = this;
    if (!signature || signature.refusal) return;
    this.rows.mark(null);
    try {
      const body = bodyOf(signature, this.rows.draft);
      this.send({ model: this.model, signature, target, body });
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      this.rows.mark(error);
    }
  }

  async load() {
    const version = this.target?.version;
    if (version === undefined) return;
    try {
      if (!this.known.has(version)) this.known.set(version, fetchSignatures(this.model, version));
      const signatures = await this.known.get(version);
      if (this.target?.version !== version) return; // changed meanwhile
      this.signatures = signatures;
    } catch {
      this.known.delete(version); // tried again with the next state
      return;
    }
    choose(this.signatureSelect, this.signatures.map(({ name, refusal }) => [name, refusal ? `${name} (not by REST)` : name]));
    this.showSignature();
    this.root.dataset.ready = "yes";
  }

  showSignature() {
    const { signature } = this;
    const text = JSON.stringify(signature);
    if (text === this.shown) return; // keeps what the user types, and the focus
    this.shown = text;
    this.changed();
    const isUsable = signature !== undefined && !signature.refusal;
    this.rows.root.hidden = this.actions.hidden = !isUsable;
    this.addButton.hidden = !signature?.isByRow;
    this.note.textContent = noteOf(signature);
    this.note.hidden = this.note.textContent === "";
    if (!isUsable) return;
    const draft = this.drafts.get(signature.name);
    const fits = draft?.rows[0].length === signature.inputs.length && (signature.isByRow || draft.rows.length === 1);
    if (!fits) this.drafts.set(signature.name, example(signature));
    this.rows.show(signature, this.drafts.get(signature.name));
  }

  reset() {
    this.drafts.delete(this.signature.name);
    this.shown = "";
    this.showSignature();
    this.rows.focus(0, 0);
  }
}

function noteOf(signature) {
  if (!signature) return "This version has no signatures.";
  if (signature.refusal) return signature.refusal;
  if (signature.action === "predict") return "";
  return `For ${signature.action}, a row is a tf.Example. The metadata does not name its features: enter those that the model parses. Whole numbers become int64, decimals float.`;
}

async function fetchSignatures(model, version) {
  const reply = await fetch(metadataPath(model, version));
  if (!reply.ok) throw new Error(`status ${reply.status}`);
  return signaturesOf(await reply.json());
}

function labelled(text, control) {
  return element("div", { class: "field" }, element("label", { for: control.id }, text), control);
}

// Replaces options, and keeps the chosen one if it still exists.
function choose(select, options) {
  const before = select.value;
  const text = JSON.stringify(options);
  if (select.dataset.options === text) return;
  select.dataset.options = text;
  select.replaceChildren(...options.map(([value, shown]) => element("option", { value }, shown)));
  if (options.some(([value]) => value === before)) select.value = before;
}
