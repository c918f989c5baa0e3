"""How the command ends: an exit code, and never a traceback.

What is wrong with the command line, a file that it names included, ends it with 2; what goes
wrong later with 1. Signals and closed pipes end it as they end `cat`: quietly, with 128 and
the number of the signal.
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

from seq2sum._command.complaints import Failure, Mistake, complaint, tell
from seq2sum._errors import Seq2SumError

DONE, FAILED, WRONG = 0, 1, 2
INTERRUPTED = 128 + signal.SIGINT
CLOSED_PIPE = 128 + 13
"""SIGPIPE, whose number is the same everywhere; not every system has the name."""


GRPC_LOGGING = ("GRPC_VERBOSITY", "GRPC_TRACE")
"""Who sets these wants to see what gRPC writes."""


class Ended(BaseException):
    """Somebody asks the process to end. Temporary files are cleared away on its way up."""

    def __init__(self, code: int) -> None:
        self.code = code


def ended(run: Callable[[], int], *, at_once: bool = False) -> int:
    """Runs it; gives back the exit code, with everything told that went wrong.

    Args:
        run: What is done.
        at_once: Whether the process itself ends when it is told to, and this does not return.
    """
    try:
        code = run()
        if sys.stdout is not None:
            sys.stdout.flush()
    except SystemExit as error:  # of argparse: help or a wrong command line, told already
        return _flushed(error.code if isinstance(error.code, int) else WRONG)
    except (Mistake, Failure, Seq2SumError) as error:
        tell(complaint(error))
        return WRONG if isinstance(error, Mistake) else FAILED
    except (KeyboardInterrupt, Ended) as error:
        code = error.code if isinstance(error, Ended) else INTERRUPTED
        if at_once:
            _end_now(code)
        return code
    except BrokenPipeError:
        return _abandoned(CLOSED_PIPE)
    except OSError as error:  # of standard output: files have their own Failure
        tell(f"cannot write to standard output: {error.strerror or error}")
        return _abandoned(FAILED)
    return code


def end_quietly() -> None:
    """Makes this process end without noise, whenever it is told to."""
    for descriptor, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None:  # closed: or the next thing that is opened would take its place
            _point_nowhere(descriptor)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _terminate)
    if isinstance(sys.stdout, io.TextIOWrapper):  # as standard error is: no encoding has them all
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.unraisablehook = _unraisable
    if sys.stderr is not None and not any(name in os.environ for name in GRPC_LOGGING):
        _leave_out_grpc()


def _terminate(number: int, _: object) -> None:
    raise Ended(128 + number)


def _unraisable(what: sys.UnraisableHookArgs) -> None:
    """An interrupt that came within a destructor, where Python drops it, comes once more."""
    if issubclass(what.exc_type, KeyboardInterrupt):
        _thread.interrupt_main()
    else:
        sys.__unraisablehook__(what)


def _end_now(code: int) -> NoReturn:
    """Ends the process without Python's own way out of it.

    An interrupt comes in the middle of anything. Had it come while gRPC began a call, to close
    or to free the channel would wait for that call for ever.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.flush()
    os._exit(code)


def _leave_out_grpc() -> None:
    """Keeps lines of gRPC's C code off standard error: the command tells the same in one.

    gRPC reads its variables when it is imported, which was long before anything here. So it
    gets another standard error than Python.
    """
    ours = os.fdopen(
        os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace"
    )
    sys.stderr.flush()
    _point_nowhere(2)
    sys.stderr = ours


def _flushed(code: int) -> int:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        return _abandoned(CLOSED_PIPE)
    except OSError:
        return _abandoned(FAILED)
    return code


def _abandoned(code: int) -> int:
    """The code; what standard output still holds goes nowhere, or Python would complain."""
    _point_nowhere(1)
    return code


def _point_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
