// Latency of a model's calls, estimated from the counters of the server's histogram.
import { duration } from "./calls.js";
import { element, svgElement } from "./dom.js";

const WINDOW_MS = 62000; // one minute, and a poll
const MAX_SAMPLES = 31;

export class Latency {
  constructor() {
    this.charts = new Map();
    this.rows = element("tbody");
    this.root = element("section", { class: "card part latency", "aria-label": "Latency" },
      element("h3", {}, "Latency, last minute"),
      element("table", {},
        element("thead", {}, element("tr", {},
          element("th", { scope: "col" }, "call"),
          element("th", { scope: "col" }, "calls"),
          element("th", { scope: "col" }, element("span", { class: "key half" }, "p50")),
          element("th", { scope: "col" }, element("span", { class: "key tail" }, "p99")),
          element("th", { scope: "col", class: "chart" }, element("span", { class: "unseen" }, "chart")))),
        this.rows));
    this.root.hidden = true;
  }

  show(bounds, cells) {
    for (const cell of cells) {
      const key = `${cell.entrypoint} ${cell.api}`;
      if (!this.charts.has(key)) {
        this.charts.set(key, new Chart(cell));
        const ranked = [...this.charts.values()].sort((one, other) => (one.rank < other.rank ? -1 : 1));
        this.rows.replaceChildren(...ranked.map((chart) => chart.root));
      }
      this.charts.get(key).add(bounds, cell);
    }
    this.root.hidden = this.charts.size === 0;
  }
}

class Chart {
  constructor(cell) {
    this.samples = [];
    this.rank = (cell.api ? "0" : "1") + cell.api.toLowerCase() + cell.entrypoint;
    this.calls = element("td");
    this.half = element("td");
    this.tail = element("td");
    this.lines = svgElement("svg", { viewBox: "0 0 100 24", preserveAspectRatio: "none", role: "img", "aria-label": "p50 and p99 over the last minute" });
    this.root = element("tr", { "data-api": cell.api || "status" },
      element("td", {}, (cell.api.toLowerCase() || "status") + " ",
        element("span", { class: "quiet" }, cell.entrypoint === "GRPC" ? "gRPC" : cell.entrypoint)),
      this.calls, this.half, this.tail, element("td", { class: "chart" }, this.lines));
  }

  add(bounds, cell) {
    const now = performance.now();
    this.samples.push({ at: now, counts: cell.counts });
    this.samples = this.samples.filter(({ at }) => now - at < WINDOW_MS).slice(-MAX_SAMPLES);
    const recent = since(cell.counts, this.samples[0].counts);
    const hasCalls = total(recent) > 0;
    const counts = hasCalls ? recent : cell.counts; // without recent calls: since the start
    this.calls.textContent = total(cell.counts).toLocaleString("en");
    for (const [field, share] of [[this.half, 0.5], [this.tail, 0.99]]) {
      field.textContent = duration((quantile(bounds, counts, share) ?? 0) / 1000);
      field.className = hasCalls ? "" : "quiet";
    }
    this.draw(bounds);
  }

  draw(bounds) {
    const steps = this.samples.slice(1).map(({ counts }, index) => since(counts, this.samples[index].counts));
    const points = { tail: steps.map((counts) => quantile(bounds, counts, 0.99)), half: steps.map((counts) => quantile(bounds, counts, 0.5)) };
    // A logarithmic scale, because slow calls may take many times as long as fast ones.
    const known = [...points.half, ...points.tail].filter((value) => value !== undefined);
    const low = Math.log(Math.min(...known) / 1.5), high = Math.log(Math.max(...known));
    const height = (value) => (Math.log(value) - low) / (high - low);
    this.lines.replaceChildren(svgElement("line", { class: "floor", x1: 0, x2: 100, y1: 23, y2: 23 }),
      ...Object.entries(points).map(([name, values]) => svgElement("path", { class: "line " + name, d: outline(values, height) })));
  }
}

const total = (counts) => counts.reduce((all, count) => all + count, 0);
const since = (counts, before) => counts.map((count, index) => count - (before[index] ?? 0));

// Estimates a quantile from buckets, by geometric interpolation within a bucket.
function quantile(bounds, counts, share) {
  let rank = total(counts) * share;
  for (let index = 0; index < counts.length; index++) {
    if (counts[index] && rank <= counts[index]) {
      const low = index ? bounds[index - 1] : bounds[0] / 2;
      const high = bounds[index] ?? low * 2;
      return low * (high / low) ** (rank / counts[index]);
    }
    rank -= counts[index];
  }
  return undefined;
}

// Draws from left to right, the newest value at the right edge, with gaps where there were no calls.
function outline(values, height) {
  let drawing = "", open = false;
  values.forEach((value, index) => {
    const x = 99 - (values.length - 1 - index) * (98 / (MAX_SAMPLES - 2));
    if (value === undefined) { open = false; return; }
    const y = 22 - height(value) * 19;
    drawing += (open ? "L" : "M") + x.toFixed(2) + " " + y.toFixed(2);
    if (!open) drawing += "h0.01"; // a single value is a dot
    open = true;
  });
  return drawing;
}
