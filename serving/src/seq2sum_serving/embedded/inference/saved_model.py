"""A SavedModel in memory: its signatures, and a session that runs them.

Loading follows TensorFlow's C++ loader, which TensorFlow Serving uses
(tensorflow/cc/saved_model/loader.cc): read the graph, restore the variables, run the
initialization. Serving does not need anything that the Python loaders add.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from copy import deepcopy
from time import perf_counter
from typing import Any

import numpy as np
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.framework.ops import dismantle_graph

from seq2sum_serving.embedded import memory
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.files import local_path
from seq2sum_serving.embedded.inference import meta_graph
from seq2sum_serving.embedded.inference import tensorflow_parts as tf
from seq2sum_serving.embedded.inference.servable import Arrays
from seq2sum_serving.embedded.inference.session_runner import SessionRunner, serving_error
from seq2sum_serving.embedded.monitoring import metrics

SERVING_TAGS = ("serve",)
VARIABLES = "variables/variables"
"""Prefix of the checkpoint."""
MICROS = 1e6


class SavedModel:
    """A loaded version without batching. Safe to use from any thread."""

    def __init__(self, session: Any, signatures: Mapping[str, Any]) -> None:
        self._session = session
        self._runner = SessionRunner(session)
        self.signatures = signatures
        """SignatureDef messages by signature name."""

    def run(
        self, feeds: Mapping[str, Any], fetches: Sequence[str], *, timeout: float | None = None
    ) -> Arrays:
        """Runs the graph as `Servable.run` describes."""
        return self._runner.run(feeds, fetches, timeout=timeout)

    def close(self) -> None:
        """Frees the session. No run may be in progress or follow."""
        self._runner.close()
        _free(self._session)
        memory.trim()


def load(
    path: str, *, tags: Sequence[str] = SERVING_TAGS, session_config: Any = None
) -> SavedModel:
    """Loads the graph with these tags from a version's directory.

    The session gets `session_config`, a ConfigProto; None means TensorFlow's defaults.

    Raises:
        ServingError: It cannot be loaded; code and message are TensorFlow Serving's.
    """
    if not meta_graph.is_saved_model(path):
        raise ServingError(
            Code.NOT_FOUND,
            "Specified file path does not appear to contain a SavedModel bundle "
            f"(should have a file called `{meta_graph.BINARY_FILE}`)\nSpecified file path: {path}",
        )
    started, outcome = perf_counter(), "fail"
    try:
        model = _restore(path, tags, session_config)
        outcome = "success"
        return model
    except Exception as error:  # a broken SavedModel can raise anything
        # A caller that keeps the error must not keep the graph in its frames.
        traceback.clear_frames(error.__traceback__)
        if isinstance(error, ServingError):
            raise
        raise _load_error(error) from error
    finally:
        metrics.LOAD_ATTEMPT_COUNT.labels(path, outcome).inc()
        metrics.LOAD_LATENCY.labels(path).inc(_micros_since(started))


def _restore(path: str, tags: Sequence[str], session_config: Any) -> SavedModel:
    started = perf_counter()
    graph_def = meta_graph.read(path, tags)
    session = tf.Session(graph=tf.Graph(), config=_session_config(session_config))
    with ExitStack() as undo:
        undo.callback(_free, session)
        with session.graph.as_default():
            tf.import_graph_def(graph_def.graph_def, name="")
        assets = meta_graph.assets(graph_def, path)
        saver = graph_def.saver_def
        if local_path(path, f"{VARIABLES}.index").exists():
            prefix = {saver.filename_tensor_name: str(local_path(path, VARIABLES))}
            _run_once(session, saver.restore_op_name, prefix | assets)
        restored = perf_counter()
        operation = meta_graph.init_operation(graph_def, path)
        if operation:
            _run_once(session, operation, assets)
        undo.pop_all()
    stages = metrics.LOAD_LATENCY_BY_STAGE
    stages.labels(path, "restore_graph").observe((restored - started) * MICROS)
    stages.labels(path, "init_graph").observe(_micros_since(restored))
    # Copies: the originals would keep the whole graph with all its constants in memory.
    signatures = {name: deepcopy(original) for name, original in graph_def.signature_def.items()}
    return SavedModel(session, signatures)


def _run_once(session: Any, target: str, texts: Mapping[str, str]) -> None:
    """Runs an operation with string inputs, and keeps nothing that the session prepared for it."""
    options = config_pb2.CallableOptions(feed=sorted(texts), target=[target])
    run = session._make_callable_from_options(options)
    run(*(np.array(os.fsencode(texts[name]), object) for name in options.feed))


def _load_error(error: Exception) -> ServingError:
    """Returns the error of a load, with TensorFlow's code and message if it has any."""
    if isinstance(error, tf.errors.OpError):
        return serving_error(error)
    if isinstance(error.__context__, tf.errors.OpError):  # repeated as ValueError
        return serving_error(error.__context__)
    return ServingError(Code.UNKNOWN, f"{type(error).__name__}: {error}")


def _free(session: Any) -> None:
    """Closes a session and dismantles its graph.

    A graph and its operations refer to each other, so they would stay in memory until the next
    full garbage collection, which is late and stops all threads.
    """
    session.close()
    dismantle_graph(session.graph)


def _session_config(given: Any) -> Any:
    config = config_pb2.ConfigProto()
    if given is not None:
        config.CopyFrom(given)
    # The rewritten graphs are not used, and would be kept for each prepared run.
    config.experimental.disable_output_partition_graphs = True
    return config


def _micros_since(started: float) -> float:
    return (perf_counter() - started) * MICROS
