"""REST requests: bodies in the row and the column format, examples, malformed text, and paths."""

from __future__ import annotations

import json

from fuzz.generators import json_values, models
from fuzz.generators.json_values import nested, token
from fuzz.generators.seeded_random import SeededRandom
from fuzz.inputs import Rest
from fuzz.json_text import Object, Token, Tree, write
from tensorflow.core.framework import types_pb2

SUBCOMMANDS = ("predict", "classify", "regress")
OTHER_KEYS = ("x", "y", "b64", "context", "output_filter", "ä", "", "signature_name")
FEATURE_TYPES = (types_pb2.DT_FLOAT, types_pb2.DT_INT64, types_pb2.DT_STRING)
SEGMENTS = (
    "fixture", "solo", "odd", "nope", "%73olo", "solo%00", "%ff", "%2", "a b", "ä", "", ".", "..",
    "solo?x=1", "solo#x", "fixture:predict", "x" * 3000,
)  # fmt: skip
CHARACTERS = b'{}[]":,\\0123456789.eE+-tfnNI \t\n/ab\x00\xff'


def predict(rng: SeededRandom) -> Rest:
    """Makes a Predict request for any signature."""
    return predict_body(rng, rng.choice(models.signatures()))


def echo(rng: SeededRandom) -> Rest:
    """Makes a Predict request for a signature that returns its input."""
    chosen = [known for known in models.signatures() if known.name.startswith("echo_")]
    return predict_body(rng, rng.choice(chosen))


def predict_body(rng: SeededRandom, signature: models.Signature) -> Rest:
    rows = rng.randint(1, 4)
    named = {}
    columns = rng.one_in(2)
    for tensor in signature.inputs:
        shape = tensor.shape
        if shape is None:
            shape = (rows, *(rng.randint(1, 3) for _ in range(rng.choice((0, 0, 1, 2, 5)))))
        shape = tuple(rows if size < 0 else size for size in shape)
        if not columns and not shape:
            shape = (rows,)
        named[tensor.alias] = json_values.tensor(rng, tensor.dtype, shape)
    value = column_format(rng, named) if columns else row_format(rng, named, rows)
    items = [(b'"signature_name"', quoted(signature.name)), value]
    if signature.name == "serving_default" and rng.one_in(2):
        items.pop(0)
    return Rest("POST", path(rng, signature.model, "predict"), body(rng, items))


def column_format(rng: SeededRandom, named: dict[str, Tree]) -> tuple[bytes, Tree]:
    if len(named) == 1 and not rng.one_in(4):
        return b'"inputs"', next(iter(named.values()))
    return b'"inputs"', pairs(rng, named)


def row_format(rng: SeededRandom, named: dict[str, Tree], rows: int) -> tuple[bytes, Tree]:
    if len(named) == 1 and not rng.one_in(4):
        value = next(iter(named.values()))
        return b'"instances"', value if isinstance(value, list) else [value]
    objects = []
    for row in range(rows):
        inner = {
            name: column[row] if isinstance(column, list) and row < len(column) else column
            for name, column in named.items()
        }
        objects.append(pairs(rng, inner))
    return b'"instances"', objects


def pairs(rng: SeededRandom, named: dict[str, Tree]) -> Object:
    """Makes an object of inputs; with a small probability one is extra, missing, or duplicate."""
    items = [(quoted(name).text, value) for name, value in named.items()]
    if items and rng.one_in(25):
        items.pop(rng.randrange(len(items)))
    if items and rng.one_in(25):
        items.append(rng.choice(items))
    if rng.one_in(25):
        items.append((quoted(rng.choice(OTHER_KEYS)).text, token("1")))
    return Object(tuple(items))


def examples(rng: SeededRandom) -> Rest:
    """Makes a Classify or Regress request."""
    verb = rng.choice(("classify", "regress"))
    chosen = [known for known in models.signatures() if known.method.endswith(verb)]
    signature = rng.choice(chosen)
    items: list[tuple[bytes, Tree]] = [(b'"signature_name"', quoted(signature.name))]
    if rng.one_in(4):
        items.append((b'"context"', features(rng)))
    rows = [features(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    items.append((b'"examples"', rows))
    return Rest("POST", path(rng, signature.model, verb), body(rng, items))


def features(rng: SeededRandom) -> Tree:
    if rng.one_in(30):
        return json_values.scalar(rng, rng.choice(FEATURE_TYPES))
    found = {"x": rng.choice((token("1.5"), token("0.25"), [token("2.0")]))}
    found |= {"n": token("3"), "s": json_values.string(rng)}
    if rng.one_in(2):
        dtype = rng.choice(FEATURE_TYPES)
        shape = rng.choice(((), (1,), (2,), (1, 1), (0,)))
        found[rng.choice(("x", "n", "s", "more"))] = json_values.tensor(rng, dtype, shape)
    return pairs(rng, found)


def body(rng: SeededRandom, items: list[tuple[bytes, Tree]]) -> bytes:
    """Makes the text of a body; with a small probability something around the value is wrong."""
    if rng.one_in(25):
        key = quoted(rng.choice((*OTHER_KEYS, "instances", "inputs", "examples"))).text
        extra: Tree = json_values.scalar(rng, rng.choice(FEATURE_TYPES))
        if rng.one_in(5):
            extra = nested(extra, rng.choice(json_values.DEPTHS))
        items.insert(rng.randint(0, len(items)), (key, extra))
    if rng.one_in(40):
        items.append(rng.choice(items))
    if rng.one_in(40):
        items.pop(rng.randrange(len(items)))
    if items and rng.one_in(40):
        items[0] = (items[0][0], json_values.scalar(rng, rng.choice(FEATURE_TYPES)))
    rng.shuffle(items)
    text = write(Object(tuple(items)))
    if rng.one_in(20):
        text = rng.choice((b" \n", b"\t", b"")) + text + rng.choice((b" ", b"x", b"{}", b"\0"))
    return text


def texts(rng: SeededRandom) -> Rest:
    """Makes a body with some characters changed."""
    made = rng.choice((predict, echo, examples))(rng)
    text = bytearray((made.body or b"")[:4000])
    for _ in range(rng.randint(1, 3)):
        position = rng.randint(0, len(text))
        match rng.randrange(4):
            case 0:
                text[position : position + 1] = bytes([rng.choice(CHARACTERS)])
            case 1:
                text[position:position] = bytes([rng.choice(CHARACTERS)])
            case 2:
                del text[position : position + rng.randint(1, 6)]
            case 3:
                del text[position:]
    return Rest(made.verb, made.path, bytes(text))


def paths(rng: SeededRandom) -> Rest:
    """Makes a status or metadata request, or one for a path that does not exist."""
    model = rng.choice((*models.FOLDERS, *models.FOLDERS, *SEGMENTS))
    path = rng.choice(("/v1/models/",) * 9 + ("/v1/", "/v1/models", "/V1/Models/", "/", "//"))
    path += model + rng.choice(
        ("", "", "", "", "/metadata", "/metadata", "/metadata", "/versions/1",
         "/versions/3/metadata", "/labels/stable",
         "/versions/99999999999999999999", "/versions/x", "/labels/", "/METADATA", "/")
    )  # fmt: skip
    verb = rng.choice(("GET",) * 8 + ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"))
    if verb == "POST":
        path += ":" + rng.choice((*SUBCOMMANDS, "Predict", "", "nope"))
        return Rest(verb, path.encode().decode("latin-1"), b'{"instances": [1.0]}')
    return Rest(verb, path.encode().decode("latin-1"))


def path(rng: SeededRandom, model: str, verb: str) -> str:
    """Returns the path of a verb, sometimes with a version or a label."""
    middle = ""
    if rng.one_in(10):
        middle = f"/versions/{rng.choice((*models.VERSIONS[model] * 3, 0, -1, 7))}"
    elif rng.one_in(10):
        middle = f"/labels/{rng.choice((*models.LABELS.get(model, ()) * 2, 'nope'))}"
    if rng.one_in(60):
        verb = rng.choice(SUBCOMMANDS)
    return f"/v1/models/{model}{middle}:{verb}"


def quoted(text: str) -> Token:
    return Token(json.dumps(text).encode())
