"""The command that writes the contract of a version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2sum_serving.deployment.errors import Exit, Failed
from seq2sum_serving.gates import contract_file
from seq2sum_serving.gates.contract_file import Contract
from seq2sum_serving.rollout.command_context import CommandContext
from seq2sum_serving.rollout.recorded_file import (
    call_errors,
    first_client,
    given_version,
    show_written,
    writable_path,
    write,
)

OWN_KEYS = ("extra", "rules")
"""Keys of a contract that are not about signatures."""


def contract_record(context: CommandContext) -> Exit:
    """Writes the contract of a loaded version from its signatures."""
    version = given_version(context)
    path = writable_path(context, version, contract_file.FILE)
    client = first_client(context)
    with call_errors(client, version):
        metadata = client.describe(version=version)
    found = contract_file.described(context.executor.model, metadata)
    content, note = _with_kept(context, version, path, found)
    context.output.update(version=version, file=str(path), signatures=list(found["signatures"]))
    if not context.arguments.dry_run:
        write(path, json.dumps(content, indent=2) + "\n")
    signatures = ", ".join(found["signatures"]) or "no signatures"
    show_written(context, f"the contract of version {version} ({signatures})", path)
    if note:
        context.output["note"] = note
        context.show(note)
    return Exit.DONE


def _with_kept(
    context: CommandContext, version: int, path: Path, found: Mapping[str, Any]
) -> tuple[dict[str, Any], str]:
    """Returns a contract with what is kept of the former file or an older one, and a note.

    Args:
        context: The context of the command.
        version: The version whose contract it is.
        path: The file to write; what exists there is replaced.
        found: The contract as the server's metadata describes it.
    """
    try:
        former = contract_file.read_raw(path) or {}
        own = {key: former[key] for key in OWN_KEYS if key in former}
        content = {**former, **found, **own}
        contract_file.parse(path, content)
        note = ""
    except Failed:
        content, own = dict(found), {}
        note = "the former file was not valid: nothing of it is kept. "
    older = None if own else context.executor.nearest_file(version, _readable_contract)
    if older is None or not older[1].extra:
        return content, note.rstrip()
    owner, contract = older
    keys = ", ".join(contract.extra)
    note += (
        f"`extra` ({keys}) and `rules` are those of version {owner}: correct the values of "
        f"`extra` that are different in version {version}"
    )
    return {**content, "extra": contract.extra, "rules": contract.rules}, note


def _readable_contract(folder: Path) -> Contract | None:
    """Returns the contract of a version; None if it has none, or one that is not valid."""
    try:
        return contract_file.read(folder)
    except Failed:
        return None
