"""Loading a SavedModel, and running its signatures through a TensorFlow session.

The session is TensorFlow Serving's own way. Each pair of inputs and outputs gets a prepared
callable on first use, which skips most of what `Session.run` does for every call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import config_pb2, saved_model_pb2

from seq2sum_serving.embedded.errors import Code, ServingError

TAG = "serve"
FILE_NAME = "saved_model.pb"

CALLERS_THREAD = -1
"""What RunOptions.inter_op_thread_pool calls the thread that calls."""

Arrays = Sequence[Any]
"""numpy arrays, one for each tensor."""


class SavedModel:
    """A loaded version: its signatures and a session to run them in. Safe for any thread."""

    def __init__(self, session: Any, signatures: Mapping[str, Any]) -> None:
        self._session = session
        self._callables: dict[tuple[tuple[str, ...], tuple[str, ...]], Callable[..., Arrays]] = {}
        self.signatures = signatures
        """SignatureDef messages by signature name."""

    def run(self, feeds: Mapping[str, Any], fetches: Sequence[str]) -> Arrays:
        """Runs the graph.

        Args:
            feeds: Arrays by tensor name.
            fetches: Names of the tensors wanted.

        Raises:
            ServingError: What TensorFlow said.
        """
        names = tuple(sorted(feeds))
        key = (names, tuple(fetches))
        try:
            run = self._callables.get(key)
            if run is None:
                run = self._callables.setdefault(key, self._prepare(*key))
            return run(*(feeds[name] for name in names))
        except tf.errors.OpError as error:
            raise _serving_error(error) from error

    def close(self) -> None:
        """Frees the session; nothing may run in it any more."""
        self._session.close()

    def _prepare(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> Callable[..., Arrays]:
        options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
        # The request's own thread runs the graph: to hand a small one over costs as much again.
        options.run_options.inter_op_thread_pool = CALLERS_THREAD
        # The public make_callable goes through Session.run as soon as there are feeds.
        prepared: Callable[..., Arrays] = self._session._make_callable_from_options(options)
        return prepared


def load(path: str) -> SavedModel:
    """Loads the version in this directory.

    Raises:
        ServingError: It cannot be loaded; code and words are TensorFlow Serving's.
    """
    try:
        _check_complete(path)
        return _restore(path)
    except ServingError:
        raise
    except tf.errors.OpError as error:
        raise _serving_error(error) from error
    except Exception as error:  # a SavedModel can be broken in more ways than have names
        raise ServingError(Code.UNKNOWN, f"{type(error).__name__}: {error}") from error


def _restore(path: str) -> SavedModel:
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    with ExitStack() as undo:
        undo.callback(session.close)
        with graph.as_default():
            meta_graph = tf.compat.v1.saved_model.loader.load(session, [TAG], path)
        undo.pop_all()
    return SavedModel(session, dict(meta_graph.signature_def))


def _serving_error(error: Any) -> ServingError:
    """What TensorFlow's OpError says, in its own code and words."""
    return ServingError(Code(error.error_code), error.message)


def _check_complete(path: str) -> None:
    """Finds what a half-copied version lacks, before TensorFlow says it in its Python words."""
    file = Path(path, FILE_NAME)
    if not Path(path).is_dir():
        raise ServingError(Code.FAILED_PRECONDITION, f"{path}; Not a directory")
    if not file.is_file():
        raise ServingError(
            Code.NOT_FOUND,
            "Specified file path does not appear to contain a SavedModel bundle "
            f"(should have a file called `{FILE_NAME}`)\nSpecified file path: {path}",
        )
    try:
        saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    except DecodeError as error:
        raise ServingError(Code.OUT_OF_RANGE, "Read less bytes than requested") from error
    if not any(TAG in graph.meta_info_def.tags for graph in saved_model.meta_graphs):
        raise ServingError(
            Code.NOT_FOUND,
            f"Could not find meta graph def matching supplied tags: {{ {TAG} }}. To inspect "
            "available tag-sets in the SavedModel, please use the SavedModel CLI: "
            "`saved_model_cli`",
        )
