"""The contract of a version: a file in its folder that says what callers rely on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct
from seq2sum import ModelMetadata, SignatureSpec, TensorSpec

from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.model_store import EXTRA
from seq2sum_serving.deployment.plain_text import one_line

FILE = Path(EXTRA, "contract.json")
"""In the folder of a version."""
FORMAT = 2
INTERNAL_PREFIX = "__saved_model"
"""Prefix of TensorFlow's own signatures, such as `__saved_model_init_op`, which no caller uses."""

RECORD = "`seq2sum-rollout contract record` writes one from the signatures of a loaded version"

Rule = Literal["equal", "not_smaller"]


class TensorEntry(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An input or output in a contract file."""

    dtype: str
    shape: tuple[int, ...] | None
    """Sizes, -1 for any; null if the rank is unknown."""
    optional: bool = False
    """Whether callers may leave the input out."""


class SignatureEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A signature in a contract file."""

    inputs: dict[str, TensorEntry]
    outputs: dict[str, TensorEntry]


class Contract(Struct, frozen=True):
    """The content of a contract file. Further keys are for people, except `evaluation`."""

    contract: int
    """The version of the format."""
    model: str
    signatures: dict[str, SignatureEntry]
    extra: dict[str, Any] = {}
    """Whatever else callers rely on."""
    rules: dict[str, Rule] = {}
    """Rules by key of `extra`: the comparison that later versions have to pass."""


def read(folder: Path) -> Contract | None:
    """Returns the contract of a version; None if it has none.

    Raises:
        Failed: The file cannot be read, or is not valid.
    """
    content = read_raw(folder / FILE)
    return None if content is None else parse(folder / FILE, content)


def read_raw(path: Path) -> dict[str, Any] | None:
    """Returns a contract file as JSON values with all of its keys; raises as `read`."""
    try:
        content = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failed(f"cannot read the contract {path}: {error.strerror}") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise _invalid(path, str(error)) from error
    return content


def parse(path: Path, content: Mapping[str, Any]) -> Contract:
    """Returns the contract in a file's JSON values; raises as `read`."""
    if content.get("contract") != FORMAT:
        found = one_line(repr(content.get("contract")), max_characters=40)
        raise _invalid(path, f"contract is {found}, expected {FORMAT}")
    try:
        parsed = msgspec.convert(content, Contract)
    except msgspec.ValidationError as error:
        raise _invalid(path, str(error)) from error
    for key, rule in parsed.rules.items():
        value = parsed.extra.get(key)
        if key not in parsed.extra or (rule == "not_smaller" and not is_number(value)):
            needed = "a value" if rule == "equal" else "a number"
            raise _invalid(path, f"rules has {key!r}, which needs {needed} of this name in extra")
    return parsed


def _invalid(path: Path, problem: str) -> Failed:
    return Failed(
        f"invalid contract {path}: {one_line(problem)}; export the version again, or remove the "
        f"file: {RECORD}"
    )


def described(model: str, metadata: ModelMetadata) -> dict[str, Any]:
    """Returns the contract of a version with these signatures, as JSON values."""

    def entries(
        specs: Mapping[str, TensorSpec], optional: frozenset[str] = frozenset()
    ) -> dict[str, TensorEntry]:
        return {n: TensorEntry(s.dtype, s.shape, n in optional) for n, s in specs.items()}

    signatures = {
        name: SignatureEntry(entries(spec.inputs, spec.optional), entries(spec.outputs))
        for name, spec in used_signatures(metadata).items()
    }
    found: dict[str, Any] = msgspec.to_builtins(Contract(FORMAT, model, signatures))
    return found


def used_signatures(metadata: ModelMetadata) -> dict[str, SignatureSpec]:
    """Returns the signatures that callers can use."""
    found = metadata.signatures.items()
    return {name: spec for name, spec in found if not name.startswith(INTERNAL_PREFIX)}


def signatures_of(contract: Contract) -> dict[str, SignatureSpec]:
    """Returns the signatures in a contract, as a server reports them."""

    def specs(entries: Mapping[str, TensorEntry]) -> dict[str, TensorSpec]:
        return {name: TensorSpec(entry.dtype, entry.shape) for name, entry in entries.items()}

    return {
        name: SignatureSpec(
            specs(entry.inputs),
            specs(entry.outputs),
            frozenset(alias for alias, tensor in entry.inputs.items() if tensor.optional),
        )
        for name, entry in contract.signatures.items()
    }


def is_number(value: Any) -> bool:
    """Returns whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
