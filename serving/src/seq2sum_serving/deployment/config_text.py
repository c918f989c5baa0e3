"""The text of a model config file: read by TensorFlow Serving's rules, changed for one model.

Only the versions and labels of that model change. Everything else in the file, comments and
other models included, stays as it is, to the byte.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from google.protobuf import text_format
from seq2sum.protocol.model_server_config_pb2 import ModelConfig, ModelServerConfig

from seq2sum_serving.deployment import text_proto
from seq2sum_serving.deployment.errors import UsageError
from seq2sum_serving.deployment.state import ModelEntry, Policy
from seq2sum_serving.deployment.text_proto import Edit, Field

STEP = "  "
"""What a line is moved in by, where the file does not show it."""
EXAMPLE = """model_config_list {{
  config {{
    name: "{model}"
    base_path: "/models/{model}"
    model_platform: "tensorflow"
  }}
}}
"""


def parsed(text: str) -> ModelServerConfig:
    """The message that a server would read.

    Raises:
        UsageError: A server would refuse it, or worse, take it and then refuse every later one.
    """
    message = ModelServerConfig()
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise UsageError(f"it is no ModelServerConfig: line {error}") from error
    names = [config.name for config in message.model_config_list.config]
    for config in message.model_config_list.config:
        if names.count(config.name) > 1:
            raise UsageError(f"it lists model {config.name!r} twice")
        if not config.model_platform:
            raise UsageError(f'model {config.name!r} has no model_platform: "tensorflow"')
        if "://" not in config.base_path and not PurePosixPath(config.base_path).is_absolute():
            raise UsageError(
                f"the base_path of model {config.name!r} is {config.base_path!r}: a server takes "
                "absolute paths only"
            )
    return message


def entry(message: ModelServerConfig, model: str) -> ModelConfig:
    """The part about one model.

    Raises:
        UsageError: There is none.
    """
    for config in message.model_config_list.config:
        if config.name == model:
            return config
    there = ", ".join(config.name for config in message.model_config_list.config) or "none"
    raise UsageError(
        f"it has no model {model!r} (but: {there}). Name the model with --model, or add:\n"
        + EXAMPLE.format(model=model)
    )


def recorded(config: ModelConfig) -> ModelEntry:
    """What it says about versions and labels."""
    policy = config.model_version_policy
    match policy.WhichOneof("policy_choice"):
        case "specific":
            stated = Policy("specific", frozenset(policy.specific.versions))
        case "all":
            stated = Policy("all")
        case _:
            stated = Policy("latest", count=policy.latest.num_versions or 1)
    return ModelEntry(stated, dict(config.version_labels))


def changed(text: str, model: str, after: ModelEntry) -> str:
    """The text with other versions and labels for one model.

    Args:
        text: Of the whole file; `parsed` accepts it.
        model: Name of the model.
        after: What shall stand there; its policy is `specific`.

    Raises:
        UsageError: The file is written in a way that cannot be changed safely.
    """
    before = parsed(text)
    entry(before, model)
    block = _block(text, model)
    edits = [*_labels(text, block, after), *_policy_edits(text, block, after)]
    result = text_proto.edited(text, edits)
    if not _means(result, before, model, after):
        raise UsageError(
            f"the entry of model {model!r} is written in an unusual way and cannot be changed "
            "safely: write one field a line, as in\n" + EXAMPLE.format(model=model)
        )
    return result


def _means(text: str, before: ModelServerConfig, model: str, after: ModelEntry) -> bool:
    """Whether a text says `after` about the model, and about everything else what it said."""
    message, expected = parsed(text), ModelServerConfig()
    expected.CopyFrom(before)
    if recorded(entry(message, model)) != after:
        return False
    for each in (message, expected):
        entry(each, model).ClearField("model_version_policy")
        entry(each, model).ClearField("version_labels")
    return message == expected


def _block(text: str, model: str) -> Field:
    """The `config { ... }` of the model."""
    for outer in text_proto.fields(text):
        for config in outer.all("config"):
            names = [name.scalar or "" for name in config.all("name")]
            if model in [name[1:-1] for name in names]:
                return config
    raise UsageError(
        f"the entry of model {model!r} is written as a list and cannot be changed safely: write "
        "it as\n" + EXAMPLE.format(model=model)
    )


def _policy_edits(text: str, block: Field, after: ModelEntry) -> list[Edit]:
    wanted = sorted(after.policy.versions)
    numbers = " ".join(f"versions: {number}" for number in wanted)
    whole = f"model_version_policy {{ specific {{ {numbers} }} }}"
    there = block.all("model_version_policy")
    if not there:
        return [_added(text, block, [whole])]
    chosen = there[0].all("specific")
    if not chosen:
        return [Edit(there[0].begin, there[0].end, whole)]
    specific = chosen[0]
    kept = {field.scalar for field in specific.fields}
    if None in kept or specific.inner is None:  # a list: written anew
        return [Edit(specific.begin, specific.end, f"specific {{ {numbers} }}")]
    edits = [
        text_proto.removal(text, field)
        for field in specific.fields
        if int(str(field.scalar), 0) not in wanted
    ]
    known = {int(str(scalar), 0) for scalar in kept}
    new = [f"versions: {number}" for number in wanted if number not in known]
    return [*edits, *([_added(text, specific, new)] if new else [])]


def _labels(text: str, block: Field, after: ModelEntry) -> list[Edit]:
    """Labels that stay keep their place and the comments around them."""
    edits: list[Edit] = []
    left = dict(after.labels)
    for field in block.all("version_labels"):
        keys, values = field.all("key"), field.all("value")
        label = (keys[0].scalar or "")[1:-1] if keys else ""
        if label in left and values:
            value = values[0]
            edits.append(Edit(value.begin, value.end, f"value: {left.pop(label)}"))
        else:
            edits.append(text_proto.removal(text, field))
    new = [f'version_labels {{ key: "{label}" value: {v} }}' for label, v in left.items()]
    return [*edits, *([_added(text, block, new)] if new else [])]


def _added(text: str, block: Field, lines: list[str]) -> Edit:
    """New fields at the end of a message, as its last field is set."""
    begin, end = block.inner or (block.end, block.end)
    last = block.fields[-1] if block.fields else None
    before = text_proto.indent(text, last) if last else None
    if before is None:  # all in one line
        gap = "" if text[begin:end].endswith((" ", "\n")) else " "
        return Edit(end, end, gap + " ".join(lines) + " ")
    place = text.find("\n", last.end if last else begin, end)
    if place < 0:
        return Edit(end, end, " " + " ".join(lines) + " ")
    end_of_line = "\r\n" if text[place - 1] == "\r" else "\n"
    place += 1 - len(end_of_line)
    return Edit(place, place, "".join(f"{end_of_line}{before}{line}" for line in lines))
