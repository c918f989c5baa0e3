"""The weights by which callers split their traffic between labels: a small file that they poll."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from seq2sum_serving.deployment.errors import UsageError
from seq2sum_serving.deployment.replaceable_file import ReplaceableFile
from seq2sum_serving.deployment.state import CANARY, STABLE

Weight = Annotated[float, Meta(ge=0)]
ALL_STABLE: Mapping[str, float] = {STABLE: 100.0}


def canary_weights(percent: float, canary: str = CANARY) -> dict[str, float]:
    """Returns weights, whose sum is 100, that send this percentage of the traffic to the canary.

    Args:
        percent: The percentage.
        canary: The label or the targets of the canary.
    """
    if percent <= 0:
        return dict(ALL_STABLE)
    return {STABLE: 100 - percent, canary: percent}


class TrafficFile:
    """The file with the weights, in the format that `seq2sum.SplitFile` reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = ReplaceableFile(path, "the traffic weights")

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
        """Checks that the file could be replaced; raises as `ReplaceableFile.check_writable`."""
        self._file.check_writable()

    def write(self, weights: Mapping[str, float]) -> None:
        """Replaces the file; raises as `ReplaceableFile.write`."""
        self._file.write(json.dumps(dict(weights)) + "\n")
