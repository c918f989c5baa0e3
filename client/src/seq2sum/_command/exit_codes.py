"""Exit codes: 2 for an invalid command line, 1 for other failures, and never a traceback.

A file on the command line that cannot be used is an invalid command line. After a signal or a
closed pipe the command exits silently with 128 plus the signal's number, like `cat` in a shell.
"""

from __future__ import annotations

import _thread
import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from seq2sum._command.errors import CommandError, UsageError, error_message, print_error
from seq2sum._errors import Seq2SumError
from seq2sum._interrupts import INTERRUPTED

SUCCESS, FAILURE, USAGE_ERROR = 0, 1, 2
CLOSED_PIPE = 128 + 13
"""13 is SIGPIPE on every system; Python on Windows does not define it."""
GRPC_LOGGING = ("GRPC_VERBOSITY", "GRPC_TRACE")
"""Environment variables with which a user asks for the log of gRPC."""


class ExitRequest(BaseException):
    """Ends the process with an exit code; `finally` blocks remove temporary files."""

    def __init__(self, code: int) -> None:
        self.code = code


def run_to_exit_code(run: Callable[[], int], *, exit_process: bool = False) -> int:
    """Calls a function, prints its error if it fails, and returns the exit code.

    Args:
        run: The function to call.
        exit_process: Whether an interrupt ends the process here, instead of returning.
    """
    try:
        code = run()
        if sys.stdout is not None:
            sys.stdout.flush()
    except SystemExit as error:  # argparse has printed help or an error
        return _flush(error.code if isinstance(error.code, int) else USAGE_ERROR)
    except (UsageError, CommandError, Seq2SumError) as error:
        print_error(error_message(error))
        return USAGE_ERROR if isinstance(error, UsageError) else FAILURE
    except (KeyboardInterrupt, ExitRequest) as error:
        code = error.code if isinstance(error, ExitRequest) else INTERRUPTED
        if exit_process:
            _exit_now(code)
        return code
    except BrokenPipeError:
        return _discard_output(CLOSED_PIPE)
    except OSError as error:  # from standard output; other files raise CommandError
        print_error(f"cannot write to standard output: {error.strerror or error}")
        return _discard_output(FAILURE)
    return code


def install_exit_handlers() -> None:
    """Prepares this process to exit silently on signals, whatever its streams are."""
    for descriptor, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None:  # otherwise the next opened file would get this descriptor
            _redirect_to_null(descriptor)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _request_exit)
    if isinstance(sys.stdout, io.TextIOWrapper):  # for characters outside the encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.unraisablehook = _unraisable
    if sys.stderr is not None and not any(name in os.environ for name in GRPC_LOGGING):
        _silence_grpc()


def _request_exit(number: int, _: object) -> None:
    raise ExitRequest(128 + number)


def _unraisable(arguments: sys.UnraisableHookArgs) -> None:
    """Repeats an interrupt that Python dropped because it arrived in a destructor."""
    if issubclass(arguments.exc_type, KeyboardInterrupt):
        _thread.interrupt_main()
    else:
        sys.__unraisablehook__(arguments)


def _exit_now(code: int) -> NoReturn:
    """Exits without Python's shutdown.

    If the interrupt arrived while gRPC was starting a call, closing or freeing the channel would
    wait for that call forever.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.flush()
    os._exit(code)


def _silence_grpc() -> None:
    """Redirects the log of gRPC's C code, whose errors the command reports in its own line.

    gRPC has read its environment variables already, at import. So Python gets a copy of standard
    error, and descriptor 2 is redirected.
    """
    copy = os.fdopen(
        os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace"
    )
    sys.stderr.flush()
    _redirect_to_null(2)
    sys.stderr = copy


def _flush(code: int) -> int:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        return _discard_output(CLOSED_PIPE)
    except OSError:
        return _discard_output(FAILURE)
    return code


def _discard_output(code: int) -> int:
    """Discards buffered output, which Python would fail to flush at exit; returns the code."""
    _redirect_to_null(1)
    return code


def _redirect_to_null(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
