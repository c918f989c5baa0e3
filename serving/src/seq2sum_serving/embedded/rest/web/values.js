// Values of tensors as JSON text, checked before they are sent. Problems are thrown as `Invalid`.
import { Numeral, parse, write } from "./json.js";

export class Invalid extends Error {}

const integers = (bits, signed) =>
  signed ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n] : [0n, 2n ** BigInt(bits) - 1n];

const RANGES = {
  DT_INT8: integers(8, true), DT_INT16: integers(16, true), DT_INT32: integers(32, true),
  DT_INT64: integers(64, true), DT_UINT8: integers(8, false), DT_UINT32: integers(32, false),
  DT_UINT64: integers(64, false),
};
const FLOATS = ["DT_FLOAT", "DT_DOUBLE"];
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const NOT_FINITE = /^-?(NaN|Infinity)$/;
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;
const MAX_EXAMPLE_ELEMENTS = 4096;
const MAX_QUOTED = 40;

// Returns whether JSON can express a type at all; the server refuses the others.
export const isExpressible = (dtype) =>
  dtype in RANGES || FLOATS.includes(dtype) || dtype === "DT_STRING" || dtype === "DT_BOOL";
export const isNumber = (dtype) => dtype in RANGES || FLOATS.includes(dtype);

export function numberText(text, dtype) {
  const typed = text.trim();
  if (FLOATS.includes(dtype)) {
    if (NOT_FINITE.test(typed)) return typed;
    if (!NUMBER.test(typed)) throw new Invalid(`expected a number${got(typed)}`);
    return JSON_NUMBER.test(typed) ? typed : String(Number(typed));
  }
  if (!/^[+-]?\d+$/.test(typed)) throw new Invalid(`expected a whole number${got(typed)}`);
  const number = BigInt(typed.replace("+", "")), [low, high] = RANGES[dtype];
  if (number < low || number > high) throw new Invalid(`${number} is not between ${low} and ${high}`);
  return String(number);
}

export function base64Text(text) {
  const digits = text.replace(/\s/g, "");
  const bare = digits.replace(/=+$/, "").length;
  const isPadded = digits.length > bare;
  if (!BASE64.test(digits) || bare % 4 === 1 || (isPadded && digits.length % 4)) {
    throw new Invalid(`expected base64${got(text)}`);
  }
  return JSON.stringify({ b64: digits });
}

// Checks a JSON text against a type and sizes of dimensions (-1: any; null: any shape).
export function arrayText(text, dtype, sizes) {
  if (text.trim() === "") throw new Invalid(`expected ${wanted(sizes)}`);
  const value = parsed(text), shape = shapeOf(value);
  checkLevel(value, shape, 0, "", dtype);
  const fits = sizes === null || (sizes.length === shape.length && sizes.every((size, axis) => size < 0 || size === shape[axis]));
  if (!fits) throw new Invalid(`expected ${wanted(sizes)}, got ${shape.length ? "the shape " + shapeText(shape) : "a single value"}`);
  return { text: write(value), shape };
}

// Checks a tf.Example: an object of features, each a value or a list of values of one type.
export function exampleText(text) {
  const value = parsed(text);
  if (value === null || typeof value !== "object" || Array.isArray(value) || value instanceof Numeral) {
    throw new Invalid('expected an object of features, such as {"age": 41, "city": "Oslo"}');
  }
  for (const [name, feature] of Object.entries(value)) {
    const kinds = new Set([feature].flat().map(featureKind));
    if (kinds.has("")) throw new Invalid(`${quoted(name)}: expected numbers or texts, or one flat list of them`);
    if (kinds.size > 1) throw new Invalid(`${quoted(name)}: a list holds values of one type, got ${[...kinds].sort().join(" and ")}`);
  }
  return write(value);
}

export const shapeText = (sizes) => (sizes === null ? "any shape" : `[${sizes.map((size) => (size < 0 ? "?" : size)).join(", ")}]`);

// An array with the smallest possible sizes; empty if even that would be too long to edit.
export function exampleArray(dtype, sizes) {
  const known = (sizes ?? [-1]).map((size) => (size < 0 ? 1 : size));
  if (known.reduce((all, size) => all * size, 1) > MAX_EXAMPLE_ELEMENTS) return "";
  return write(known.reduceRight((inner, size) => Array(size).fill(inner), examplePlain(dtype)));
}

function examplePlain(dtype) {
  if (dtype === "DT_STRING") return "text";
  if (dtype === "DT_BOOL") return false;
  return new Numeral(FLOATS.includes(dtype) ? "1.0" : "1");
}

function parsed(text) {
  try {
    return parse(text);
  } catch (error) {
    throw new Invalid(`not valid JSON: ${error.message}`);
  }
}

function checkLevel(value, shape, axis, where, dtype) {
  if (axis === shape.length) {
    if (Array.isArray(value)) throw new Invalid(`${place(where)}got a list where other rows have a value`);
    return checkPlain(value, dtype, where);
  }
  if (!Array.isArray(value)) throw new Invalid(`${place(where)}expected a list${got(write(value))}`);
  if (value.length !== shape[axis]) {
    throw new Invalid(`${place(where)}got ${count(value.length)} where the first list has ${count(shape[axis])}; all lists need the same length`);
  }
  value.forEach((each, index) => checkLevel(each, shape, axis + 1, `${where}[${index}]`, dtype));
}

function checkPlain(value, dtype, where) {
  if (dtype === "DT_STRING") {
    if (typeof value === "string") return;
    const isBytes = value !== null && typeof value === "object" && Object.keys(value).join() === "b64" && typeof value.b64 === "string";
    if (!isBytes) throw new Invalid(`${place(where)}expected a text in quotes or {"b64": "…"}${got(write(value))}`);
    base64Text(value.b64);
  } else if (dtype === "DT_BOOL") {
    if (typeof value !== "boolean") throw new Invalid(`${place(where)}expected true or false${got(write(value))}`);
  } else if (value instanceof Numeral) {
    try {
      numberText(value.text, dtype);
    } catch (error) {
      throw new Invalid(place(where) + error.message);
    }
  } else {
    throw new Invalid(`${place(where)}expected a number${got(write(value))}`);
  }
}

function featureKind(value) {
  if (value instanceof Numeral) return /[.eEN]/.test(value.text) ? "decimals" : "whole numbers";
  if (typeof value === "boolean") return "whole numbers";
  const isText = typeof value === "string" || typeof value?.b64 === "string";
  return isText ? "texts" : "";
}

function shapeOf(value) {
  const shape = [];
  for (let each = value; Array.isArray(each); each = each[0]) shape.push(each.length);
  return shape;
}

const wanted = (sizes) => (sizes === null || sizes.length ? `a JSON list of ${sizes === null ? "any shape" : "the shape " + shapeText(sizes)}` : "a single JSON value");
const place = (where) => (where ? `at ${where}: ` : "");
const got = (text) => (text === "" ? ", got nothing" : `, got ${quoted(text)}`);
const quoted = (text) => `“${text.length > MAX_QUOTED ? text.slice(0, MAX_QUOTED) + "…" : text}”`;
const count = (length) => `${length} ${length === 1 ? "value" : "values"}`;
