"""The loader of versions: from a directory to a servable that is warmed up."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from seq2sum_serving.embedded.batching.batched_servable import Wrap, make_wrap
from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.inference import saved_model
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.saved_model import SERVING_TAGS
from seq2sum_serving.embedded.inference.servable import Servable
from seq2sum_serving.embedded.inference.warmup import warm_up


@dataclass(frozen=True, slots=True)
class LoaderOptions:
    """Options for loading versions of any model."""

    tags: tuple[str, ...] = SERVING_TAGS
    """`--saved_model_tags`"""
    session_config: Any = None
    """ConfigProto of each session; None: TensorFlow's defaults."""
    warm_up: bool = True
    """`--enable_model_warmup`"""
    warm_up_iterations: int = 0
    """`--num_request_iterations_for_warmup`; 0 means once."""
    inference: InferenceOptions = field(default_factory=InferenceOptions)
    """Options for warm-up records, which run like requests."""
    wrap: Wrap | None = None
    """Adds batching; closing its result closes the version too."""


class Loader:
    """Loads versions. Safe to use from any thread, for several versions at once."""

    def __init__(self, options: LoaderOptions) -> None:
        self._options = options

    def __call__(self, model: str, version: int, path: str) -> Servable:
        """Loads a version, adds batching if configured, and warms it up.

        Args:
            model: Name of the model.
            version: Number of the version.
            path: Its directory.

        Raises:
            ServingError: The version cannot serve; all of its memory has been freed.
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
    """Returns the loader of a server process."""
    wrap = None
    if config.batching is not None:
        wrap = make_wrap(config.batching, per_model=config.per_model_batching)
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
