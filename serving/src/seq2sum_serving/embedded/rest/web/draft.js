// What the form holds for a signature: rows of texts, one for each input, and which inputs are base64.
import * as values from "./values.js";
import { Numeral, parse, write } from "./json.js";

export class RowError extends Error {
  constructor(message, row, input) {
    super(message);
    this.row = row;
    this.input = input;
  }
}

export const exampleRow = (signature) => signature.inputs.map(exampleField);

export const example = (signature) => ({ rows: [exampleRow(signature)], isBase64: signature.inputs.map(() => false) });

function exampleField({ kind, dtype, sizes }) {
  if (kind === "example") return '{"feature": 1.0}';
  const text = values.exampleArray(dtype, kind === "array" ? sizes : []);
  return kind === "text" ? "text" : text;
}

// Returns the body of the request; throws a RowError for the first invalid field.
export function bodyOf(signature, draft) {
  const shapes = [];
  const columns = signature.inputs.map((input, index) => {
    const texts = draft.rows.map((row, number) => {
      try {
        const { text, shape } = checked(input, row[index], draft.isBase64[index]);
        if (values.shapeText(shapes[index] ??= shape) !== values.shapeText(shape)) {
          throw new values.Invalid(`the shape is ${values.shapeText(shape)} here and ${values.shapeText(shapes[index])} in row 1; all rows need the same shape`);
        }
        return text;
      } catch (error) {
        if (error instanceof values.Invalid) throw new RowError(error.message, number, index);
        throw error;
      }
    });
    return signature.isByRow ? `[${texts.join(", ")}]` : texts[0];
  });
  const inputs = signature.inputs.map(({ name }, index) => `${JSON.stringify(name)}: ${columns[index]}`);
  const content = signature.key === "examples" ? columns[0] : `{${inputs.join(", ")}}`;
  return `{"signature_name": ${JSON.stringify(signature.name)}, "${signature.key}": ${content}}`;
}

function checked(input, text, isBase64) {
  const plain = (made) => ({ text: made, shape: [] });
  switch (input.kind) {
    case "example": return plain(values.exampleText(text));
    case "array": return values.arrayText(text, input.dtype, input.sizes);
    case "number": return plain(values.numberText(text, input.dtype));
    case "text": return plain(isBase64 ? values.base64Text(text) : JSON.stringify(text));
    default: return plain(text); // of a list of two
  }
}

// Returns the draft that makes a body; null if the body does not fit the signature.
export function draftOf(signature, body) {
  try {
    const content = parse(body)[signature.key];
    const isExamples = signature.key === "examples";
    const columns = signature.inputs.map(({ name }) => (isExamples ? content : content[name]));
    const count = signature.isByRow ? columns[0].length : 1;
    if (!count || (signature.isByRow && columns.some((column) => column.length !== count))) return null;
    const cells = columns.map((column) => (signature.isByRow ? column : [column]));
    const isBase64 = signature.inputs.map(({ kind }, index) => kind === "text" && cells[index].some((cell) => typeof cell === "object"));
    const rows = Array.from({ length: count }, (_, row) =>
      signature.inputs.map(({ kind }, index) => cellText(kind, cells[index][row], isBase64[index])));
    return { rows, isBase64 };
  } catch {
    return null;
  }
}

function cellText(kind, value, isBase64) {
  if (kind === "text") {
    if (!isBase64) return value;
    return typeof value === "object" ? value.b64 : btoa(String.fromCharCode(...new TextEncoder().encode(value)));
  }
  return value instanceof Numeral ? value.text : write(value);
}
