"""The model config file, `models.config`, which every replica reads and polls.

It is read, changed and replaced as a whole, under a lock; a text that a server would refuse is
never written. A change names the entry that it starts from, so that two operators cannot undo each
other's changes unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from seq2sum.protocol.model_server_config_pb2 import ModelConfig, ModelServerConfig

from seq2sum_serving.deployment import atomic_file, config_text, file_lock
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.state import ModelEntry

FILE_SCHEME = "file://"
"""Optional prefix of a local base path, which TensorFlow's file systems accept."""
EXAMPLE_MODEL = "my_model"

Result = TypeVar("Result")


def model_names(path: Path) -> list[str]:
    """Returns the names of all models in a model config file.

    Raises:
        UsageError: The file is missing, a server would refuse it, or it lists no model.
    """
    entries = ModelConfigFile(path, EXAMPLE_MODEL).message().model_config_list.config
    if not entries:
        raise UsageError(
            f"{path} lists no model. Add one:\n" + config_text.EXAMPLE.format(model=EXAMPLE_MODEL)
        )
    return [entry.name for entry in entries]


def only_model(path: Path) -> str:
    """Returns the name of the only model in a model config file.

    Raises:
        UsageError: As in `model_names`, or the file lists several models.
    """
    names = model_names(path)
    if len(names) > 1:
        raise UsageError(f"{path} lists several models: give --model, one of {', '.join(names)}")
    return names[0]


class ModelConfigFile:
    """One model's entry in a model config file."""

    def __init__(self, path: Path, model: str) -> None:
        self.path = path
        self.model = model

    def text(self) -> str:
        """Returns the content of the file.

        Raises:
            UsageError: The file is missing or cannot be read.
        """
        try:
            return self.path.read_bytes().decode()  # keeps the line endings
        except FileNotFoundError as error:
            raise UsageError(
                f"cannot find the model config file {self.path}. Name it with --config, or create "
                "it and start the servers with --model_config_file:\n"
                + config_text.EXAMPLE.format(model=self.model)
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the model config file {self.path}: {error}") from error

    def model_file(self, suffix: str) -> Path:
        """Returns the path of a file of this model next to the model config file."""
        return self.path.with_name(f"{self._file_name()}.{suffix}")

    def _file_name(self) -> str:
        """Returns the model's name as part of a file name, which has no slashes."""
        return self.model.replace("%", "%25").replace("/", "%2F")

    def rollout_lock(self) -> Path:
        """Returns the path of the lock of the model's rollouts; raises as `lock_path`."""
        return self.lock_path(f"{self._file_name()}.rollout")

    def lock_path(self, suffix: str) -> Path:
        """Returns the path of a lock, which is the same for all links to the file.

        Raises:
            Refused: The file cannot be changed.
        """
        file = atomic_file.resolve(self.path)
        return file.with_name(f".{file.name}.{suffix}")

    def check_writable(self) -> None:
        """Checks that a change could be written; writes nothing.

        Raises:
            Refused: The file cannot be changed.
            Failed: Its folder is not writable.
        """
        try:
            atomic_file.check_replaceable(self.path)
        except OSError as error:
            raise self._cannot_write(error) from error

    def message(self) -> ModelServerConfig:
        """Returns the whole file as the configuration to send in a reload.

        Raises:
            UsageError: The file is missing, or a server would refuse it.
        """
        text = self.text()
        try:
            return config_text.parse(text)
        except UsageError as error:
            raise self._invalid(error) from error

    def send(self, send: Callable[[ModelServerConfig], Result]) -> Result:
        """Calls a function with the whole file, which no other process changes meanwhile.

        A server takes over all models of a configuration. If another model's rollout could change
        the file between reading and sending, this would undo its change on the server.

        Raises:
            UsageError: As in `message`.
            Refused: The file is part of a volume that cannot be changed.
            Failed: The lock cannot be opened.
        """
        try:
            with file_lock.hold(self.lock_path("lock")):
                return send(self.message())
        except OSError as error:
            raise self._cannot_write(error) from error

    def read(self) -> ModelEntry:
        """Returns the model's version policy and labels.

        Raises:
            UsageError: The file is missing, a server would refuse it, or it lacks the model.
        """
        return config_text.model_entry(self._parse(self.text())[1])

    def base_path(self) -> str:
        """Returns the path in which the servers look for versions, without `file://`.

        Raises:
            UsageError: As in `read`.
        """
        return self._parse(self.text())[1].base_path.removeprefix(FILE_SCHEME)

    def other_base_paths(self) -> dict[str, Path]:
        """Returns the base paths of the other models by name, except relative paths and URLs.

        Raises:
            UsageError: As in `read`.
        """
        entries = self.message().model_config_list.config
        paths = {entry.name: Path(entry.base_path) for entry in entries if entry.name != self.model}
        return {name: path for name, path in paths.items() if path.is_absolute()}

    def change(self, before: ModelEntry, after: ModelEntry) -> None:
        """Replaces the model's version policy and labels.

        Args:
            before: The entry from which the change was computed.
            after: The new entry.

        Raises:
            UsageError: The file is missing, or is written in a form that cannot be edited safely.
            Refused: The file is part of a volume that cannot be changed.
            Failed: The entry is not `before` any more, or the file could not be written.
        """
        try:
            with file_lock.hold(self.lock_path("lock")):
                text = self.text()
                if config_text.model_entry(self._parse(text)[1]) != before:
                    raise Failed(
                        f"{self.path} was changed by somebody else in the meantime. Nothing was "
                        "written: check it with `status`, and start again"
                    )
                try:
                    new = config_text.replace_entry(text, self.model, after)
                except UsageError as error:
                    raise UsageError(f"{self.path}: {error}") from error
                if new != text:
                    atomic_file.write(self.path, new)
        except OSError as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: OSError) -> Failed:
        return Failed(
            f"cannot write {self.path}: {error.strerror}. The file and the traffic are unchanged"
        )

    def _parse(self, text: str) -> tuple[ModelServerConfig, ModelConfig]:
        try:
            message = config_text.parse(text)
            return message, config_text.find_model(message, self.model)
        except UsageError as error:
            raise self._invalid(error) from error

    def _invalid(self, error: UsageError) -> UsageError:
        return UsageError(
            f"{self.path}: {error}\nRunning servers keep their configuration, but a restart "
            "needs the file. Correct it, then start again"
        )
