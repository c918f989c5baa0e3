"""The `seq2sum-serve` command: `tensorflow_model_server`, with its flags."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from seq2sum_serving.embedded import environment, flag_help, memory
from seq2sum_serving.embedded import flags as command_line
from seq2sum_serving.embedded.errors import ServingError, StartupError
from seq2sum_serving.embedded.flags import Flags

if TYPE_CHECKING:
    from seq2sum_serving.embedded.config import ServerConfig
    from seq2sum_serving.embedded.server import Server

log = logging.getLogger(__name__)

FAILED = 255
"""Exit code of everything that keeps a server from starting, and of `--help`, as there."""
INTERRUPTED = 130
SECONDS_TO_LEAVE = 1.0
THREADS = ("source", "config", "manager", "load", "unload", "batch", "request", "rest")
"""Names of the server's threads begin so."""


def show(text: str) -> None:
    """Prints a text, as much of it as the reader of standard output takes."""
    try:
        print(text, end="", flush=True)
    except OSError:  # a closed pipe, a full disk; the flush at exit must not meet it again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a server; gives back the exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname).1s %(message)s", stream=sys.stderr
    )
    try:
        flags = command_line.parse(sys.argv[1:] if arguments is None else arguments)
    except StartupError as error:
        name = flag_help.COMMAND
        print(f"{name}: {error.message}; see {name} --help", file=sys.stderr, flush=True)
        return FAILED
    if flags.help:
        show(flag_help.text())
        return FAILED
    if flags.version:
        show(flag_help.versions())
        return 0
    if arguments is None:  # else this process has another purpose, too
        environment.restart_if_needed()
    try:
        return leave(serve(flags))
    except ServingError as error:
        return leave(FAILED, f"Failed to start server. Error: {error}")
    except KeyboardInterrupt:  # before the server has its own way to stop
        return leave(INTERRUPTED)


def serve(flags: Flags) -> int:
    """Checks what can be checked at once, then loads TensorFlow and serves.

    Raises:
        ServingError: It cannot start.
    """
    command_line.refuse_missing(flags)
    if names := command_line.ineffective(flags):
        log.warning("Without effect here: %s", ", ".join(f"--{name}" for name in names))
    memory.limit()
    from seq2sum_serving.embedded.reservation import reserved
    from seq2sum_serving.embedded.rpc.credentials import credentials
    from seq2sum_serving.embedded.startup import configuration

    config = configuration(flags)
    with reserved(config):
        if config.ssl is not None:
            credentials(config.ssl)
        server = _loaded(flags, config)
    return asyncio.run(server.serve())


def _loaded(flags: Flags, config: ServerConfig) -> Server:
    """Loads TensorFlow and the models."""
    # TensorFlow tells of CPU features and deprecations on every start; errors still show.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # The kernels that the stock container takes on current processors. They are quicker for
    # large batches and large models, and some of them have their own words for errors.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from seq2sum_serving.embedded.inference.session_config import session_config
    from seq2sum_serving.embedded.server import Server

    session = session_config(
        file=flags.tensorflow_session_config_file,
        parallelism=flags.tensorflow_session_parallelism,
        intra_op=flags.tensorflow_intra_op_parallelism,
        inter_op=flags.tensorflow_inter_op_parallelism,
        gpu_memory_fraction=flags.per_process_gpu_memory_fraction,
    )
    if flags.mixed_precision == "bfloat16":  # any other word is without effect there too
        rewrites = session.graph_options.rewrite_options
        rewrites.auto_mixed_precision_onednn_bfloat16 = rewrites.ON
    server = Server(replace(config, session_config=session))
    server.load()
    return server


def leave(code: int, last_words: str = "") -> int:
    """The exit code, for a process whose threads have ended.

    A thread may still be inside TensorFlow, in a load or a graph that nothing can interrupt.
    To wait for it could take for ever, and to end the interpreter under it crashes; so the
    process ends here then.

    Args:
        code: Exit code.
        last_words: The last line on standard error, whatever threads had to say before.
    """
    deadline = time.monotonic() + SECONDS_TO_LEAVE
    others = [t for t in threading.enumerate() if t.name.startswith(THREADS)]
    for thread in others:
        thread.join(max(0.0, deadline - time.monotonic()))
    if last_words:
        print(last_words, file=sys.stderr, flush=True)
    if any(thread.is_alive() for thread in others):
        logging.shutdown()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
