"""`seq2sum describe`: shows a version's signatures; of addition, its digits and what it lacks."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from seq2sum._command.connection import call_options, connect
from seq2sum._command.errors import one_line, print_error
from seq2sum._command.exit_codes import FAILURE, SUCCESS
from seq2sum._versions import TensorSpec
from seq2sum.addition import contract
from seq2sum.addition.client import Client
from seq2sum.addition.description import Description


def run(options: argparse.Namespace) -> int:
    """Runs the subcommand; returns the exit code."""
    with connect(options, Client) as client:
        description = client.describe(**call_options(options))
    # A model of this name has to add; one of another name may.
    missing = description.missing if client.model == contract.MODEL_NAME else ()
    if options.json:
        print(as_json(client.model, description))
    else:
        print(text(client.model, description))
        if missing:
            print_error(f"not a seq2sum model: missing {one_line('; '.join(missing))}")
    return FAILURE if missing else SUCCESS


def text(model: str, description: Description) -> str:
    """Returns the description as text."""
    sizes = {
        "maximum digits per operand": description.digits,
        "encoder steps": description.steps,
        "encoder tokens": description.vocabulary,
    }
    adds = model == contract.MODEL_NAME or not description.missing
    shown = [f"  {size:<3} {name}" for name, size in sizes.items() if adds and size is not None]
    version, *signatures = str(description).splitlines()
    return "\n".join([one_line(f"{model}, {version}"), *shown, *signatures])


def as_json(model: str, description: Description) -> str:
    """Returns the description as a JSON object."""
    signatures = {
        name: {"inputs": _specs(signature.inputs), "outputs": _specs(signature.outputs)}
        for name, signature in description.signatures.items()
    }
    addition = {
        "digits": description.digits,
        "steps": description.steps,
        "vocabulary": description.vocabulary,
        "missing": description.missing,
    }
    if description.missing and model != contract.MODEL_NAME:
        addition = {}
    return json.dumps(
        {"model": model, "version": description.version, **addition, "signatures": signatures}
    )


def _specs(tensors: Mapping[str, TensorSpec]) -> dict[str, object]:
    return {alias: {"dtype": each.dtype, "shape": each.shape} for alias, each in tensors.items()}
