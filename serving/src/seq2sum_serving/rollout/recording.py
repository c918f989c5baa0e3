"""The commands that write and check the files by which versions are judged.

They change no server. A file is written as a whole, and only replaces another one by `--force`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import seq2sum
from seq2sum import golden
from seq2sum.golden import GoldenRequest, InvalidGoldenRequest

from seq2sum_serving.console import golden_results
from seq2sum_serving.deployment import atomic_file
from seq2sum_serving.deployment.errors import Exit, Failed, Refused, UsageError
from seq2sum_serving.deployment.replicas import error_text
from seq2sum_serving.gates import contract_file
from seq2sum_serving.gates import golden as golden_gate
from seq2sum_serving.rollout.command_context import CommandContext

SAME_TWICE = (
    "the outputs are not the same twice. List those that are in `expect` of each line, or set a "
    "larger tolerance in `compare`"
)


def golden_record(context: CommandContext) -> Exit:
    """Writes golden requests: inputs from a file, with the outputs of a loaded version."""
    version, source = _version(context), Path(context.arguments.inputs)
    path = _target(context, version, golden_gate.FILE)
    inputs = _read_inputs(source)
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
            lines.append(golden.to_line(requests[-1]) + "\n")
            golden.parse(lines[-1])
        except InvalidGoldenRequest as error:
            raise Failed(f"{place}: {error}; `expect` can list other outputs") from error
    with _errors(client, version, str(source)):
        results = golden.check(client, requests, version=version)
    for (place, _), result in zip(inputs, results, strict=True):
        if not result.passed:
            raise Failed(f"{place}: {SAME_TWICE}: {golden_gate.text(result)}")
    context.output.update(version=version, file=str(path), requests=len(requests))
    if not context.arguments.dry_run:
        _write(path, "".join(lines))
    _show_written(context, f"{len(requests):,} golden requests of version {version}", path)
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
    results = {}
    for target, client in context.executor.replicas.clients().items():
        with _errors(client, version):
            results[target] = golden.check(client, requests, version=version)
    file = store.folder(owner) / golden_gate.FILE
    context.output.update(golden_results.as_json(results, version=version, file=file))
    context.show(golden_results.report(results, version=version, file=file))
    passed = all(result.passed for found in results.values() for result in found)
    return Exit.DONE if passed else Exit.FAILED


def contract_record(context: CommandContext) -> Exit:
    """Writes the contract of a loaded version from its signatures."""
    version = _version(context)
    path = _target(context, version, contract_file.FILE)
    kept = contract_file.read_raw(path) or {}
    client = _client(context)
    with _errors(client, version):
        metadata = client.describe(version=version)
    found = contract_file.described(context.executor.model, metadata)
    own = {key: kept[key] for key in ("extra", "rules") if key in kept}
    content = json.dumps({**kept, **found, **own}, indent=2) + "\n"
    context.output.update(version=version, file=str(path), signatures=list(found["signatures"]))
    if not context.arguments.dry_run:
        _write(path, content)
    signatures = ", ".join(found["signatures"]) or "no signatures"
    _show_written(context, f"the contract of version {version} ({signatures})", path)
    return Exit.DONE


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


def _read_inputs(source: Path) -> list[tuple[str, GoldenRequest]]:
    """Returns the requests in a file, each with its place.

    Raises:
        UsageError: The file cannot be read, or a line is not valid.
    """
    try:
        lines = source.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"cannot read the inputs {source}: {error.strerror}") from error
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            place = f"{source}:{number}"
            try:
                found.append((place, golden.parse(line)))
            except InvalidGoldenRequest as error:
                raise UsageError(f"{place}: {error}") from error
    if not found:
        raise UsageError(f'{source} has no inputs: write lines like {{"inputs": {{"x": [1.0]}}}}')
    return found


@contextmanager
def _errors(client: seq2sum.ModelClient, version: int, place: str = "") -> Iterator[None]:
    """Turns errors of calls into errors of commands."""
    start = f"{place}: " if place else ""
    try:
        yield
    except (seq2sum.VersionNotFound, seq2sum.ModelNotFound) as error:
        raise Refused(
            f"version {version} is not loaded on {client.target}: load it first, for example with "
            f"`canary {version}` ({error_text(error)})"
        ) from error
    except seq2sum.InvalidRequest as error:
        kind = UsageError if place else Failed
        raise kind(f"{start}version {version} does not accept it: {error_text(error)}") from error
    except seq2sum.Seq2SumError as error:
        raise Failed(f"{start}{client.target} does not answer: {error_text(error)}") from error


def _target(context: CommandContext, version: int, name: Path) -> Path:
    """Returns the path of the file to write, after checking that it can be written.

    Raises:
        Refused: It exists, and `--force` is not given; it is part of a read-only volume; or the
            version is not on disk, and `--out` is not given.
        Failed: Its folder is missing or not writable.
    """
    arguments, store = context.arguments, context.executor.store
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
