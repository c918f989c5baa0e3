// JSON with NaN and Infinity, in which numbers keep their text: JavaScript would round 64-bit ones.

const TOKEN = /"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)|-?\d[\d.eE+-]*/g;
const MAX_LINE = 72;

export class Numeral {
  constructor(text) {
    this.text = text;
  }
}

// Throws a SyntaxError with the position in the text.
export function parse(text) {
  // Texts of equal length keep the positions right.
  JSON.parse(text.replace(TOKEN, (token) => (/^-?[NI]/.test(token) ? token.replace(/[A-Za-z]/g, "1") : token)));
  // Within strings, a first character tells numbers from texts.
  const marked = text.replace(TOKEN, (token) => (token[0] === '"' ? '"s' + token.slice(1) : `"n${token}"`));
  return unmark(JSON.parse(marked));
}

function unmark(value) {
  if (typeof value === "string") return value[0] === "n" ? new Numeral(value.slice(1)) : value.slice(1);
  if (Array.isArray(value)) return value.map(unmark);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name.slice(1), unmark(member)]));
}

export function write(value) {
  if (value instanceof Numeral) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join(", ")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${write(member)}`).join(", ")}}`;
}

// Short values and lists of plain values take one line.
export function pretty(value, newline = "\n") {
  const line = write(value);
  const isPlain = value === null || typeof value !== "object" || value instanceof Numeral;
  if (isPlain || line.length <= MAX_LINE) return line;
  const inner = newline + "  ";
  if (Array.isArray(value)) {
    if (!value.some((each) => each !== null && typeof each === "object" && !(each instanceof Numeral))) return line;
    return `[${value.map((each) => inner + pretty(each, inner)).join(",")}${newline}]`;
  }
  const members = Object.entries(value).map(([name, member]) => `${inner}${JSON.stringify(name)}: ${pretty(member, inner)}`);
  return `{${members.join(",")}${newline}}`;
}
