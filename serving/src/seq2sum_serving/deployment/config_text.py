"""The text of a model config file: parsed by TensorFlow Serving's rules, and edited for one model.

An edit changes only the versions and labels of that model. Everything else, including comments and
other models, stays unchanged to the byte.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from google.protobuf import text_format
from seq2sum.protocol.model_server_config_pb2 import ModelConfig, ModelServerConfig

from seq2sum_serving.deployment import text_proto
from seq2sum_serving.deployment.errors import UsageError
from seq2sum_serving.deployment.state import ModelEntry, Policy
from seq2sum_serving.deployment.text_proto import Edit, Field

EXAMPLE = """model_config_list {{
  config {{
    name: "{model}"
    base_path: "/models/{model}"
    model_platform: "tensorflow"
  }}
}}
"""


def parse(text: str) -> ModelServerConfig:
    """Returns the message that a server would read.

    Raises:
        UsageError: A server would refuse the text, or accept it and then refuse every later one.
    """
    message = ModelServerConfig()
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise UsageError(f"not a valid ModelServerConfig: line {error}") from error
    names = [config.name for config in message.model_config_list.config]
    for config in message.model_config_list.config:
        if names.count(config.name) > 1:
            raise UsageError(f"model {config.name!r} is listed twice")
        if not config.model_platform:
            raise UsageError(f'model {config.name!r} lacks model_platform: "tensorflow"')
        if "://" not in config.base_path and not PurePosixPath(config.base_path).is_absolute():
            raise UsageError(
                f"invalid base_path {config.base_path!r} of model {config.name!r}: servers accept "
                "absolute paths only"
            )
    return message


def find_model(message: ModelServerConfig, model: str) -> ModelConfig:
    """Returns the config of a model.

    Raises:
        UsageError: The model is missing.
    """
    for config in message.model_config_list.config:
        if config.name == model:
            return config
    names = ", ".join(config.name for config in message.model_config_list.config) or "none"
    raise UsageError(
        f"model {model!r} is missing (models: {names}): choose one with --model, or add an entry:\n"
        + EXAMPLE.format(model=model)
    )


def model_entry(config: ModelConfig) -> ModelEntry:
    """Returns the version policy and the labels of a model."""
    policy = config.model_version_policy
    match policy.WhichOneof("policy_choice"):
        case "specific":
            found = Policy("specific", frozenset(policy.specific.versions))
        case "all":
            found = Policy("all")
        case _:
            found = Policy("latest", count=policy.latest.num_versions or 1)
    return ModelEntry(found, dict(config.version_labels))


def replace_entry(text: str, model: str, after: ModelEntry) -> str:
    """Returns the text with other versions and labels for one model.

    Args:
        text: The whole file, which `parse` accepts.
        model: Name of the model.
        after: The new entry; its policy is `specific`.

    Raises:
        UsageError: The file is written in a form that cannot be edited safely.
    """
    before = parse(text)
    find_model(before, model)
    block = _block(text, model)
    edits = [*_label_edits(text, block, after), *_policy_edits(text, block, after)]
    result = text_proto.apply(text, edits)
    if not _is_edited(result, before, model, after):
        raise UsageError(
            f"the entry of model {model!r} is written in an unusual form and cannot be edited "
            "safely: write one field per line, as in\n" + EXAMPLE.format(model=model)
        )
    return result


def _is_edited(text: str, before: ModelServerConfig, model: str, after: ModelEntry) -> bool:
    """Returns whether a text has the entry `after` for the model, and is otherwise as before."""
    message, expected = parse(text), ModelServerConfig()
    expected.CopyFrom(before)
    if model_entry(find_model(message, model)) != after:
        return False
    for each in (message, expected):
        find_model(each, model).ClearField("model_version_policy")
        find_model(each, model).ClearField("version_labels")
    return message == expected


def _block(text: str, model: str) -> Field:
    """Returns the `config { ... }` of the model."""
    for outer in text_proto.fields(text):
        for config in outer.all("config"):
            names = [name.scalar or "" for name in config.all("name")]
            if model in [name[1:-1] for name in names]:
                return config
    raise UsageError(
        f"the entry of model {model!r} is written as a list and cannot be edited safely: write "
        "it as\n" + EXAMPLE.format(model=model)
    )


def _policy_edits(text: str, block: Field, after: ModelEntry) -> list[Edit]:
    versions = sorted(after.policy.versions)
    numbers = " ".join(f"versions: {number}" for number in versions)
    whole = f"model_version_policy {{ specific {{ {numbers} }} }}"
    policies = block.all("model_version_policy")
    if not policies:
        return [_append(text, block, [whole])]
    choices = policies[0].all("specific")
    if not choices:
        return [Edit(policies[0].begin, policies[0].end, whole)]
    specific = choices[0]
    scalars = {field.scalar for field in specific.fields}
    if None in scalars or specific.inner is None:  # a list: rewritten as a whole
        return [Edit(specific.begin, specific.end, f"specific {{ {numbers} }}")]
    edits = [
        text_proto.removal(text, field)
        for field in specific.fields
        if int(str(field.scalar), 0) not in versions
    ]
    known = {int(str(scalar), 0) for scalar in scalars}
    new = [f"versions: {number}" for number in versions if number not in known]
    return [*edits, *([_append(text, specific, new)] if new else [])]


def _label_edits(text: str, block: Field, after: ModelEntry) -> list[Edit]:
    """Returns edits in which labels that stay keep their position and comments."""
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
    return [*edits, *([_append(text, block, new)] if new else [])]


def _append(text: str, block: Field, lines: list[str]) -> Edit:
    """Adds fields at the end of a message, indented as its last field."""
    begin, end = block.inner or (block.end, block.end)
    last = block.fields[-1] if block.fields else None
    indent = text_proto.indent(text, last) if last else None
    if indent is None:  # all in one line
        gap = "" if text[begin:end].endswith((" ", "\n")) else " "
        return Edit(end, end, gap + " ".join(lines) + " ")
    position = text.find("\n", last.end if last else begin, end)
    if position < 0:
        return Edit(end, end, " " + " ".join(lines) + " ")
    newline = "\r\n" if text[position - 1] == "\r" else "\n"
    position += 1 - len(newline)
    return Edit(position, position, "".join(f"{newline}{indent}{line}" for line in lines))
