"""The commands that write and check the files by which versions are judged.

They change no server. A file is written as a whole, and only replaces another one by `--force`.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import seq2sum
from seq2sum import golden
from seq2sum.golden import GoldenRequest, GoldenResult, InvalidGoldenRequest

from seq2sum_serving.console import golden_results
from seq2sum_serving.deployment import atomic_file
from seq2sum_serving.deployment.errors import Exit, Failed, Refused, RolloutError, UsageError
from seq2sum_serving.deployment.plain_text import one_line
from seq2sum_serving.deployment.replicas import error_text
from seq2sum_serving.gates import contract_file, golden_gate
from seq2sum_serving.gates.contract_file import Contract
from seq2sum_serving.rollout.command_context import CommandContext

STANDARD = Path("-")
"""Stands for standard input, or for standard output."""
MAX_ERROR_CHARACTERS = 600
"""Of an error of a server, which may be many lines."""
OWN_KEYS = ("extra", "rules")
"""Keys of a contract that are not about signatures."""
SAME_TWICE = (
    "the outputs are not the same twice. List those that are in `expect` of each line, or set a "
    "larger tolerance in `compare`"
)


def golden_record(context: CommandContext) -> Exit:
    """Writes golden requests: inputs from a file, with the outputs of a loaded version."""
    version, source = _version(context), context.arguments.inputs
    path = _writable_path(context, version, golden_gate.FILE)
    name = "standard input" if source == STANDARD else str(source)
    inputs = _read_inputs(source, name)
    client = _client(context)
    requests, lines = [], []
    for place, request in inputs:
        with _errors(client, version, place):
            outputs = list(request.expect) or None
            prediction = client.predict(
                request.inputs, signature=request.signature_name, outputs=outputs, version=version
            )
        try:
            requests.append(golden.recorded(request, prediction))
        except InvalidGoldenRequest as error:
            kind = UsageError if request.compare else Failed
            raise kind(f"{place}: {error}") from error
        try:
            lines.append(golden.to_line(requests[-1]) + "\n")
            golden.parse(lines[-1])
        except InvalidGoldenRequest as error:
            raise Failed(f"{place}: {error}; `expect` can list other outputs") from error
    with _errors(client, version, name):
        results = golden.check(client, requests, version=version)
    for (place, _), result in zip(inputs, results, strict=True):
        if not result.passed:
            raise Failed(f"{place}: {SAME_TWICE}: {golden_gate.text(result)}")
    context.output.update(version=version, file=str(path), requests=len(requests))
    if not context.arguments.dry_run:
        _write(path, "".join(lines))
    _show_written(context, f"{_counted(len(requests))} of version {version}", path)
    return Exit.DONE


def golden_check(context: CommandContext) -> Exit:
    """Compares outputs of a version with its golden requests, on every replica."""
    version, store = _version(context), context.executor.store
    nearest = context.executor.nearest_file(version, golden_gate.read)
    if nearest is None:
        raise Refused(
            f"neither version {version} nor one in service before it has {golden_gate.FILE}: "
            f"{golden_gate.RECORD}"
        )
    owner, requests = nearest
    results: dict[str, list[GoldenResult] | str] = {}
    for target, client in context.executor.replicas.clients().items():
        try:
            with _errors(client, version):
                results[target] = golden.check(client, requests, version=version)
        except RolloutError as error:
            results[target] = str(error)
    file = store.folder(owner) / golden_gate.FILE
    context.output.update(golden_results.as_json(results, version=version, file=file))
    context.show(golden_results.report(results, version=version, file=file))
    return Exit.DONE if golden_results.all_passed(results) else Exit.FAILED


def contract_record(context: CommandContext) -> Exit:
    """Writes the contract of a loaded version from its signatures."""
    version = _version(context)
    path = _writable_path(context, version, contract_file.FILE)
    client = _client(context)
    with _errors(client, version):
        metadata = client.describe(version=version)
    found = contract_file.described(context.executor.model, metadata)
    content, note = _with_kept(context, version, path, found)
    context.output.update(version=version, file=str(path), signatures=list(found["signatures"]))
    if not context.arguments.dry_run:
        _write(path, json.dumps(content, indent=2) + "\n")
    signatures = ", ".join(found["signatures"]) or "no signatures"
    _show_written(context, f"the contract of version {version} ({signatures})", path)
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
    except Failed as error:
        content, own = dict(found), {}
        note = f"the former file was not valid, and nothing of it is kept ({error}). "
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


def _version(context: CommandContext) -> int:
    """Returns the version of the command line, or else the stable one."""
    version: int | None = context.arguments.version
    if version is None:
        version = context.executor.observe_files().stable
    if version is None:
        raise Refused("no version is stable in the model config file: give a version")
    return version


def _client(context: CommandContext) -> seq2sum.ModelClient:
    """Returns a client of the first replica."""
    return next(iter(context.executor.replicas.clients().values()))


def _counted(requests: int) -> str:
    return "1 golden request" if requests == 1 else f"{requests:,} golden requests"


def _read_inputs(source: Path, name: str) -> list[tuple[str, GoldenRequest]]:
    """Returns the requests in a file, each with its place.

    Raises:
        UsageError: The file cannot be read, or a line is not valid.
    """
    try:
        content = sys.stdin.buffer.read() if source == STANDARD else source.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the inputs {name}: {error.strerror}") from error
    found = []
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            place = f"{name}:{number}"
            try:
                found.append((place, golden.parse(line)))
            except InvalidGoldenRequest as error:
                raise UsageError(f"{place}: {error}") from error
    if not found:
        raise UsageError(f'{name} has no inputs: write lines like {{"inputs": {{"x": [1.0]}}}}')
    return found


@contextmanager
def _errors(client: seq2sum.ModelClient, version: int, place: str = "") -> Iterator[None]:
    """Turns errors of calls into errors of commands."""
    start = f"{place}: " if place else ""

    def text(error: seq2sum.Seq2SumError) -> str:
        return one_line(error_text(error), max_characters=MAX_ERROR_CHARACTERS)

    try:
        yield
    except (seq2sum.VersionNotFound, seq2sum.ModelNotFound) as error:
        raise Refused(
            f"version {version} is not loaded on {client.target}: load it first, for example with "
            f"`canary {version}` ({text(error)})"
        ) from error
    except seq2sum.InvalidRequest as error:
        kind = UsageError if place else Failed
        raise kind(f"{start}version {version} does not accept it: {text(error)}") from error
    except seq2sum.Seq2SumError as error:
        raise Failed(f"{start}{client.target} does not answer: {text(error)}") from error


def _writable_path(context: CommandContext, version: int, name: Path) -> Path:
    """Returns the path of the file to write, after checking that it can be written.

    Raises:
        Refused: It exists, and `--force` is not given; it is part of a read-only volume; or the
            version is not on disk, and `--out` is not given.
        Failed: Its folder is missing or not writable.
        UsageError: `--out` is standard output.
    """
    arguments, store = context.arguments, context.executor.store
    if arguments.out == STANDARD:
        raise UsageError("--out -: expected a file, because standard output is for the result")
    if arguments.out is None and version not in store.versions():
        on_disk = ", ".join(map(str, store.versions())) or "none"
        raise Refused(
            f"version {version} is not on disk (on disk: {on_disk}): name a file with --out"
        )
    path: Path = arguments.out or store.folder(version) / name
    if path.exists() and not arguments.force:
        raise Refused(f"{path} exists: replace it with --force, or name another file with --out")
    folder = path.parent
    if arguments.out is None and not folder.exists():
        folder = folder.parent
    try:
        if not folder.is_dir() and folder.exists():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        atomic_file.check_replaceable(folder / path.name)
    except OSError as error:
        raise Failed(f"cannot write {path}: {error.strerror}") from error
    return path


def _write(path: Path, text: str) -> None:
    """Writes a file, after creating `assets.extra/` if it is missing.

    Raises:
        Failed: It cannot be written.
    """
    try:
        path.parent.mkdir(exist_ok=True)
        atomic_file.write(path, text)
    except OSError as error:
        raise Failed(f"cannot write {path}: {error.strerror}") from error


def _show_written(context: CommandContext, what: str, path: Path) -> None:
    if context.arguments.dry_run:
        context.show_plan([f"write {what} to {path}"])
    else:
        context.show(f"wrote {what} to {path}")
