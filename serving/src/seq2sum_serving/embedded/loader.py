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


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """Loads versions of any model. Safe to use from any thread, for several versions at once."""

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

    def __call__(self, model: str, version: int, path: str) -> Servable:
        """Loads the version in a directory, adds batching if configured, and warms it up.

        Raises:
            ServingError: The version cannot serve; all of its memory has been freed.
        """
        loaded = saved_model.load(path, tags=self.tags, session_config=self.session_config)
        with ExitStack() as undo:
            undo.callback(loaded.close)
            servable: Servable = loaded
            if self.wrap is not None:
                servable = self.wrap(loaded, model, version, path)
                undo.pop_all()
                undo.callback(servable.close)
            if self.warm_up:
                warm_up(
                    servable,
                    path,
                    version=version,
                    options=self.inference,
                    iterations=max(self.warm_up_iterations, 1),
                )
            undo.pop_all()
        return servable


def make_loader(config: ServerConfig) -> Loader:
    """Returns the loader of a server."""
    wrap = None
    if config.batching is not None:
        wrap = make_wrap(config.batching, per_model=config.per_model_batching)
    return Loader(
        tags=config.tags,
        session_config=config.session_config,
        warm_up=config.warmup,
        warm_up_iterations=config.warmup_iterations,
        inference=config.inference,
        wrap=wrap,
    )
