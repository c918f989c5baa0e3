"""The models that a configuration lists, with TensorFlow Serving's checks. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.files import URI
from seq2sum_serving.embedded.lifecycle.source import Monitored
from seq2sum_serving.embedded.lifecycle.versions import Latest, VersionPolicy

PLATFORM = "tensorflow"
"""The only one that a stock server knows."""
REMOTE = ("gs", "s3", "hdfs")
"""Schemes that builds of tensorflow_model_server read. One without them, like this one, would
wait for the base path for ever."""
ABSOLUTE = re.compile(r"/|[a-zA-Z][a-zA-Z0-9.]*://")
"""How a base path must begin: from the root, or as a URI."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a configuration."""

    name: str
    """Name that requests use."""
    base_path: str
    """Absolute path of the folder whose numeric children are versions."""
    platform: str = PLATFORM
    """`model_platform`, or empty."""
    type_number: int = 0
    """`model_type`, its deprecated predecessor: 0 unset, 1 TensorFlow, 2 other."""
    policy: VersionPolicy = field(default_factory=Latest)
    """Which of the versions are aspired."""
    labels: Mapping[str, int] = field(default_factory=dict)
    """Versions by label."""
    logs_requests: bool = False
    """Whether it has a `logging_config`."""


def check_list(models: Sequence[Model]) -> None:
    """Refuses a list before anything of it is stored.

    Raises:
        ServingError: INVALID_ARGUMENT: a name twice, or a base path that is not absolute;
            UNIMPLEMENTED: a base path in an object store.
    """
    seen: set[str] = set()
    for model in models:
        if model.name in seen:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Illegal to list model {model.name} multiple times in config list",
            )
        seen.add(model.name)
    for model in models:
        if not ABSOLUTE.match(model.base_path):
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Expected model {model.name} to have an absolute path or URI; "
                f"got base_path()={model.base_path}",
            )
        uri = URI.fullmatch(model.base_path)
        if uri and uri[1] in REMOTE:
            raise ServingError(
                Code.UNIMPLEMENTED,
                f"Model {model.name}: base path {model.base_path}: {uri[1]}:// is not supported: "
                "copy or mount the model into a local folder",
            )


def check_transition(before: Sequence[Model], after: Sequence[Model]) -> None:
    """Refuses to change a model's platform.

    The old list is asked first, every model of it: one that names no platform (it was stored
    before that was noticed) makes every later list fail here. That is TensorFlow Serving's
    poison configuration.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    platforms = {model.name: platform(model) for model in before}
    for model in after:
        old = platforms.get(model.name)
        if old is None:
            continue
        new = platform(model)
        if new != old:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Illegal to change a model's platform. For model {model.name} platform was "
                f"{old} and new platform requested is {new}",
            )


def monitored(models: Sequence[Model]) -> dict[str, Monitored]:
    """What the source has to look at.

    Raises:
        ServingError: INVALID_ARGUMENT: a platform that is missing or that nobody loads.
    """
    for model in models:
        name = platform(model)
        if name != PLATFORM:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Model {model.name} requests unsupported platform {name}",
            )
    return {model.name: Monitored(model.base_path, model.policy) for model in models}


def platform(model: Model) -> str:
    """A model's platform, by whichever of the two fields names it.

    Raises:
        ServingError: INVALID_ARGUMENT: both do, or neither, or a type that there is not.
    """
    if model.type_number and model.platform:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "Illegal setting both ModelServerConfig::model_type (deprecated) and "
            f"ModelServerConfig::model_platform, model name is {model.name}",
        )
    if model.type_number == 1:
        return PLATFORM
    if model.type_number:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"ModelServerConfig::model_type choice {model.type_number} not supported.",
        )
    if not model.platform:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            f"ModelServerConfig::model_platform, model name is {model.name}",
        )
    return model.platform


def request_logging(models: Sequence[Model]) -> None:
    """Refuses models that want their requests logged: a stock server has no logger.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    if any(model.logs_requests for model in models):
        raise ServingError(Code.INVALID_ARGUMENT, "No request-logger-creator provided.")
