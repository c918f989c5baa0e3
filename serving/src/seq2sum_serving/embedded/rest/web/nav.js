// Links to the models of a server that has several.
import { element } from "./dom.js";
import { linkTo } from "./links.js";
import { unlabelled } from "./targets.js";

export class Nav {
  constructor(root) {
    this.root = root;
    this.links = new Map();
  }

  show(models, current) {
    this.root.hidden = models.length < 2;
    const names = models.map(({ name }) => name);
    if (names.join("\n") !== [...this.links.keys()].join("\n")) this.make(names);
    for (const model of models) {
      const { link, state } = this.links.get(model.name);
      const isGood = unlabelled(model).version !== null;
      link.className = isGood ? "good" : "bad";
      state.textContent = isGood ? "" : " (no version is available)";
      if (model === current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  make(names) {
    this.links = new Map(names.map((name) => {
      const state = element("span", { class: "unseen" });
      return [name, { link: element("a", { href: linkTo(name) }, name, state), state }];
    }));
    const items = [...this.links.values()].map(({ link }) => element("li", {}, link));
    this.root.replaceChildren(element("ul", {}, ...items));
  }
}
