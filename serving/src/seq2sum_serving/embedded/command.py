"""The `seq2sum-serve` command: flags named as `tensorflow_model_server` names them."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from seq2sum import contract

from seq2sum_serving.embedded.config import (
    DEFAULT_HOST,
    DEFAULT_LOAD_RETRIES,
    DEFAULT_MAX_THREADS_PER_CPU,
    DEFAULT_POLL_SECONDS,
    DEFAULT_PORT,
    DEFAULT_RETRY_MICROS,
    ModelConfig,
    ServerConfig,
)
from seq2sum_serving.embedded.errors import Code, ServingError, StartupError
from seq2sum_serving.embedded.ports import check_port

FAILED = 255
"""Exit code of everything that keeps a server from starting, as there."""
INTERRUPTED = 130
DEFAULT_GRACE_SECONDS = 30.0
SECONDS_TO_LEAVE = 1.0
THREADS = ("source", "manager", "request")
"""Names of the server's threads begin so."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a server; gives back the exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname).1s %(message)s", stream=sys.stderr
    )
    try:
        config = configuration(parser().parse_args(arguments))
        return leave(serve(config))
    except ServingError as error:
        text = " ".join(str(error).split())
        print(f"Failed to start server. Error: {text}", file=sys.stderr, flush=True)
        return leave(FAILED)
    except KeyboardInterrupt:  # before the server has its own way to stop
        return INTERRUPTED


def serve(config: ServerConfig) -> int:
    """Checks what can be checked at once, then loads TensorFlow and serves."""
    check_base_paths(config)
    check_port(config.host, config.port)
    # TensorFlow tells of CPU features and deprecations on every start; errors still show.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from seq2sum_serving.embedded.server import Server

    return asyncio.run(Server(config).run())


def leave(code: int) -> int:
    """The exit code, for a process whose threads have ended.

    A thread may still be inside TensorFlow, in a load or a graph that nothing can interrupt.
    To wait for it could take for ever, and to end the interpreter under it crashes; so the
    process ends here then.
    """
    deadline = time.monotonic() + SECONDS_TO_LEAVE
    others = [t for t in threading.enumerate() if t.name.startswith(THREADS)]
    for thread in others:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in others):
        logging.shutdown()
        os._exit(code)
    return code


class Parser(argparse.ArgumentParser):
    """Exits as the real server does when a flag is wrong."""

    def error(self, message: str) -> NoReturn:
        """One line, and where to read on."""
        self.exit(FAILED, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    flags = Parser(
        prog="seq2sum-serve",
        description=(
            "Serve SavedModels over gRPC as tensorflow_model_server does: same flags, same "
            "wire. New versions that appear below the base path are loaded beside the one "
            "that serves, and take over."
        ),
        epilog='Example: seq2sum-serve --port=8500 --model_base_path="$PWD/models/seq2sum"',
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    flags.add_argument("--port", type=int, default=DEFAULT_PORT, help="gRPC port")
    flags.add_argument(
        "--host",
        default=DEFAULT_HOST,
        help="address to listen on; 0.0.0.0 for all (not a flag of the real server, "
        "which always listens on all)",
    )
    flags.add_argument("--model_name", default=contract.MODEL_NAME, help="name of the model")
    flags.add_argument(
        "--model_base_path",
        default="",
        help="absolute path of the folder that holds the numbered versions",
    )
    flags.add_argument(
        "--file_system_poll_wait_seconds",
        type=int,
        default=DEFAULT_POLL_SECONDS,
        help="pause between two looks for new versions; 0: look once",
    )
    flags.add_argument(
        "--max_num_load_retries",
        type=int,
        default=DEFAULT_LOAD_RETRIES,
        help="further attempts to load a version that failed (the real server's default is 5)",
    )
    flags.add_argument(
        "--load_retry_interval_micros",
        type=int,
        default=DEFAULT_RETRY_MICROS,
        help="pause before each of them",
    )
    flags.add_argument(
        "--grpc_max_threads",
        type=int,
        default=DEFAULT_MAX_THREADS_PER_CPU * (os.cpu_count() or 1),
        help="requests that run at once; further ones wait",
    )
    flags.add_argument(
        "--shutdown_grace_seconds",
        type=float,
        default=DEFAULT_GRACE_SECONDS,
        help="how long calls in flight may take after SIGTERM (not a flag of the real server, "
        "which cuts them)",
    )
    return flags


def check_base_paths(config: ServerConfig) -> None:
    """Refuses a base path that is not there: the real server waits for it, whatever the typo."""
    for model in config.models:
        try:
            found = Path(model.base_path).is_dir()
        except OSError as error:
            raise StartupError(
                Code.PERMISSION_DENIED, f"{model.base_path}; {error.strerror}"
            ) from error
        if not found:
            raise StartupError(
                Code.NOT_FOUND,
                f"Could not find base path {model.base_path} for servable {model.name}; "
                f"make it by exporting a version: seq2sum-train export RUN --to {model.base_path}",
            )


def configuration(flags: argparse.Namespace) -> ServerConfig:
    """The server that the flags describe.

    Raises:
        StartupError: They describe none.
    """
    if not flags.model_base_path:
        raise StartupError(
            Code.INVALID_ARGUMENT,
            "Both server_options.model_base_path and server_options.model_config_file are empty!",
        )
    if not 1 <= flags.port <= 65535:
        raise StartupError(Code.INVALID_ARGUMENT, f"--port={flags.port} is not a port, 1 to 65535")
    if flags.grpc_max_threads < 1:
        raise StartupError(Code.INVALID_ARGUMENT, "--grpc_max_threads must be at least 1")
    model = ModelConfig(flags.model_name, flags.model_base_path)
    model.check()
    return ServerConfig(
        models=(model,),
        host=flags.host,
        port=flags.port,
        load_retries=max(0, flags.max_num_load_retries),
        retry_seconds=max(0, flags.load_retry_interval_micros) / 1e6,
        poll_seconds=flags.file_system_poll_wait_seconds,
        max_threads=flags.grpc_max_threads,
        grace_seconds=flags.shutdown_grace_seconds,
    )


if __name__ == "__main__":
    sys.exit(main())
