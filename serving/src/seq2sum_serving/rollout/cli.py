"""The `seq2sum-rollout` command line."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from seq2sum_serving.deployment.errors import RolloutError
from seq2sum_serving.rollout import options

# `--help`, `--version` and usage errors do not need the modules that run commands: those import
# gRPC, Rich and msgspec, most of the tool's start-up time.
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
        from seq2sum_serving.rollout.opening import open_context

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


if __name__ == "__main__":
    sys.exit(main())
