"""The weights by which callers split their traffic between labels: a small file that they poll."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from seq2sum_serving.deployment import atomic_file
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.state import CANARY, STABLE

Weight = Annotated[float, Meta(ge=0)]
ALL_STABLE: Mapping[str, float] = {STABLE: 100.0}


def canary_weights(percent: float) -> dict[str, float]:
    """Returns weights that send this percentage of the traffic to the canary."""
    if percent <= 0:
        return dict(ALL_STABLE)
    return {STABLE: 100 - percent, CANARY: percent}


class TrafficFile:
    """The file with the weights, in the format that `seq2sum.SplitFile` reads."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, float]:
        """Returns the weights by label; everything goes to `stable` if the file does not exist.

        Raises:
            UsageError: The file is not valid.
        """
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=dict[str, Weight])
        except FileNotFoundError:
            return dict(ALL_STABLE)
        except OSError as error:
            raise UsageError(
                f"cannot read the traffic weights {self.path}: {error.strerror}"
            ) from error
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise UsageError(
                f'invalid traffic weights {self.path}: {error}; expected JSON like {{"stable": 95, '
                '"canary": 5}'
            ) from error

    def check_writable(self) -> None:
        """Checks that the file could be replaced; writes nothing.

        Raises:
            Refused: The file is part of a volume that cannot be changed.
            Failed: Its folder is not writable.
        """
        try:
            atomic_file.check_replaceable(self.path)
        except OSError as error:
            raise self._cannot_write(error) from error

    def write(self, weights: Mapping[str, float]) -> None:
        """Replaces the file.

        Raises:
            Refused: The file is part of a volume that cannot be changed.
            Failed: The file could not be written; the old weights stay.
        """
        try:
            atomic_file.write(self.path, json.dumps(dict(weights)) + "\n")
        except OSError as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: OSError) -> Failed:
        return Failed(
            f"cannot write the traffic weights {self.path}: {error.strerror}. They are unchanged"
        )
