"""The MetaGraphDef that a SavedModel on disk has for a set of tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.files import io_error, join, local_path

BINARY_FILE = "saved_model.pb"
TEXT_FILE = "saved_model.pbtxt"
ASSETS_FOLDER = "assets"

INIT_SIGNATURE = "__saved_model_init_op"
"""TensorFlow 2's signature for the operation to run after the variables are restored."""
INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
"""TensorFlow 1's collections for it; the first one that exists is used."""
ASSETS_COLLECTION = "saved_model_assets"


def is_saved_model(path: str) -> bool:
    """Returns whether a directory has the file of a SavedModel."""
    return any(local_path(path, name).exists() for name in (BINARY_FILE, TEXT_FILE))


def read(path: str, tags: Sequence[str]) -> Any:
    """Reads the MetaGraphDef that has exactly these tags.

    Raises:
        ServingError: No graph has these tags, or the file cannot be read; messages are
            TensorFlow's (tensorflow/cc/saved_model/reader.cc).
    """
    file = local_path(path, BINARY_FILE)
    parse: Callable[[bytes], Any] = _binary
    if not file.exists():
        file, parse = local_path(path, TEXT_FILE), _text
    try:
        content = file.read_bytes()
    except OSError as error:
        raise io_error(join(path, file.name), error.errno or 0) from error
    for graph in parse(content).meta_graphs:
        if set(graph.meta_info_def.tags) == set(tags):
            return graph
    raise ServingError(
        Code.NOT_FOUND,
        f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }}. To inspect "
        "available tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`",
    )


def init_operation(graph: Any, path: str) -> str | None:
    """Returns the operation to run after the variables are restored."""
    signature = graph.signature_def.get(INIT_SIGNATURE)
    if signature is not None:
        if INIT_SIGNATURE not in signature.outputs:
            raise ServingError(Code.FAILED_PRECONDITION, f"Could not find output {INIT_SIGNATURE}")
        name: str = signature.outputs[INIT_SIGNATURE].name
        return name
    for key in INIT_COLLECTIONS:
        if key in graph.collection_def:
            names = graph.collection_def[key].node_list.value
            if len(names) != 1:
                raise ServingError(
                    Code.FAILED_PRECONDITION, f"Expected exactly one main op in : {path}"
                )
            return str(names[0])
    return None


def assets(graph: Any, path: str) -> dict[str, str]:
    """Returns the paths of the graph's asset files, by the tensor that takes the path."""
    definitions = list(graph.asset_file_def)
    if not definitions and ASSETS_COLLECTION in graph.collection_def:
        for packed in graph.collection_def[ASSETS_COLLECTION].any_list.value:
            asset = meta_graph_pb2.AssetFileDef()
            packed.Unpack(asset)
            definitions.append(asset)
    return {
        asset.tensor_info.name: str(local_path(path, ASSETS_FOLDER, asset.filename))
        for asset in definitions
    }


def _binary(content: bytes) -> Any:
    try:
        return saved_model_pb2.SavedModel.FromString(content)
    except DecodeError as error:
        # TensorFlow reports the status of the stream it parses, which is at its end by then.
        raise ServingError(Code.OUT_OF_RANGE, "Read less bytes than requested") from error


def _text(content: bytes) -> Any:
    try:
        return text_format.Parse(content, saved_model_pb2.SavedModel())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ServingError(Code.DATA_LOSS, f"Can't parse {TEXT_FILE} as text proto") from error
