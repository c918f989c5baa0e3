"""Concurrent Predicts merged into one, along dimension 0 of every tensor."""

from __future__ import annotations

from seq2sum._coalescing import Request
from seq2sum._errors import UnexpectedResponse
from seq2sum._options import CallTarget
from seq2sum._predict_calls import PreparedPredict
from seq2sum._prediction import Prediction
from seq2sum._versions import TensorSpec
from seq2sum.protocol import predict_pb2


class PredictionMerging:
    """Merges Predicts of equal signatures, outputs, dtypes and inner sizes."""

    def merged(self, items: list[PreparedPredict]) -> PreparedPredict:
        """Returns the call for all of the rows."""
        first = items[0]
        if len(items) == 1:
            return first
        request = predict_pb2.PredictRequest(output_filter=first.request.output_filter)
        for name, tensor in first.request.inputs.items():
            whole, parts = request.inputs[name], [item.request.inputs[name] for item in items]
            whole.dtype = tensor.dtype
            whole.tensor_shape.CopyFrom(tensor.tensor_shape)
            whole.tensor_shape.dim[0].size = sum(map(_rows, items))
            if tensor.string_val:
                for part in parts:
                    whole.string_val.extend(part.string_val)
            else:
                whole.tensor_content = b"".join([part.tensor_content for part in parts])
        return PreparedPredict(request, first.metadata, first.signature)

    def results(self, items: list[PreparedPredict], reply: Prediction) -> list[Prediction]:
        """Returns the rows of each Predict.

        Raises:
            UnexpectedResponse: An output does not have one row for each row of the inputs.
        """
        if len(items) == 1:
            return [reply]
        sizes = list(map(_rows, items))
        total = sum(sizes)
        for name, tensor in reply.items():
            if tensor.shape[:1] != (total,):
                raise UnexpectedResponse(
                    f"output {name!r} has the shape {list(tensor.shape)} for {total} merged rows"
                )
        results, start = [], 0
        for size in sizes:
            rows = {name: tensor.rows(start, start + size) for name, tensor in reply.items()}
            results.append(Prediction(rows, reply.version))
            start += size
        return results


MERGING = PredictionMerging()


def mergeable(prepared: PreparedPredict, target: CallTarget) -> Request | None:
    """Returns a Predict as a request that may share a call; None if it must have its own.

    It may if every input and output is declared with a dimension 0 of any size, and the inputs have
    the same number of rows, at least one.
    """
    spec, tensors = prepared.spec, prepared.request.inputs
    wanted = prepared.request.output_filter or spec.outputs
    specs = [spec.inputs[name] for name in tensors] + [spec.outputs[name] for name in wanted]
    if not tensors or not all(map(_has_rows, specs)):
        return None
    shapes = {
        name: tuple(dim.size for dim in tensor.tensor_shape.dim) for name, tensor in tensors.items()
    }
    if len({shape[0] for shape in shapes.values()}) > 1 or not (rows := _rows(prepared)):
        return None
    # Two versions of the signatures may be in use at the same moment, with other dtypes.
    inner = tuple(sorted((name, tensors[name].dtype, shape[1:]) for name, shape in shapes.items()))
    group = (target, prepared.signature, prepared.metadata.version, tuple(wanted), inner)
    return Request(prepared, MERGING, group, prepared.request.ByteSize(), rows)


def _has_rows(spec: TensorSpec) -> bool:
    return spec.shape is not None and spec.shape[:1] == (-1,)


def _rows(prepared: PreparedPredict) -> int:
    tensor = next(iter(prepared.request.inputs.values()))
    return tensor.tensor_shape.dim[0].size
