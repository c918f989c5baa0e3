"""The `seq2sum-rollout` command line."""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2sum_serving.deployment.errors import RolloutError
from seq2sum_serving.rollout import options

# `--help`, `--version` and errors of usage come without the modules that run commands: those
# import gRPC, Rich and msgspec, most of the tool's start-up time.
if TYPE_CHECKING:
    from seq2sum_serving.rollout.command_context import CommandContext

INTERRUPTED = 130
"""The exit code that shells use for a command that Ctrl-C ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):  # print ? for characters that cannot be encoded
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    arguments = options.parse(argv)
    start, result = time.monotonic(), dict[str, Any](command=arguments.command)
    context: CommandContext | None = None
    try:
        from seq2sum_serving.rollout.commands import COMMANDS

        with open_context(arguments) as context:
            code = int(COMMANDS[arguments.command](context))
    except RolloutError as error:
        code = int(error.code)
        result["error"] = str(error)
        print(f"seq2sum-rollout: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        code = INTERRUPTED
        result["error"] = "interrupted"
        print(
            "seq2sum-rollout: interrupted after the last step logged above. Run the same command "
            "again to resume",
            file=sys.stderr,
        )
    if arguments.json:
        from seq2sum_serving.console import output

        result |= {"seconds": round(time.monotonic() - start, 3)}
        result |= (context.output if context else {}) | {"exit_code": code}
        with output.optional():
            print(json.dumps(result))
    return code


@contextmanager
def open_context(arguments: argparse.Namespace) -> Iterator[CommandContext]:
    """Reads the files that the options name, and yields the context of the command.

    Raises:
        UsageError: An option or a file is not valid.
    """
    from seq2sum_serving.console import output
    from seq2sum_serving.deployment.cli_options import HISTORY, TRAFFIC
    from seq2sum_serving.deployment.event_log import EventLog
    from seq2sum_serving.deployment.model_config_file import ModelConfigFile, only_model
    from seq2sum_serving.deployment.model_store import ModelStore
    from seq2sum_serving.deployment.replicas import Replicas
    from seq2sum_serving.deployment.tls_options import tls_from_options
    from seq2sum_serving.deployment.traffic import TrafficFile
    from seq2sum_serving.gates import policy
    from seq2sum_serving.gates.metric_providers.prometheus import Prometheus
    from seq2sum_serving.rollout.change_options import Timing
    from seq2sum_serving.rollout.command_context import CommandContext
    from seq2sum_serving.rollout.executor import Executor

    limits = policy.read(arguments.policy) if arguments.policy else policy.default()
    config = ModelConfigFile(arguments.config, arguments.model or only_model(arguments.config))
    base_path = arguments.base_path or Path(config.base_path())
    tls = tls_from_options(arguments)
    with Replicas(arguments.targets, config.model, tls=tls) as replicas:
        executor = Executor(
            config,
            replicas,
            ModelStore(base_path),
            TrafficFile(arguments.traffic or config.model_file(TRAFFIC)),
            EventLog(arguments.history or config.model_file(HISTORY)),
            timing=Timing(limits.load.timeout, limits.traffic.settle),
            log=_log,
        )
        prometheus = Prometheus(arguments.prometheus) if arguments.prometheus else None
        console = output.console(quiet=arguments.json)
        yield CommandContext(arguments, executor, limits, prometheus, console)


def _log(line: str) -> None:
    """Writes progress to standard error; standard output is for the result."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
