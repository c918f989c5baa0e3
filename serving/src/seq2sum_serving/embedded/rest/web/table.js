// Answers as tables: column titles and rows of texts.
import { draftOf } from "./draft.js";
import { Numeral, parse, write } from "./json.js";

const MAX_ROWS = 100;
const MAX_INPUTS = 3; // repeated in the table

// Returns `{titles, rows, left}`, `left` counting the rows that are not shown.
export function tableOf(signature, body, text) {
  const reply = parse(text);
  const all = signature.action === "predict" ? outputsTable(signature, body, reply.outputs) : resultsTable(signature.action, reply.results);
  return { titles: all.titles, rows: all.rows.slice(0, MAX_ROWS), left: Math.max(0, all.rows.length - MAX_ROWS) };
}

function outputsTable(signature, body, outputs) {
  // The only output of a signature comes without its name.
  const [only] = signature.outputs.length === 1 ? signature.outputs : [];
  const columns = only ? [[only.name, outputs]] : Object.entries(outputs);
  const counts = new Set(columns.map(([, values]) => (Array.isArray(values) ? values.length : -1)));
  const [count] = counts;
  if (counts.size !== 1 || count < 0) {
    return { titles: ["output", "value"], rows: columns.map(([name, value]) => [{ text: name }, cell(value)]) };
  }
  const inputs = inputColumns(signature, body, count);
  const rows = Array.from({ length: count }, (_, row) =>
    [...inputs.map(({ texts }) => ({ text: texts[row], isInput: true })), ...columns.map(([, values]) => cell(values[row]))]);
  return { titles: [...inputs.map(({ title }) => title), ...columns.map(([name]) => name)], rows };
}

function inputColumns(signature, body, count) {
  const isShort = signature.isByRow && signature.inputs.length <= MAX_INPUTS;
  const draft = isShort ? draftOf(signature, body) : null;
  if (draft?.rows.length !== count) return [{ title: "row", texts: Array.from({ length: count }, (_, row) => String(row + 1)) }];
  return signature.inputs.map(({ name }, index) => ({ title: name, texts: draft.rows.map((row) => row[index]) }));
}

function resultsTable(action, results) {
  if (action === "regress") return { titles: ["row", "value"], rows: results.map((value, row) => [number(row), cell(value)]) };
  const rows = results.flatMap((classes, row) => classes.map(([label, score]) => [number(row), cell(label), cell(score)]));
  return { titles: ["row", "label", "score"], rows };
}

const number = (row) => ({ text: String(row + 1), isInput: true });

function cell(value) {
  if (typeof value === "string") return { text: value };
  if (value instanceof Numeral) return { text: value.text, isNumber: true };
  if (typeof value?.b64 === "string") return { text: value.b64, note: "base64" };
  return { text: write(value) };
}
