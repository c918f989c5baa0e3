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
"""The only platform that a stock server supports without --platform_config_file."""
REMOTE = ("gs", "s3", "hdfs")
"""Schemes that some builds of tensorflow_model_server read. A build without them, like this server,
would wait for the base path forever."""
ABSOLUTE = re.compile(r"/|[a-zA-Z][a-zA-Z0-9.]*://")
"""The start of a valid base path: the root, or the scheme of a URI."""


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
    """Checks a list before it is stored.

    Raises:
        ServingError: INVALID_ARGUMENT: a duplicate name, or a base path that is not absolute;
            UNIMPLEMENTED: a base path in an object store.
    """
    seen: set[str] = set()
    for model in models:
        if model.name in seen:
            raise _invalid(
                f"Illegal to list model {model.name} multiple times in config list",
            )
        seen.add(model.name)
    for model in models:
        if not ABSOLUTE.match(model.base_path):
            raise _invalid(
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
    """Checks that no model changes its platform.

    Every model of the old list is checked first: a stored model without a platform makes every
    later list fail here. TensorFlow Serving has the same trap (recorded case
    `reload/missing-platform-new-model-poisons`).

    Raises:
        ServingError: INVALID_ARGUMENT: a platform changes, or is missing in the old list.
    """
    platforms = {model.name: platform(model) for model in before}
    for model in after:
        old = platforms.get(model.name)
        if old is None:
            continue
        new = platform(model)
        if new != old:
            raise _invalid(
                f"Illegal to change a model's platform. For model {model.name} platform was "
                f"{old} and new platform requested is {new}",
            )


def monitored(models: Sequence[Model]) -> dict[str, Monitored]:
    """Returns what the source has to poll.

    Raises:
        ServingError: INVALID_ARGUMENT: a platform is missing or unsupported.
    """
    for model in models:
        name = platform(model)
        if name != PLATFORM:
            raise _invalid(
                f"Model {model.name} requests unsupported platform {name}",
            )
    return {model.name: Monitored(model.base_path, model.policy) for model in models}


def platform(model: Model) -> str:
    """Returns a model's platform, from `model_platform` or the deprecated `model_type`.

    Raises:
        ServingError: INVALID_ARGUMENT: both fields are set, or neither, or the type is unknown.
    """
    if model.type_number and model.platform:
        raise _invalid(
            "Illegal setting both ModelServerConfig::model_type (deprecated) and "
            f"ModelServerConfig::model_platform, model name is {model.name}",
        )
    if model.type_number == 1:
        return PLATFORM
    if model.type_number:
        raise _invalid(
            f"ModelServerConfig::model_type choice {model.type_number} not supported.",
        )
    if not model.platform:
        raise _invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            f"ModelServerConfig::model_platform, model name is {model.name}",
        )
    return model.platform


def check_request_logging(models: Sequence[Model]) -> None:
    """Checks that no model has a `logging_config`: a stock server has no request logger.

    Raises:
        ServingError: INVALID_ARGUMENT: a model has one.
    """
    if any(model.logs_requests for model in models):
        raise _invalid("No request-logger-creator provided.")


def _invalid(text: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, text)
