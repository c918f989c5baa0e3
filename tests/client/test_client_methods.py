"""Every method of both clients, with a fake server."""

from __future__ import annotations

import asyncio

import grpc
import pytest
import seq2sum
from seq2sum.addition import contract
from seq2sum.testing import FakeServer
from support.grammar import EXAMPLES


@pytest.fixture
def server():
    with FakeServer(versions=(0, 1, 3), labels={"stable": 1, "lost": 9}) as server:
        yield server


@pytest.fixture(params=[None, seq2sum.Coalescing()], ids=["alone", "coalesced"])
def client(kind, server, request):
    with kind(server.target, coalescing=request.param) as client:
        yield client


@pytest.fixture
def plain(kind, server):
    with kind(server.target) as client:
        yield client


def test_add_calls_the_latest_version(client):
    assert client.add("53+42") == seq2sum.Answer("53+42", "95", pytest.approx(0.99), 3)
    assert client.add(b"053+42  ").value == 95


def test_add_calls_the_given_version_or_label(client):
    assert client.add("1+1", version=1).version == 1
    assert client.add("1+1", version=0).version == 0
    assert client.add("1+1", label="stable").version == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"version": 9}, "version 9"),
        ({"version": -1}, "version -1"),
        ({"label": "nope"}, "label nope"),
        ({"label": "lost"}, "label lost"),
    ],
)
def test_missing_version_or_label_is_named_in_the_error(client, server, options, named):
    with pytest.raises(seq2sum.VersionNotFound) as caught:
        client.add("1+1", **options)
    for part in (named, server.target, "model seq2sum"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"version": 1, "label": "stable"}, ValueError),
        ({"version": 2**70}, ValueError),
        ({"version": "1"}, TypeError),
        ({"labl": "stable"}, TypeError),
        ({"timeout": -1}, ValueError),
        ({"timeout": float("nan")}, ValueError),
    ],
)
@pytest.mark.parametrize("method", ["add", "add_many", "add_stream", "add_columns", "explain"])
def test_invalid_options_raise_before_a_call(plain, server, method, options, error):
    with pytest.raises(error):
        list(getattr(plain, method)(["1+1"] if method != "explain" else "1+1", **options) or ())
    assert not server.calls


BAD = [
    *(question for question, status in EXAMPLES.items() if status is not contract.Status.OK),
    "", "a+b", "1+1+1", "１+１", "1+\ud800", None, 12, 1.5, ["1+1"],
    pytest.param(object(), id="object"),
]  # fmt: skip


@pytest.mark.parametrize("question", BAD, ids=lambda q: repr(q)[:30])
def test_invalid_question_is_reported_by_every_method(plain, question):
    for method in (plain.add, plain.explain):
        with pytest.raises(seq2sum.InvalidQuestion, match=r"is not a question|is too long"):
            method(question)
    for many in (plain.add_many, lambda rows: list(plain.add_stream(rows))):
        before, bad, after = many(["1+2", question, "2+2"])
        assert (before.value, after.value) == (3, 4)
        assert isinstance(bad.error, seq2sum.InvalidQuestion)
        assert bad.question is question
        assert bad.text == ""
    columns = plain.add_columns(["1+2", question])
    assert columns.values == [3, None]
    assert columns.statuses[1] != contract.Status.OK


@pytest.mark.parametrize("text", ["53+42", b"53+42"])
@pytest.mark.parametrize("method", ["add_many", "add_stream", "add_columns", "stream_columns"])
def test_bulk_methods_refuse_a_single_text(plain, method, text):
    with pytest.raises(TypeError, match="not a single text: see add"):
        getattr(plain, method)(text)


def test_add_many_keeps_the_order_and_makes_few_calls(plain, server):
    questions = [f"{i % 1000}+{i // 1000}" for i in range(10_000)]
    answers = plain.add_many(iter(questions))
    assert [answer.question for answer in answers] == questions
    assert all(answer.value == sum(map(int, answer.question.split("+"))) for answer in answers)
    assert sorted(len(call.questions) for call in server.calls) == [1808, 4096, 4096]
    assert plain.add_many([]) == []
    assert len(server.calls) == 3


def test_stream_reads_its_source_as_answers_are_taken(plain):
    read = []

    def source():
        for i in range(1000):
            read.append(i)
            yield f"{i}+1"

    answers = plain.add_stream(source(), batch_size=10, max_in_flight=3)
    assert [next(answers).value for _ in range(5)] == [1, 2, 3, 4, 5]
    assert len(read) <= 40
    answers.close()
    assert [a.value for a in plain.add_stream(source(), batch_size=7)] == list(range(1, 1001))


def test_failing_stream_yields_earlier_answers_first(plain, server):
    def source():
        yield from ["1+1"] * 4
        server.fail(grpc.StatusCode.INTERNAL, times=100)
        yield from ["1+1"] * 4

    answers = plain.add_stream(source(), batch_size=2, max_in_flight=1)
    assert [next(answers).value for _ in range(4)] == [2] * 4
    with pytest.raises(seq2sum.CallError, match="made to fail"):
        next(answers)


def test_stream_passes_on_an_error_of_its_source(plain):
    def source():
        yield "1+1"
        raise LookupError("from the source")

    with pytest.raises(LookupError, match="from the source"):
        list(plain.add_stream(source(), batch_size=1))
    assert plain.add("1+1").value == 2


@pytest.mark.parametrize(("name", "value"), [("batch_size", 0), ("max_in_flight", 0)])
def test_invalid_stream_options_are_refused(plain, name, value):
    with pytest.raises(ValueError, match=f"invalid {name} {value}: expected an integer, 1 or more"):
        plain.add_stream(["1+1"], **{name: value})


def test_stream_columns_yields_one_part_per_call(plain):
    parts = list(plain.stream_columns((f"{i}+1" for i in range(5)), batch_size=2))
    assert [part.values for part in parts] == [[1, 2], [3, 4], [5]]
    assert [list(part.versions) for part in parts] == [[3, 3], [3, 3], [3]]


def test_explain_returns_probabilities_by_position(plain):
    found = plain.explain("53+42")
    assert (found.text, found.version, len(found.positions)) == ("95", 3, 4)
    assert found.confidence == pytest.approx(0.99, abs=1e-4)
    assert found.positions[0].character == "9"
    probabilities = [probability for _, probability in found.positions[0].alternatives]
    assert sum(probabilities) == pytest.approx(1)


def test_versions_and_describe(plain):
    assert [entry.version for entry in plain.versions()] == [3, 1, 0]
    found = plain.describe(version=1)
    assert (found.version, found.digits, found.steps, found.vocabulary) == (1, 3, 7, 12)
    assert found.missing == ()
    assert found.signatures["serving_default"].inputs["questions"].dtype == "DT_STRING"


@pytest.mark.parametrize("method", ["add", "explain", "describe", "versions"])
def test_other_model_is_not_found(kind, server, method):
    with (
        kind(server.target, model="nope") as client,
        pytest.raises(seq2sum.ModelNotFound, match="model nope"),
    ):
        getattr(client, method)(*(["1+1"] if method in ("add", "explain") else []))


def test_async_client_streams_an_async_iterable():
    async def main(target):
        async def source():
            for i in range(10):
                await asyncio.sleep(0)
                yield f"{i}+1"

        async with seq2sum.AsyncClient(target) as client:
            return [answer.value async for answer in client.add_stream(source(), batch_size=3)]

    with FakeServer() as server:
        assert asyncio.run(main(server.target)) == list(range(1, 11))
