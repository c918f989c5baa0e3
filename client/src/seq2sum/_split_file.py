"""A split whose weights are read from a file, so that a rollout can change them at run time.

Calls neither wait for the file nor fail because of it: one thread at a time checks it, and while it
cannot be read, the last good weights stay in effect.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
from pathlib import Path
from time import monotonic

from seq2sum import _forks
from seq2sum._numbers import LONGEST, seconds
from seq2sum._split import Split, parse_variant

log = logging.getLogger("seq2sum")

MAX_BYTES = 1 << 16
"""Limit of the file's size: it is read while a caller waits."""
EXPECTED = 'expected weights by label, version number or target, like {"stable": 95, "canary": 5}'

Fingerprint = tuple[int, int, int]
"""Modification time, size and inode of a file: they change with its content."""


class SplitFile:
    """A `Split` with the weights of a small JSON file, which may be replaced at any time.

    The file is an object with a weight for each variant: `{"stable": 95, "canary": 5}`. Names of
    digits are versions, names with a colon are targets, others are labels. Replace the file
    atomically (write a new one, rename it). If it becomes missing or invalid later, the last good
    weights stay in effect, and the logger `seq2sum` emits one warning for each change.

    Args:
        path: The file.
        poll_interval: Minimum seconds between two checks of the file; 0 to check at every call.

    Raises:
        ValueError: The file cannot be read now, or has no valid weights.

    For example:

        seq2sum.Client(split=seq2sum.SplitFile("traffic.json"))
    """

    __slots__ = (
        "__weakref__", "_fingerprint", "_last_problem", "_lock", "_next_check", "_poll_interval",
        "_split", "path",
    )  # fmt: skip

    def __init__(self, path: str | os.PathLike[str], *, poll_interval: float = 1.0) -> None:
        poll_interval = seconds("poll_interval", poll_interval, most=LONGEST)
        self.path = Path(path).absolute()  # the program may change its working directory
        self._poll_interval = poll_interval
        self._fingerprint: Fingerprint | None = None
        self._last_problem: tuple[Fingerprint | None, str] | None = None
        self._next_check = monotonic() + poll_interval
        try:
            self._split = self._read()
        except (OSError, ValueError) as error:
            raise ValueError(f"split file {self.path}: {_problem(error)}; {EXPECTED}") from error
        self._reset_after_fork()
        _forks.register(self)

    def __repr__(self) -> str:
        """The file and the weights in effect."""
        return f"SplitFile({str(self.path)!r}, {self._split.weights!r})"

    @property
    def weights(self) -> dict[str | int, float]:
        """The weights by label, version or target, as they are now."""
        return dict(self._current().weights)

    @property
    def current(self) -> Split:
        """The split with the weights as they are now; another object once they have changed."""
        return self._current()

    def choose(self, key: str | bytes | None = None) -> str | int:
        """Returns the label, version or target for this key; without a key, a random one."""
        return self._current().choose(key)

    def _current(self) -> Split:
        lock = self._lock  # a fork during the check replaces it
        if monotonic() >= self._next_check and lock.acquire(blocking=False):
            try:
                if monotonic() >= self._next_check:  # not if another thread has just checked
                    self._next_check = monotonic() + self._poll_interval
                    self._check()
            finally:
                lock.release()
        return self._split

    def _check(self) -> None:
        try:
            if _fingerprint(self.path.stat()) == self._fingerprint:
                return
            split = self._read()
        except OSError as error:
            self._fingerprint = None  # read it next time, whatever its fingerprint
            self._warn(error)
        except ValueError as error:
            self._warn(error)
        else:
            if split.weights != self._split.weights:
                log.info("split file %s: the weights are now %s", self.path, split.weights)
                self._split = split
            self._last_problem = None

    def _read(self) -> Split:
        if not stat.S_ISREG(self.path.stat().st_mode):  # opening a pipe would block
            raise ValueError("not a regular file")
        with self.path.open("rb") as file:
            self._fingerprint = _fingerprint(os.fstat(file.fileno()))
            return Split(parse_weights(file.read(MAX_BYTES + 1)))

    def _warn(self, error: Exception) -> None:
        problem = self._fingerprint, _problem(error)
        if problem != self._last_problem:
            self._last_problem = problem
            log.warning(
                "split file %s: %s; %s; the weights stay %s",
                self.path, problem[1], EXPECTED, self._split.weights,
            )  # fmt: skip

    def _has_aio_channel(self) -> bool:
        return False

    def _reset_after_fork(self) -> None:
        """Replaces the lock: in a forked child, no thread exists that could release it."""
        self._lock = threading.Lock()


def parse_weights(content: bytes) -> dict[str | int, float]:
    """Returns the weights in a file's content.

    Raises:
        ValueError: The content is not valid.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    try:
        # Objects as tuples of pairs, to find duplicate names.
        parsed = json.loads(content, object_pairs_hook=tuple)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"invalid JSON: {error}") from error
    if not isinstance(parsed, tuple):
        raise ValueError("not a JSON object")
    weights: dict[str | int, float] = {}
    for name, weight in parsed:
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise ValueError(f"the weight of {name!r} is not a number")
        variant = parse_variant(name)
        if variant in weights:
            raise ValueError(f"duplicate entry {variant!r}")
        weights[variant] = weight
    return weights


def _fingerprint(status: os.stat_result) -> Fingerprint:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _problem(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    return str(error)
