"""Classify and Regress calls: mappings as tf.Examples, and their results. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from seq2sum._calls import Call, CallFactory
from seq2sum._methods import CLASSIFY, REGRESS, Method
from seq2sum._nested_lists import InvalidValue, flatten, shown
from seq2sum._servable import Servable
from seq2sum._tensor_encoding import fill
from seq2sum._versions import TensorSpec
from seq2sum.protocol import classification_pb2, example_pb2, regression_pb2, tensor_pb2

Result = TypeVar("Result")

INTEGERS = TensorSpec("DT_INT64", None)
FLOATS = TensorSpec("DT_FLOAT", None)
BYTES = TensorSpec("DT_STRING", None)


class ClassScore(NamedTuple):
    """One class of an example's classification."""

    label: str
    """The class; empty if the signature has no labels."""
    score: float
    """Its score; 0 if the signature has none."""


@dataclass(frozen=True, slots=True)
class Classifications:
    """The classes of each example, in the order of the examples."""

    rows: list[list[ClassScore]]
    """One list for each example."""
    version: int
    """The model version that answered."""

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.rows)

    def __iter__(self) -> Iterator[list[ClassScore]]:
        """Yields the classes of each example."""
        return iter(self.rows)


@dataclass(frozen=True, slots=True)
class Regressions:
    """A number for each example, in the order of the examples."""

    values: list[float]
    """One number for each example."""
    version: int
    """The model version that answered."""

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.values)

    def __iter__(self) -> Iterator[float]:
        """Yields the numbers."""
        return iter(self.values)


Examples = Iterable[Mapping[str, Any]]
"""Features by name: a str, bytes, int or float, or a list or array of them."""


def classify(
    examples: Examples, *, signature: str, context: Mapping[str, Any] | None
) -> CallFactory[Classifications]:
    """Returns a Classify call.

    Raises:
        InvalidValue: A feature is not a value or a list of values of one type.
    """
    return _factory(CLASSIFY, _classifications, examples, signature, context)


def regress(
    examples: Examples, *, signature: str, context: Mapping[str, Any] | None
) -> CallFactory[Regressions]:
    """Returns a Regress call.

    Raises:
        InvalidValue: A feature is not a value or a list of values of one type.
    """
    return _factory(REGRESS, _regressions, examples, signature, context)


def _factory(
    method: Method[Any, Any],
    read: Callable[[Any], Result],
    examples: Examples,
    signature: str,
    context: Mapping[str, Any] | None,
) -> CallFactory[Result]:
    """Returns calls of a method whose request has a model spec and examples."""
    message = _input(examples, context)

    def make(servable: Servable) -> Call[Result]:
        request = method.request(model_spec=servable.spec(), input=message)
        request.model_spec.signature_name = signature
        return Call(method, servable, request, read)

    return make


def example(features: Mapping[str, Any], where: str) -> example_pb2.Example:
    """Returns a tf.Example.

    Integers and bools become an int64 list, floats or floats and integers a float list, str and
    bytes a bytes list; an empty list becomes a missing feature.

    Args:
        features: Values by feature name.
        where: The example, for error messages.

    Raises:
        InvalidValue: A name or a value cannot be in a tf.Example.
    """
    if not isinstance(features, Mapping):
        raise InvalidValue(f"invalid {where}: expected a mapping, not {shown(features)}")
    made = example_pb2.Example()
    for name, value in features.items():
        try:
            _fill_feature(made.features.feature[_name(name)], value)
        except InvalidValue as error:
            raise InvalidValue(f"invalid feature {name!r} of {where}: {error}") from error
    return made


def _name(name: Any) -> str:
    try:
        name.encode()
    except (AttributeError, UnicodeEncodeError):
        raise InvalidValue("expected a name of text that can be encoded as UTF-8") from None
    return str(name)


def _fill_feature(feature: example_pb2.Feature, value: Any) -> None:
    shape, values = flatten(value)
    if len(shape) > 1:
        raise InvalidValue(f"expected a value or a list of values, not {len(shape)} dimensions")
    values = [int(each) if isinstance(each, bool) else each for each in values]
    if not values:
        feature.SetInParent()
        return
    tensor = tensor_pb2.TensorProto()
    if all(isinstance(each, str | bytes) for each in values):
        fill(tensor, values, BYTES)
        feature.bytes_list.value.extend(tensor.string_val)
        return
    whole = all(isinstance(each, int) or hasattr(each, "__index__") for each in values)
    fill(tensor, values, INTEGERS if whole else FLOATS)  # validates them
    if whole:
        feature.int64_list.value.extend(map(int, values))
    else:
        feature.float_list.value.extend(map(float, values))


def _input(examples: Examples, context: Mapping[str, Any] | None) -> example_pb2.Input:
    if isinstance(examples, Mapping | str | bytes) or not isinstance(examples, Iterable):
        raise InvalidValue(
            f"invalid examples: expected a list of mappings, not {type(examples).__name__}"
        )
    made = [example(each, f"example {number}") for number, each in enumerate(examples)]
    message = example_pb2.Input()
    if context is None:
        message.example_list.examples.extend(made)
        message.example_list.SetInParent()
    else:
        message.example_list_with_context.examples.extend(made)
        message.example_list_with_context.context.CopyFrom(example(context, "the context"))
    return message


def _classifications(response: classification_pb2.ClassificationResponse) -> Classifications:
    rows = [
        [ClassScore(each.label, each.score) for each in row.classes]
        for row in response.result.classifications
    ]
    return Classifications(rows, response.model_spec.version.value)


def _regressions(response: regression_pb2.RegressionResponse) -> Regressions:
    values = [each.value for each in response.result.regressions]
    return Regressions(values, response.model_spec.version.value)
