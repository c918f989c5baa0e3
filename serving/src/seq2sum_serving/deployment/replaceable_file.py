"""A file that is replaced as a whole, and whose readers see the old content or the new one."""

from __future__ import annotations

from pathlib import Path

from seq2sum_serving.deployment import atomic_file
from seq2sum_serving.deployment.errors import Failed


class ReplaceableFile:
    """The file.

    Args:
        path: Its path.
        name: What it contains, for errors: `the traffic weights`.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self._name = name

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

    def write(self, text: str) -> None:
        """Replaces the file.

        Raises:
            Refused: The file is part of a volume that cannot be changed.
            Failed: The file could not be written; the old content stays.
        """
        try:
            atomic_file.write(self.path, text)
        except OSError as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: OSError) -> Failed:
        return Failed(
            f"cannot write {self._name} {self.path}: {error.strerror}. They are unchanged"
        )
