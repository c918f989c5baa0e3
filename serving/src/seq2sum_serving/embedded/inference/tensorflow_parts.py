"""The parts of TensorFlow's Python package that the server uses, by the names of its public API.

They are imported from the modules that define them, which import a tenth of the whole package; see
`embedded/partial_tensorflow.py`. The dependency on TensorFlow is pinned to a minor version, because
these modules may move.
"""

from __future__ import annotations

from tensorflow.python import tf2
from tensorflow.python.client.session import Session
from tensorflow.python.compat import v2_compat
from tensorflow.python.framework import errors_impl as errors
from tensorflow.python.framework.dtypes import as_dtype, string
from tensorflow.python.framework.importer import import_graph_def
from tensorflow.python.framework.ops import Graph
from tensorflow.python.lib.io.tf_record import tf_record_iterator
from tensorflow.python.ops.gen_array_ops import placeholder
from tensorflow.python.ops.gen_parsing_ops import parse_tensor, serialize_tensor

__all__ = [
    "Graph",
    "Session",
    "as_dtype",
    "errors",
    "import_graph_def",
    "parse_tensor",
    "placeholder",
    "serialize_tensor",
    "string",
    "tf_record_iterator",
]

# As `import tensorflow` does: enables TensorFlow 2 behaviour, such as eager execution.
tf2.enable()
v2_compat.enable_v2_behavior()
