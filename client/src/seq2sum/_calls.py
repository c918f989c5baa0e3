"""Requests from values and values from replies: the client's core, free of any I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seq2sum import contract
from seq2sum._answers import Answer, State, VersionStatus
from seq2sum._errors import InvalidQuestion, UnexpectedResponse
from seq2sum._tensors import floats, integers, strings, vector_of_strings
from seq2sum.protocol import model_status_pb2, predict_pb2

ROWS_PER_CALL = 4096
"""Questions in one Predict. More brings no throughput and holds a server's batch for longer."""

LONGEST_SHOWN = 60
"""Characters of a bad question that an error message repeats."""


def model_spec(model: str, version: int | None) -> predict_pb2.ModelSpec:
    """Which servable is meant; no version means the latest available one.

    Raises:
        ValueError: The version cannot be one: it does not fit the wire's int64.
    """
    spec = predict_pb2.ModelSpec(name=model)
    if version is not None and abs(version) > contract.LARGEST_VERSION:
        raise ValueError(f"{version} is not a version: it does not fit into 64 bits")
    if version is not None:  # 0 is a version: only None means "latest"
        spec.version.value = version
    return spec


def predict_request(
    questions: Sequence[str | bytes], *, model: str, version: int | None
) -> predict_pb2.PredictRequest:
    """A Predict of the default signature, one row for each question."""
    request = predict_pb2.PredictRequest(model_spec=model_spec(model, version))
    request.model_spec.signature_name = contract.DEFAULT.name
    tensor = vector_of_strings([encoded(question) for question in questions])
    request.inputs[contract.QUESTIONS.name].CopyFrom(tensor)
    return request


def encoded(question: object) -> bytes:
    """The question's bytes. What is no text at all becomes the empty question: malformed too."""
    if isinstance(question, str):
        return question.encode(errors="surrogatepass")
    return question if isinstance(question, bytes) else b""


def answers(
    questions: Sequence[str | bytes], response: predict_pb2.PredictResponse
) -> Iterator[Answer]:
    """The reply's rows beside their questions.

    Raises:
        UnexpectedResponse: The reply does not keep the contract.
    """
    rows = len(questions)
    version = response.model_spec.version.value
    outputs = response.outputs
    missing = [t.name for t in contract.DEFAULT.outputs if t.name not in outputs]
    if missing:  # a look-up would not fail: protobuf maps make the entry that is asked for
        raise UnexpectedResponse(f"the reply lacks {missing}; it has {sorted(outputs)}")
    columns = zip(
        questions,
        strings(outputs[contract.ANSWERS.name], name=contract.ANSWERS.name, rows=rows),
        floats(outputs[contract.CONFIDENCE.name], name=contract.CONFIDENCE.name, rows=rows),
        integers(outputs[contract.STATUS.name], name=contract.STATUS.name, rows=rows),
        strict=False,  # a tensor may carry more values than elements; they mean nothing
    )
    for question, text, confidence, status in columns:
        if status == contract.Status.OK:
            yield Answer(question, text.decode("ascii", "replace"), confidence, version)
        else:
            yield Answer(question, "", 0.0, version, refusal(question, status, version))


def refusal(question: object, status: int, version: int) -> InvalidQuestion:
    """Why a question of this status has no answer.

    Raises:
        UnexpectedResponse: The contract has no such status.
    """
    if status not in (contract.Status.MALFORMED, contract.Status.TOO_LONG):
        raise UnexpectedResponse(f"the contract has no status {status}")
    shown = repr(question)
    if len(shown) > LONGEST_SHOWN:
        shown = f"{shown[:LONGEST_SHOWN]}…"
    if status == contract.Status.TOO_LONG:
        return InvalidQuestion(
            f"{shown} is too long: an operand has more digits than model version {version} knows"
        )
    return InvalidQuestion(f"{shown} is not a question: write two numbers like '53+42'")


def status_request(*, model: str) -> model_status_pb2.GetModelStatusRequest:
    """A GetModelStatus for every version of the model."""
    return model_status_pb2.GetModelStatusRequest(model_spec=model_spec(model, None))


def version_statuses(response: model_status_pb2.GetModelStatusResponse) -> list[VersionStatus]:
    """The states in the reply, newest version first."""
    known = {state.value for state in State}
    return sorted(
        (
            VersionStatus(
                entry.version,
                State(entry.state if entry.state in known else State.UNKNOWN),
                entry.status.error_message,
            )
            for entry in response.model_version_status
        ),
        key=lambda entry: -entry.version,
    )
