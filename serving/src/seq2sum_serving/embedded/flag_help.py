"""What `--help` and `--version` print."""

from __future__ import annotations

import textwrap
from importlib.metadata import version

from seq2sum_serving.embedded.flags import FIELDS

COMMAND = "seq2sum-serve"
GROUPS = {
    "model_name": "Models and versions",
    "port": "gRPC",
    "rest_api_port": "REST and metrics",
    "enable_batching": "Requests",
    "tensorflow_session_parallelism": "TensorFlow",
    "version": "Other",
}
"""Titles, by the first flag below each."""
INDENT = 6 * " "
WIDTH = 88


def text() -> str:
    """The whole help."""
    lines = [
        f"usage: {COMMAND} --model_base_path=FOLDER [--flag=value ...]",
        "",
        *textwrap.wrap(
            "Serve SavedModels as tensorflow_model_server does: same flags, same config files, "
            "same wire. Flags are written --name=value; a bare --name sets a boolean one; the "
            "last of several counts.",
            WIDTH,
        ),
    ]
    for name, field in FIELDS.items():
        if name in GROUPS:
            lines += ["", f"{GROUPS[name]}:"]
        default = str(field.default).lower() if field.type == "bool" else field.default
        effect = field.metadata["effect"]
        lines.append(f"  --{name}={default}  ({field.type})")
        lines += textwrap.wrap(
            field.metadata["text"] + (f" [{effect}]" if effect else ""),
            WIDTH,
            initial_indent=INDENT,
            subsequent_indent=INDENT,
        )
    example = f'{COMMAND} --port=8500 --model_name=seq2sum --model_base_path="$PWD/models/seq2sum"'
    return "\n".join([*lines, "", f"Example: {example}", ""])


def versions() -> str:
    """Versions of the server and of TensorFlow, without loading it."""
    return (
        f"TensorFlow ModelServer: {COMMAND} {version('seq2sum-serving')}\n"
        f"TensorFlow Library: {version('tensorflow')}\n"
    )
