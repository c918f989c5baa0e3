"""The file of record: `models.config`, which every replica reads and polls.

It is read, changed and put in place under a lock, as a whole; what a server would not take is
not written. A change names what it changes from: two operators cannot undo each other unseen.
"""

from __future__ import annotations

from pathlib import Path

from seq2sum.protocol.model_server_config_pb2 import ModelConfig, ModelServerConfig

from seq2sum_serving.deployment import atomic_file, config_text, file_lock
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.state import ModelEntry

LOCAL = "file://"
"""May stand before a path on a server's disk, as in TensorFlow's file systems."""


class ModelConfigFile:
    """One model's entry in a model config file."""

    def __init__(self, path: Path, model: str) -> None:
        self.path = path
        self.model = model

    def text(self) -> str:
        """The file as it is.

        Raises:
            UsageError: It cannot be read.
        """
        try:
            return self.path.read_bytes().decode()  # with the ends of lines as they are
        except FileNotFoundError as error:
            raise UsageError(
                f"there is no model config file {self.path}. Name it with --config, or write it "
                "and start the servers with it by --model_config_file:\n"
                + config_text.EXAMPLE.format(model=self.model)
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the model config file {self.path}: {error}") from error

    def lock_path(self, suffix: str) -> Path:
        """Returns the path of a lock: one for all the links that lead to the file.

        Raises:
            Refused: The file cannot be changed.
        """
        file = atomic_file.resolve(self.path)
        return file.with_name(f".{file.name}.{suffix}")

    def check_writable(self) -> None:
        """Checks that a change could be written; writes nothing.

        Raises:
            Refused: The file cannot be changed.
            Failed: Its folder cannot be written.
        """
        try:
            atomic_file.check_replaceable(self.path)
        except OSError as error:
            raise self._unwritten(error) from error

    def message(self) -> ModelServerConfig:
        """All of it, as servers take it in a reload.

        Raises:
            UsageError: It is missing, or no server would take it.
        """
        return self._told(self.text())[0]

    def read(self) -> ModelEntry:
        """What it says about the model's versions and labels.

        Raises:
            UsageError: It is missing, no server would take it, or it lacks the model.
        """
        return config_text.recorded(self._told(self.text())[1])

    def base_path(self) -> str:
        """Returns the path where the servers look for versions; they take `file://` before it, too.

        Raises:
            UsageError: As `read`.
        """
        return self._told(self.text())[1].base_path.removeprefix(LOCAL)

    def change(self, before: ModelEntry, after: ModelEntry) -> None:
        """Puts other versions and labels in place.

        Args:
            before: What the change was decided on.
            after: What shall stand there.

        Raises:
            UsageError: It is missing, or is written in a way that cannot be changed safely.
            Refused: It is part of a volume that cannot be changed.
            Failed: Somebody else has changed it meanwhile, or it cannot be written.
        """
        try:
            with file_lock.hold(self.lock_path("lock")):
                text = self.text()
                if config_text.recorded(self._told(text)[1]) != before:
                    raise Failed(
                        f"{self.path} was changed by somebody else meanwhile. Nothing was "
                        "written: look at it with `status`, and begin again"
                    )
                try:
                    new = config_text.changed(text, self.model, after)
                except UsageError as error:
                    raise UsageError(f"{self.path}: {error}") from error
                if new != text:
                    atomic_file.write(self.path, new)
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> Failed:
        return Failed(
            f"cannot write {self.path}: {error.strerror}. It is as it was, and so is traffic"
        )

    def _told(self, text: str) -> tuple[ModelServerConfig, ModelConfig]:
        try:
            message = config_text.parsed(text)
            return message, config_text.entry(message, self.model)
        except UsageError as error:
            raise UsageError(
                f"{self.path}: {error}\nServers go on with what they have; but a restart needs "
                "the file. Put it right, then begin again"
            ) from error
