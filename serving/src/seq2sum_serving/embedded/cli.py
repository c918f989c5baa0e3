"""The `seq2sum-serve` command, which has the flags of `tensorflow_model_server`."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from seq2sum_serving.embedded import (
    environment,
    flag_completion,
    flag_help,
    memory,
    partial_tensorflow,
)
from seq2sum_serving.embedded import flags as command_line
from seq2sum_serving.embedded.errors import ServingError, StartupError
from seq2sum_serving.embedded.flags import Flags

if TYPE_CHECKING:
    from seq2sum_serving.embedded.config import ServerConfig
    from seq2sum_serving.embedded.server import Server

log = logging.getLogger(__name__)

FAILED = 255
"""Exit code of a failed start and of `--help`; tensorflow_model_server has the same (main.cc)."""
INTERRUPTED = 130
THREAD_EXIT_SECONDS = 1.0
THREAD_NAME_PREFIXES = (
    "source", "config", "manager", "load", "unload", "batch", "request", "rest",
)  # fmt: skip
"""Prefixes of the names of the server's threads."""


def print_text(text: str) -> None:
    """Prints a text; ignores a closed pipe or a full disk."""
    try:
        print(text, end="", flush=True)
    except OSError:  # replaces stdout, so that the flush at exit does not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a server, and returns the exit code."""
    if "_ARGCOMPLETE" in os.environ:
        flag_completion.complete()
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
        print_text(flag_help.text())
        return FAILED
    if flags.version:
        print_text(flag_help.versions())
        return 0
    if arguments is None:  # otherwise this process belongs to the caller
        environment.restart_if_needed()
        partial_tensorflow.install()
    try:
        return leave(serve(flags))
    except ServingError as error:
        return leave(FAILED, f"Failed to start server. Error: {error}")
    except KeyboardInterrupt:  # before the server handles signals
        return leave(INTERRUPTED)


def serve(flags: Flags) -> int:
    """Checks the configuration, then loads TensorFlow and serves; returns the exit code.

    Raises:
        ServingError: The server cannot start.
    """
    command_line.check_supported(flags)
    if names := command_line.ignored(flags):
        log.warning("Flags without effect: %s", ", ".join(f"--{name}" for name in names))
    memory.configure_malloc()
    memory.configure_stacks()
    with memory.collections_paused():
        import asyncio

        from seq2sum_serving.embedded.ports import reserved
        from seq2sum_serving.embedded.rpc import native_support
        from seq2sum_serving.embedded.rpc.credentials import credentials
        from seq2sum_serving.embedded.startup import configuration

    config = configuration(flags)
    native_support.check(config)
    with reserved(config):
        if config.ssl is not None:
            credentials(config.ssl)
        server = _loaded(flags, config)
    return asyncio.run(server.serve())


def _loaded(flags: Flags, config: ServerConfig) -> Server:
    """Loads TensorFlow and the models."""
    # TensorFlow logs CPU features and deprecations on every start; errors are still logged.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # The kernels that the stock container uses on current processors. They are faster for large
    # batches and large models, and some of them have different error messages.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with memory.collections_paused():
        from seq2sum_serving.embedded.inference.session_config import session_config
        from seq2sum_serving.embedded.server import Server

    session = session_config(
        file=flags.tensorflow_session_config_file,
        parallelism=flags.tensorflow_session_parallelism,
        intra_op=flags.tensorflow_intra_op_parallelism,
        inter_op=flags.tensorflow_inter_op_parallelism,
        gpu_memory_fraction=flags.per_process_gpu_memory_fraction,
    )
    if flags.mixed_precision == "bfloat16":  # other values have no effect (main.cc)
        rewrites = session.graph_options.rewrite_options
        rewrites.auto_mixed_precision_onednn_bfloat16 = rewrites.ON
    server = Server(replace(config, session_config=session))
    server.load()
    return server


def leave(code: int, message: str = "") -> int:
    """Waits for the server's threads, and returns the exit code; exits if a thread still runs.

    A thread may still be inside TensorFlow, in a load or a graph that cannot be interrupted.
    Waiting for it could take forever, and the interpreter would crash if it exited meanwhile.

    Args:
        code: Exit code.
        message: The last line to print on standard error, after those of threads.
    """
    deadline = time.monotonic() + THREAD_EXIT_SECONDS
    others = [t for t in threading.enumerate() if t.name.startswith(THREAD_NAME_PREFIXES)]
    for thread in others:
        thread.join(max(0.0, deadline - time.monotonic()))
    if message:
        print(message, file=sys.stderr, flush=True)
    if any(thread.is_alive() for thread in others):
        logging.shutdown()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
