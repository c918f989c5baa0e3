"""The texts of `--help` and `--version`."""

from __future__ import annotations

import textwrap

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
"""Titles of groups, by the first flag of each."""
INDENT = 6 * " "
WIDTH = 88


def text() -> str:
    """Returns the text of `--help`."""
    lines = [
        f"usage: {COMMAND} --model_base_path=FOLDER [--flag=value ...]",
        "",
        *textwrap.wrap(
            "Serve SavedModels as tensorflow_model_server does: same flags, same config files, "
            "same protocol. Write flags as --name=value; a plain --name sets a boolean flag; if a "
            "flag is repeated, the last value wins.",
            WIDTH,
        ),
    ]
    for name, field in FIELDS.items():
        if name in GROUPS:
            lines += ["", f"{GROUPS[name]}:"]
        default = str(field.default).lower() if field.type == "bool" else field.default
        support = field.metadata["support"]
        lines.append(f"  --{name}={default}  ({field.type})")
        lines += textwrap.wrap(
            field.metadata["text"] + (f" [{support}]" if support else ""),
            WIDTH,
            initial_indent=INDENT,
            subsequent_indent=INDENT,
        )
    example = f'{COMMAND} --port=8500 --model_name=seq2sum --model_base_path="$PWD/models/seq2sum"'
    return "\n".join([*lines, "", f"Example: {example}", ""])


def versions() -> str:
    """Returns the versions of the server and of TensorFlow, without loading TensorFlow."""
    from importlib.metadata import version

    return (
        f"TensorFlow ModelServer: {COMMAND} {version('seq2sum-serving')}\n"
        f"TensorFlow Library: {_tensorflow_version()}\n"
    )


def _tensorflow_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tensorflow")
    except PackageNotFoundError:  # the image has the same package without support of GPUs
        return version("tensorflow-cpu")
