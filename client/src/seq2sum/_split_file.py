"""A split whose weights stand in a file, so that a rollout can change them under way.

Calls never wait for the file and never fail by it: one thread at a time looks, and weights that
cannot be read leave the last good ones in force.
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
from seq2sum._split import Split, side_named

log = logging.getLogger("seq2sum")

LARGEST = 1 << 16
"""Bytes of a file that is read: a caller's path is no place for more."""
WANTED = 'it should hold weights by label or version number, like {"stable": 95, "canary": 5}'

Signature = tuple[int, int, int]
"""Time of change, size and inode: what tells one content of the file from the next."""


class SplitFile:
    """A `Split` by the weights in a small JSON file, which may be replaced at any time.

    The file is an object with a weight for each side: `{"stable": 95, "canary": 5}`. Names of
    digits are versions, others are labels. Replace it as a whole (write a new one, rename it).
    A file that goes missing or wrong later changes nothing: the last good weights stay, and a
    warning says so, one for each change.

    Args:
        path: The file.
        every: Seconds between two looks at it, at least; 0 for a look at every call.

    Raises:
        ValueError: It cannot be read now, or holds no weights.

    Example:
        seq2sum.Client(split=seq2sum.SplitFile("traffic.json"))
    """

    __slots__ = (
        "__weakref__", "_doubted", "_due", "_every", "_looking", "_seen", "_split", "path",
    )  # fmt: skip

    def __init__(self, path: str | os.PathLike[str], *, every: float = 1.0) -> None:
        every = seconds("every", every, most=LONGEST)
        self.path = Path(path).absolute()  # the program may change its folder
        self._every = every
        self._seen: Signature | None = None
        self._doubted: tuple[Signature | None, str] | None = None
        self._due = monotonic() + every
        try:
            self._split = self._taken()
        except (OSError, ValueError) as error:
            raise ValueError(f"split file {self.path}: {_wrong(error)}; {WANTED}") from error
        self._forget()
        _forks.register(self)

    def __repr__(self) -> str:
        """The file and the weights that are in force."""
        return f"SplitFile({str(self.path)!r}, {self._split.weights!r})"

    @property
    def weights(self) -> dict[str | int, float]:
        """The weights by label or version, as they are now."""
        return dict(self._current().weights)

    def side(self, key: str | bytes | None = None) -> str | int:
        """The label or version for this key; without a key, one at random."""
        return self._current().side(key)

    def _current(self) -> Split:
        looking = self._looking  # after a fork in the midst of it there is another
        if monotonic() >= self._due and looking.acquire(blocking=False):
            try:
                if monotonic() >= self._due:  # else another thread has just looked
                    self._due = monotonic() + self._every
                    self._look()
            finally:
                looking.release()
        return self._split

    def _look(self) -> None:
        try:
            if _signature(self.path.stat()) == self._seen:
                return
            split = self._taken()
        except OSError as error:
            self._seen = None  # whatever is there next time is read
            self._doubt(error)
        except ValueError as error:
            self._doubt(error)
        else:
            if split.weights != self._split.weights:
                log.info("split file %s: the weights are now %s", self.path, split.weights)
            self._split, self._doubted = split, None

    def _taken(self) -> Split:
        """What the file says."""
        if not stat.S_ISREG(self.path.stat().st_mode):  # a pipe would be waited for
            raise ValueError("it is no ordinary file")
        with self.path.open("rb") as file:
            self._seen = _signature(os.fstat(file.fileno()))
            return Split(weights_of(file.read(LARGEST + 1)))

    def _doubt(self, error: Exception) -> None:
        doubt = self._seen, _wrong(error)
        if doubt != self._doubted:
            self._doubted = doubt
            log.warning(
                "split file %s: %s; %s; the weights stay %s",
                self.path, doubt[1], WANTED, self._split.weights,
            )  # fmt: skip

    def _keeps_asyncio(self) -> bool:
        return False

    def _forget(self) -> None:
        """Begins anew in a forked child: there, nobody would give back a thread's lock."""
        self._looking = threading.Lock()


def weights_of(content: bytes) -> dict[str | int, float]:
    """The weights in a file's content.

    Raises:
        ValueError: It holds none; the text says why.
    """
    if len(content) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST} bytes")
    try:
        # Objects as tuples of pairs: a name that comes twice is seen.
        found = json.loads(content, object_pairs_hook=tuple)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from error
    if not isinstance(found, tuple):
        raise ValueError("it is no JSON object")
    weights: dict[str | int, float] = {}
    for name, weight in found:
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise ValueError(f"the weight of {name!r} is no number")
        side = side_named(name)
        if side in weights:
            raise ValueError(f"it names {side!r} twice")
        weights[side] = weight
    return weights


def _signature(status: os.stat_result) -> Signature:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _wrong(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"it cannot be read: {error.strerror or error}"
    return str(error)
