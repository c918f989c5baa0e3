"""Loader: from a version on disk to what serves it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from seq2sum_serving.embedded.batching.batched_servable import wrapper
from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.inference import saved_model
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.saved_model import SERVING_TAGS, SavedModel
from seq2sum_serving.embedded.inference.servable import Servable
from seq2sum_serving.embedded.inference.warmup import warm_up

Wrap = Callable[[SavedModel, str, int, str], Servable]
"""Puts something before a version; gets the model, the version and its path as well."""


@dataclass(frozen=True, slots=True)
class LoaderOptions:
    """How versions are loaded, for all models."""

    tags: tuple[str, ...] = SERVING_TAGS
    """`--saved_model_tags`"""
    session_config: Any = None
    """ConfigProto of each session; None: TensorFlow's defaults."""
    warm_up: bool = True
    """`--enable_model_warmup`"""
    warm_up_iterations: int = 0
    """`--num_request_iterations_for_warmup`; 0: once."""
    inference: InferenceOptions = field(default_factory=InferenceOptions)
    """As for requests: warm-up records are nothing else."""
    wrap: Wrap | None = None
    """Batching; what it gives closes the version too."""


class Loader:
    """Loads versions. Safe to use from any thread, for several at once."""

    def __init__(self, options: LoaderOptions) -> None:
        self._options = options

    def __call__(self, model: str, version: int, path: str) -> Servable:
        """Loads a version, puts batching before it if asked, and warms it up.

        Args:
            model: Name of the model.
            version: Number of the version.
            path: Its directory.

        Raises:
            ServingError: It cannot serve; nothing of it is left in memory.
        """
        options = self._options
        loaded = saved_model.load(path, tags=options.tags, session_config=options.session_config)
        with ExitStack() as undo:
            undo.callback(loaded.close)
            servable: Servable = loaded
            if options.wrap is not None:
                servable = options.wrap(loaded, model, version, path)
                undo.pop_all()
                undo.callback(servable.close)
            if options.warm_up:
                warm_up(
                    servable,
                    path,
                    version=version,
                    options=options.inference,
                    iterations=max(options.warm_up_iterations, 1),
                )
            undo.pop_all()
        return servable


def make_loader(config: ServerConfig) -> Loader:
    """The loader of one process."""
    wrap = None
    if config.batching is not None:
        wrap = wrapper(config.batching, per_model=config.per_model_batching)
    return Loader(
        LoaderOptions(
            tags=config.tags,
            session_config=config.session_config,
            warm_up=config.warmup,
            warm_up_iterations=config.warmup_iterations,
            inference=config.inference,
            wrap=wrap,
        )
    )
