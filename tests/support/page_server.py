"""A server of several models with labels, for its page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.servers import Server

FLAGS = ("--allow_version_labels_for_unavailable_models=true", "--max_num_load_retries=0")


@dataclass(frozen=True)
class Model:
    """A model of the server, which serves all of its versions."""

    name: str
    base: Path
    labels: dict[str, int] = field(default_factory=dict)

    def config(self) -> str:
        """Returns its part of a model config file."""
        labels = " ".join(
            f"version_labels {{ key: {json.dumps(label)} value: {version} }}"
            for label, version in self.labels.items()
        )
        return (
            f"config {{ name: {json.dumps(self.name)} base_path: {json.dumps(str(self.base))} "
            f'model_platform: "tensorflow" model_version_policy {{ all {{}} }} {labels} }}'
        )


def launch(models: Sequence[Model], folder: Path, *, forked: bool = False) -> Server:
    """Starts a server with a REST port, without waiting for it; see `Server.launch`."""
    config = folder / "models.config"
    config.write_text(f"model_config_list {{ {' '.join(model.config() for model in models)} }}")
    return Server.launch(None, folder, config=config, flags=FLAGS, rest=True, forked=forked)
