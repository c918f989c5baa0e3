"""The commands that write and check golden requests."""

from __future__ import annotations

import sys
from pathlib import Path

from seq2sum import golden
from seq2sum.golden import GoldenRequest, GoldenResult, InvalidGoldenRequest

from seq2sum_serving.console import golden_results
from seq2sum_serving.deployment.errors import Exit, Failed, Refused, RolloutError, UsageError
from seq2sum_serving.gates import golden_gate
from seq2sum_serving.rollout.command_context import CommandContext
from seq2sum_serving.rollout.recorded_file import (
    STANDARD,
    call_errors,
    first_client,
    given_version,
    show_written,
    writable_path,
    write,
)

SAME_TWICE = (
    "the outputs are not the same twice. List those that are in `expect` of each line, or set a "
    "larger tolerance in `compare`"
)


def golden_record(context: CommandContext) -> Exit:
    """Writes golden requests: inputs from a file, with the outputs of a loaded version."""
    version, source = given_version(context), context.arguments.inputs
    path = writable_path(context, version, golden_gate.FILE)
    name = "standard input" if source == STANDARD else str(source)
    inputs = _read_inputs(source, name)
    client = first_client(context)
    requests, lines = [], []
    for place, request in inputs:
        with call_errors(client, version, place):
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
    with call_errors(client, version, name):
        results = golden.check(client, requests, version=version)
    for (place, _), result in zip(inputs, results, strict=True):
        if not result.passed:
            raise Failed(f"{place}: {SAME_TWICE}: {golden_gate.text(result)}")
    context.output.update(version=version, file=str(path), requests=len(requests))
    if not context.arguments.dry_run:
        write(path, "".join(lines))
    show_written(context, f"{_counted(len(requests))} of version {version}", path)
    return Exit.DONE


def golden_check(context: CommandContext) -> Exit:
    """Compares outputs of a version with its golden requests, on every replica."""
    version, store = given_version(context), context.executor.store
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
            with call_errors(client, version):
                results[target] = golden.check(client, requests, version=version)
        except RolloutError as error:
            results[target] = str(error)
    file = store.folder(owner) / golden_gate.FILE
    context.output.update(golden_results.as_json(results, version=version, file=file))
    context.show(golden_results.report(results, version=version, file=file))
    return Exit.DONE if golden_results.all_passed(results) else Exit.FAILED


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
