// The fields of a draft: a group of typed fields for each row.
import { button, element } from "./dom.js";
import { exampleRow } from "./draft.js";

let made = 0; // for ids, which labels refer to

export class Rows {
  constructor() {
    this.root = element("div", { class: "rows" });
  }

  show(signature, draft) {
    this.signature = signature;
    this.draft = draft;
    this.controls = [];
    this.root.replaceChildren(...draft.rows.map((_, row) => this.group(row)));
  }

  add() {
    // A copy of the last row: people mostly change one value.
    this.draft.rows.push([...(this.draft.rows.at(-1) ?? exampleRow(this.signature))]);
    this.show(this.signature, this.draft);
    this.focus(this.draft.rows.length - 1, 0);
  }

  remove(row) {
    this.draft.rows.splice(row, 1);
    this.show(this.signature, this.draft);
    this.focus(Math.min(row, this.draft.rows.length - 1), 0);
  }

  focus(row, input) {
    this.controls[row]?.[input]?.control.focus();
  }

  // Marks the invalid field and moves the focus to it; null marks none.
  mark(error) {
    for (const { control, problem } of this.controls.flat()) {
      control.removeAttribute("aria-invalid");
      problem.textContent = "";
    }
    if (!error) return;
    const { control, problem } = this.controls[error.row][error.input];
    control.setAttribute("aria-invalid", "true");
    problem.textContent = error.message;
    control.focus();
  }

  group(row) {
    this.controls[row] = [];
    const fields = this.signature.inputs.map((input, index) => this.field(row, input, index));
    const count = this.draft.rows.length;
    const group = element("fieldset", { class: row ? "row" : "row first" },
      element("legend", count > 1 ? {} : { class: "unseen" }, `row ${row + 1}`),
      element("div", { class: "fields" }, ...fields));
    if (count > 1) {
      group.append(button("×", { class: "remove", "aria-label": `remove row ${row + 1}`, title: "remove this row" }, () => this.remove(row)));
    }
    return group;
  }

  field(row, input, index) {
    const id = `field-${++made}`;
    // No attribute `name`: it would hide the form's property of that name.
    const control = makeControl(input, { id, "aria-describedby": id + "-problem", "data-input": input.name });
    control.value = this.draft.rows[row][index];
    control.addEventListener("input", () => { this.draft.rows[row][index] = control.value; });
    const problem = element("p", { class: "problem", id: id + "-problem", role: "alert" });
    const label = element("label", { for: id }, element("b", {}, input.name), element("span", { class: "type" }, input.type));
    const title = element("div", { class: "title" }, label);
    if (input.kind === "text" && row === 0) title.append(this.base64Switch(input, index));
    this.controls[row][index] = { control, problem };
    return element("div", { class: `field ${input.kind}` }, title, control, problem);
  }

  base64Switch(input, index) {
    const box = element("input", { type: "checkbox", "aria-label": `${input.name} is base64` });
    box.checked = this.draft.isBase64[index];
    box.addEventListener("change", () => { this.draft.isBase64[index] = box.checked; });
    return element("label", { class: "switch", title: "the text is bytes in base64" }, box, "base64");
  }
}

function makeControl({ kind }, attributes) {
  if (kind === "bool") {
    return element("select", attributes, element("option", {}, "false"), element("option", {}, "true"));
  }
  if (kind === "number") {
    return element("input", { ...attributes, autocomplete: "off", inputmode: "decimal", spellcheck: "false" });
  }
  const control = element("textarea", { ...attributes, autocomplete: "off", spellcheck: "false", rows: kind === "text" ? "1" : "3" });
  // Texts mostly have one line: Enter sends, as in a chat, and Shift+Enter starts a line.
  control.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || kind !== "text") return;
    event.preventDefault();
    control.form.requestSubmit();
  });
  return control;
}
