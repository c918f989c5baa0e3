// The signatures of a version, as the form needs them.
import * as values from "./values.js";

const ACTIONS = { "tensorflow/serving/classify": "classify", "tensorflow/serving/regress": "regress" };
const DEFAULT = "serving_default";
// Saved by TensorFlow for itself.
const INTERNAL = "__saved_model_";

export function signaturesOf(metadata) {
  return Object.entries(metadata.metadata.signature_def.signature_def)
    .filter(([name]) => !name.startsWith(INTERNAL))
    .map(([name, definition]) => signature(name, definition))
    .sort((one, other) =>
      (other.name === DEFAULT) - (one.name === DEFAULT) || !!one.refusal - !!other.refusal || (one.name < other.name ? -1 : 1));
}

// Returns the name of the signature that a body names.
export function signatureOf(body) {
  try {
    return JSON.parse(body).signature_name || DEFAULT;
  } catch {
    return DEFAULT;
  }
}

function signature(name, definition) {
  const action = ACTIONS[definition.method_name] ?? "predict";
  const tensors = sorted(definition.inputs);
  const outputs = sorted(definition.outputs);
  if (action !== "predict") {
    return { name, action, key: "examples", inputs: [{ name: "example", kind: "example", type: "tf.Example" }], outputs, isByRow: true, refusal: "" };
  }
  // Rows can be added if the first dimension of every input is free.
  const isByRow = tensors.every(({ sizes }) => sizes?.[0] === -1);
  const inputs = tensors.map((each) => field(each, isByRow));
  return { name, action, key: "inputs", inputs, outputs, isByRow, refusal: refusal(tensors) };
}

// By name: the server's order is that of a map, and may be another one in the next reply.
const sorted = (tensors) => Object.keys(tensors).sort().map((name) => tensor(name, tensors[name]));

function tensor(name, info) {
  const shape = info.tensor_shape;
  const sizes = !shape || shape.unknown_rank ? null : shape.dim.map((dim) => Number(dim.size));
  const isComposite = "coo_sparse" in info || "composite_tensor" in info;
  return { name, dtype: info.dtype, sizes, isComposite };
}

function field({ name, dtype, sizes }, isByRow) {
  const own = isByRow ? sizes.slice(1) : sizes;
  const type = (dtype ?? "").replace(/^DT_/, "").toLowerCase();
  const isPlain = own !== null && own.length === 0;
  const kind = !isPlain ? "array" : dtype === "DT_STRING" ? "text" : dtype === "DT_BOOL" ? "bool" : "number";
  return { name, dtype, sizes: own, kind, type: isPlain ? type : `${type} ${values.shapeText(own)}` };
}

// Says why the REST API cannot call a signature; empty if it can.
function refusal(tensors) {
  if (tensors.length === 0) return "This signature has no inputs. The REST API cannot call it; gRPC can.";
  for (const { name, dtype, isComposite } of tensors) {
    if (isComposite) return `Input ${name} is a sparse or ragged tensor, which TensorFlow Serving cannot receive.`;
    if (!values.isExpressible(dtype)) return `Input ${name} has the type ${dtype}, which JSON cannot express. Call this signature over gRPC.`;
  }
  return "";
}
