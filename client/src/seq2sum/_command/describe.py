"""`seq2sum describe`: shows a version's signatures, and what it lacks for the contract."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from seq2sum._command.connection import call_options, connect
from seq2sum._command.errors import one_line, print_error
from seq2sum._command.exit_codes import FAILURE, SUCCESS
from seq2sum._versions import TensorSpec
from seq2sum.addition.description import Description


def run(options: argparse.Namespace) -> int:
    """Runs the verb; returns the exit code."""
    with connect(options) as client:
        description = client.describe(**call_options(options))
    if options.json:
        print(as_json(client.model, description))
    else:
        print(text(client.model, description))
        if description.missing:
            print_error(f"not a seq2sum model: missing {one_line('; '.join(description.missing))}")
    return FAILURE if description.missing else SUCCESS


def text(model: str, description: Description) -> str:
    """Returns the description as text."""
    sizes = {
        "maximum digits per operand": description.digits,
        "encoder steps": description.steps,
        "encoder tokens": description.vocabulary,
    }
    lines = [f"{model}, version {description.version}"]
    lines += [f"  {size:<3} {name}" for name, size in sizes.items() if size is not None]
    for name, signature in description.signatures.items():
        lines.append(f"  signature {name}")
        lines += _tensors("in ", signature.inputs) + _tensors("out", signature.outputs)
    return "\n".join(map(one_line, lines))


def as_json(model: str, description: Description) -> str:
    """Returns the description as a JSON object."""
    signatures = {
        name: {"inputs": _specs(signature.inputs), "outputs": _specs(signature.outputs)}
        for name, signature in description.signatures.items()
    }
    return json.dumps(
        {
            "model": model,
            "version": description.version,
            "digits": description.digits,
            "steps": description.steps,
            "vocabulary": description.vocabulary,
            "missing": description.missing,
            "signatures": signatures,
        }
    )


def _tensors(side: str, tensors: Mapping[str, TensorSpec]) -> list[str]:
    return [
        f"    {side} {alias:<14} {tensor.dtype.removeprefix('DT_').lower()} {_shape(tensor)}"
        for alias, tensor in tensors.items()
    ]


def _shape(tensor: TensorSpec) -> str:
    if tensor.shape is None:
        return "of any shape"
    return f"[{', '.join('any' if size < 0 else str(size) for size in tensor.shape)}]"


def _specs(tensors: Mapping[str, TensorSpec]) -> dict[str, object]:
    return {alias: {"dtype": each.dtype, "shape": each.shape} for alias, each in tensors.items()}
