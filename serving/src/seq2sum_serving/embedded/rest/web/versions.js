// The versions of a model: states, errors, labels, and which version answers unlabelled calls.
import { element } from "./dom.js";
import { brokenLabels, labelsOf, unlabelled } from "./targets.js";

export class Versions {
  constructor() {
    this.list = element("ul", { class: "versions" });
    this.route = element("p", { class: "route" });
    this.broken = element("p", { class: "broken" });
    this.path = element("code", { class: "path" });
    this.root = element("section", { class: "card part", "aria-label": "Versions" },
      element("h3", {}, "Versions"), this.list, this.route, this.broken, this.path);
  }

  show(model) {
    const { version, reason } = unlabelled(model);
    this.list.replaceChildren(...model.versions.map((entry) => item(model, entry, entry.version === version)));
    this.route.replaceChildren(element("b", {}, "Calls without a version or label: "),
      version === null ? "they fail. " : `version ${version}. `, reason);
    const broken = brokenLabels(model).map((label) => `${label} → version ${model.labels[label]}`);
    this.broken.textContent = `Calls with these labels fail, because the version is not AVAILABLE: ${broken.join(", ")}`;
    this.broken.hidden = broken.length === 0;
    this.path.textContent = model.base_path || "no longer configured";
  }
}

function item(model, { version, state, error }, isDefault) {
  const chips = labelsOf(model, version).map((label) => element("span", { class: "label" }, label));
  if (isDefault) chips.unshift(element("span", { class: "label default" }, "unlabelled calls"));
  const made = element("li", { "data-version": version },
    element("span", { class: "version" }, version),
    element("span", { class: `state ${error ? "failed" : state.toLowerCase()}` }, error ? "END, failed" : state),
    element("span", { class: "labels" }, ...chips));
  if (error) {
    made.append(element("pre", { class: "error", tabindex: "0", role: "region", "aria-label": `Error of version ${version}` }, error));
  }
  return made;
}
