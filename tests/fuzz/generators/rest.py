"""REST requests: bodies in the row and the column format, examples, texts, and paths."""

from __future__ import annotations

import json

from fuzz.generators import json_values, models
from fuzz.generators.chance import Chance
from fuzz.generators.json_values import nested, word
from fuzz.inputs import Rest
from fuzz.json_text import Pairs, Raw, Tree, written
from tensorflow.core.framework import types_pb2

VERBS = ("predict", "classify", "regress")
OTHER_KEYS = ("x", "y", "b64", "context", "output_filter", "ä", "", "signature_name")
FEATURE_TYPES = (types_pb2.DT_FLOAT, types_pb2.DT_INT64, types_pb2.DT_STRING)
SEGMENTS = (
    "fixture", "solo", "odd", "nope", "%73olo", "solo%00", "%ff", "%2", "a b", "ä", "", ".", "..",
    "solo?x=1", "solo#x", "fixture:predict", "x" * 3000,
)  # fmt: skip
CHARACTERS = b'{}[]":,\\0123456789.eE+-tfnNI \t\n/ab\x00\xff'


def predict(chance: Chance) -> Rest:
    """Predict for any signature."""
    return predict_body(chance, chance.choice(models.signatures()))


def echo(chance: Chance) -> Rest:
    """Predict for one that sends its input back."""
    chosen = [one for one in models.signatures() if one.name.startswith("echo_")]
    return predict_body(chance, chance.choice(chosen))


def predict_body(chance: Chance, signature: models.Signature) -> Rest:
    rows = chance.randint(1, 4)
    named = {}
    columns = chance.one_in(2)
    for tensor in signature.inputs:
        shape = tensor.shape
        if shape is None:
            shape = (rows, *(chance.randint(1, 3) for _ in range(chance.choice((0, 0, 1, 2, 5)))))
        shape = tuple(rows if size < 0 else size for size in shape)
        if not columns and not shape:
            shape = (rows,)
        named[tensor.alias] = json_values.tensor(chance, tensor.dtype, shape)
    value = column_format(chance, named) if columns else row_format(chance, named, rows)
    items = [(b'"signature_name"', quoted(signature.name)), value]
    if signature.name == "serving_default" and chance.one_in(2):
        items.pop(0)
    return Rest("POST", path(chance, signature.model, "predict"), body(chance, items))


def column_format(chance: Chance, named: dict[str, Tree]) -> tuple[bytes, Tree]:
    if len(named) == 1 and not chance.one_in(4):
        return b'"inputs"', next(iter(named.values()))
    return b'"inputs"', pairs(chance, named)


def row_format(chance: Chance, named: dict[str, Tree], rows: int) -> tuple[bytes, Tree]:
    if len(named) == 1 and not chance.one_in(4):
        value = next(iter(named.values()))
        return b'"instances"', value if isinstance(value, list) else [value]
    objects = []
    for row in range(rows):
        inner = {
            name: column[row] if isinstance(column, list) and row < len(column) else column
            for name, column in named.items()
        }
        objects.append(pairs(chance, inner))
    return b'"instances"', objects


def pairs(chance: Chance, named: dict[str, Tree]) -> Pairs:
    """An object of inputs; with a small chance one too many, too few, or twice."""
    items = [(quoted(name).text, value) for name, value in named.items()]
    if items and chance.one_in(25):
        items.pop(chance.randrange(len(items)))
    if items and chance.one_in(25):
        items.append(chance.choice(items))
    if chance.one_in(25):
        items.append((quoted(chance.choice(OTHER_KEYS)).text, word("1")))
    return Pairs(tuple(items))


def examples(chance: Chance) -> Rest:
    """Classify or regress."""
    verb = chance.choice(("classify", "regress"))
    chosen = [one for one in models.signatures() if one.method.endswith(verb)]
    signature = chance.choice(chosen)
    items: list[tuple[bytes, Tree]] = [(b'"signature_name"', quoted(signature.name))]
    if chance.one_in(4):
        items.append((b'"context"', features(chance)))
    rows = [features(chance) for _ in range(chance.choice((0, 1, 1, 2, 3)))]
    items.append((b'"examples"', rows))
    return Rest("POST", path(chance, signature.model, verb), body(chance, items))


def features(chance: Chance) -> Tree:
    if chance.one_in(30):
        return json_values.scalar(chance, chance.choice(FEATURE_TYPES))
    found = {"x": chance.choice((word("1.5"), word("0.25"), [word("2.0")]))}
    found |= {"n": word("3"), "s": json_values.string(chance)}
    if chance.one_in(2):
        dtype = chance.choice(FEATURE_TYPES)
        shape = chance.choice(((), (1,), (2,), (1, 1), (0,)))
        found[chance.choice(("x", "n", "s", "more"))] = json_values.tensor(chance, dtype, shape)
    return pairs(chance, found)


def body(chance: Chance, items: list[tuple[bytes, Tree]]) -> bytes:
    """The text of a body; with a small chance something is wrong around the value."""
    if chance.one_in(25):
        key = quoted(chance.choice((*OTHER_KEYS, "instances", "inputs", "examples"))).text
        extra: Tree = json_values.scalar(chance, chance.choice(FEATURE_TYPES))
        if chance.one_in(5):
            extra = nested(extra, chance.choice(json_values.DEPTHS))
        items.insert(chance.randint(0, len(items)), (key, extra))
    if chance.one_in(40):
        items.append(chance.choice(items))
    if chance.one_in(40):
        items.pop(chance.randrange(len(items)))
    if items and chance.one_in(40):
        items[0] = (items[0][0], json_values.scalar(chance, chance.choice(FEATURE_TYPES)))
    chance.shuffle(items)
    text = written(Pairs(tuple(items)))
    if chance.one_in(20):
        text = (
            chance.choice((b" \n", b"\t", b"")) + text + chance.choice((b" ", b"x", b"{}", b"\0"))
        )
    return text


def texts(chance: Chance) -> Rest:
    """A body whose text is changed character by character."""
    made = chance.choice((predict, echo, examples))(chance)
    text = bytearray((made.body or b"")[:4000])
    for _ in range(chance.randint(1, 3)):
        place = chance.randint(0, len(text))
        match chance.randrange(4):
            case 0:
                text[place : place + 1] = bytes([chance.choice(CHARACTERS)])
            case 1:
                text[place:place] = bytes([chance.choice(CHARACTERS)])
            case 2:
                del text[place : place + chance.randint(1, 6)]
            case 3:
                del text[place:]
    return Rest(made.verb, made.path, bytes(text))


def paths(chance: Chance) -> Rest:
    """Status, metadata, and paths that name nothing."""
    model = chance.choice((*models.FOLDERS, *models.FOLDERS, *SEGMENTS))
    path = chance.choice(("/v1/models/",) * 9 + ("/v1/", "/v1/models", "/V1/Models/", "/", "//"))
    path += model + chance.choice(
        ("", "", "", "", "/metadata", "/metadata", "/metadata", "/versions/1",
         "/versions/3/metadata", "/labels/stable",
         "/versions/99999999999999999999", "/versions/x", "/labels/", "/METADATA", "/")
    )  # fmt: skip
    verb = chance.choice(("GET",) * 8 + ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"))
    if verb == "POST":
        path += ":" + chance.choice((*VERBS, "Predict", "", "nope"))
        return Rest(verb, path.encode().decode("latin-1"), b'{"instances": [1.0]}')
    return Rest(verb, path.encode().decode("latin-1"))


def path(chance: Chance, model: str, verb: str) -> str:
    """The path of a verb, sometimes with a version or a label."""
    middle = ""
    if chance.one_in(10):
        middle = f"/versions/{chance.choice((*models.VERSIONS[model] * 3, 0, -1, 7))}"
    elif chance.one_in(10):
        middle = f"/labels/{chance.choice((*models.LABELS.get(model, ()) * 2, 'nope'))}"
    if chance.one_in(60):
        verb = chance.choice(VERBS)
    return f"/v1/models/{model}{middle}:{verb}"


def quoted(text: str) -> Raw:
    return Raw(json.dumps(text).encode())
