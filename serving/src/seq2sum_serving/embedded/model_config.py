"""ModelServerConfig: read from a file, made from flags, and converted to models."""

from __future__ import annotations

from typing import Any

from tensorflow_serving.config import model_server_config_pb2

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.files import read_text_proto
from seq2sum_serving.embedded.lifecycle.models import Model
from seq2sum_serving.embedded.lifecycle.versions import All, Latest, Specific, VersionPolicy


def read_model_config(path: str) -> model_server_config_pb2.ModelServerConfig:
    """Reads a `--model_config_file`.

    Raises:
        ServingError: The file cannot be read or parsed.
    """
    return read_text_proto(path, model_server_config_pb2.ModelServerConfig())


def single_model(name: str, base_path: str) -> model_server_config_pb2.ModelServerConfig:
    """Returns the configuration that `--model_name` and `--model_base_path` stand for."""
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=base_path, model_platform="tensorflow")
    return config


def models_of(config: model_server_config_pb2.ModelServerConfig) -> tuple[Model, ...]:
    """Returns the models that a configuration lists.

    Raises:
        ServingError: INVALID_ARGUMENT: a `custom_model_config`, which a stock server cannot load.
    """
    if config.HasField("custom_model_config"):
        raise ServingError(
            Code.INVALID_ARGUMENT, "Missing custom_model_config_loader in ServerCore Options"
        )
    return tuple(map(_model, config.model_config_list.config))


def _model(config: Any) -> Model:
    return Model(
        name=config.name,
        base_path=config.base_path,
        platform=config.model_platform,
        type_number=config.model_type,
        policy=_policy(config.model_version_policy),
        labels=dict(config.version_labels),
        logs_requests=config.HasField("logging_config"),
    )


def _policy(policy: Any) -> VersionPolicy:
    match policy.WhichOneof("policy_choice"):
        case "all":
            return All()
        case "specific":
            return Specific(frozenset(policy.specific.versions))
        case _:
            return Latest(policy.latest.num_versions or 1)
