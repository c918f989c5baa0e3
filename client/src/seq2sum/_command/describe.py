"""`seq2sum describe`: what a model version can do, and what it lacks of the contract."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from seq2sum._command.complaints import one_line, tell
from seq2sum._command.connection import asked, connected
from seq2sum._command.endings import DONE, FAILED
from seq2sum._versions import TensorSpec
from seq2sum.addition.description import Description


def run(options: argparse.Namespace) -> int:
    """Does what the command line asks for; gives back the exit code."""
    with connected(options) as client:
        description = client.describe(**asked(options))
    if options.json:
        print(as_json(client.model, description))
    else:
        print(text(client.model, description))
        if description.missing:
            tell(f"it is no seq2sum model: it lacks {one_line('; '.join(description.missing))}")
    return FAILED if description.missing else DONE


def text(model: str, description: Description) -> str:
    """For a reader."""
    facts = {
        "digits": ("digits of an operand at most", description.digits),
        "steps": ("steps of the encoder", description.steps),
        "vocabulary": ("tokens that it reads", description.vocabulary),
    }
    lines = [f"{model}, version {description.version}"]
    lines += [f"  {value:<3} {words}" for words, value in facts.values() if value is not None]
    for name, signature in description.signatures.items():
        lines.append(f"  signature {name}")
        lines += _tensors("in ", signature.inputs) + _tensors("out", signature.outputs)
    return "\n".join(map(one_line, lines))


def as_json(model: str, description: Description) -> str:
    """For a program."""
    signatures = {
        name: {"inputs": _plain(signature.inputs), "outputs": _plain(signature.outputs)}
        for name, signature in description.signatures.items()
    }
    return json.dumps(
        {
            "model": model,
            "version": description.version,
            "digits": description.digits,
            "steps": description.steps,
            "vocabulary": description.vocabulary,
            "lacks": description.missing,
            "signatures": signatures,
        }
    )


def _tensors(side: str, tensors: Mapping[str, TensorSpec]) -> list[str]:
    return [
        f"    {side} {alias:<14} {tensor.dtype.removeprefix('DT_').lower()} {_sizes(tensor)}"
        for alias, tensor in tensors.items()
    ]


def _sizes(tensor: TensorSpec) -> str:
    if tensor.shape is None:
        return "of any shape"
    return f"[{', '.join('any' if size < 0 else str(size) for size in tensor.shape)}]"


def _plain(tensors: Mapping[str, TensorSpec]) -> dict[str, object]:
    return {alias: {"dtype": each.dtype, "shape": each.shape} for alias, each in tensors.items()}
