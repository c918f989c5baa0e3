"""The weights by which callers share their calls between labels: a small file that they read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2sum_serving.deployment import atomic_file
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.state import CANARY, STABLE

ALL_STABLE: Mapping[str, float] = {STABLE: 100.0}


def canary_weights(percent: float) -> dict[str, float]:
    """Weights that send this much to the version on trial."""
    if percent <= 0:
        return dict(ALL_STABLE)
    return {STABLE: 100 - percent, CANARY: percent}


class TrafficFile:
    """The file, as `seq2sum.SplitFile` reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, float]:
        """The weights by label; all to `stable` where there is no file.

        Raises:
            UsageError: It holds no weights.
        """
        try:
            weights = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return dict(ALL_STABLE)
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(f"cannot read the weights in {self.path}: {error}") from error
        if not isinstance(weights, dict) or not all(map(_is_weight, weights.values())):
            raise UsageError(
                f'{self.path} holds no weights: it should be like {{"stable": 95, "canary": 5}}'
            )
        return {label: float(weight) for label, weight in weights.items()}

    def check_writable(self) -> None:
        """Checks that other weights could be put in place; writes nothing.

        Raises:
            Refused: The file is part of a volume that cannot be changed.
            Failed: Its folder cannot be written.
        """
        try:
            atomic_file.check_replaceable(self.path)
        except OSError as error:
            raise self._unwritten(error) from error

    def write(self, weights: Mapping[str, float]) -> None:
        """Puts other weights in place.

        Raises:
            Refused: The file is part of a volume that cannot be changed.
            Failed: It cannot be written; the old weights stay.
        """
        try:
            atomic_file.write(self.path, json.dumps(dict(weights)) + "\n")
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> Failed:
        return Failed(
            f"cannot write the weights {self.path}: {error.strerror}. They are as they were"
        )


def _is_weight(value: Any) -> bool:
    """Whether callers that read the file would take it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return value >= 0 and math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False
