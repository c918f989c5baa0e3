"""Everything that a client does, on both of them, against a fake server."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import seq2sum
from both import KINDS
from grammar import EXAMPLES
from seq2sum import contract
from seq2sum.testing import FakeServer
from statuses import BY_CODE


@pytest.fixture(params=KINDS, ids=KINDS)
def kind(request):
    """What makes a client: the sync or the async one."""
    return KINDS[request.param]


@pytest.fixture
def server():
    with FakeServer(versions=(0, 1, 3), labels={"stable": 1, "lost": 9}) as server:
        yield server


@pytest.fixture(params=[None, seq2sum.Coalesce()], ids=["alone", "coalesced"])
def client(kind, server, request):
    with kind(server.target, coalesce=request.param) as client:
        yield client


@pytest.fixture
def plain(kind, server):
    with kind(server.target) as client:
        yield client


def test_a_question_is_answered_by_the_latest_version(client):
    assert client.add("53+42") == seq2sum.Answer("53+42", "95", pytest.approx(0.99), 3)
    assert client.add(b"053+42  ").value == 95


def test_versions_and_labels_are_honoured(client):
    assert client.add("1+1", version=1).version == 1
    assert client.add("1+1", version=0).version == 0
    assert client.add("1+1", label="stable").version == 1


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"version": 9}, "version 9"),
        ({"version": -1}, "version -1"),
        ({"label": "nope"}, "label nope"),
        ({"label": "lost"}, "label lost"),
    ],
)
def test_what_is_not_there_is_named(client, server, how, said):
    with pytest.raises(seq2sum.VersionNotFound) as caught:
        client.add("1+1", **how)
    for part in (said, server.target, "model seq2sum"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("how", "kind_of_error"),
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
def test_keywords_that_cannot_be_are_the_callers_mistake(plain, server, method, how, kind_of_error):
    with pytest.raises(kind_of_error):
        list(getattr(plain, method)(["1+1"] if method != "explain" else "1+1", **how) or ())
    assert not server.calls


BAD = [
    *(question for question, status in EXAMPLES.items() if status is not contract.Status.OK),
    "", "a+b", "1+1+1", "１+１", "1+\ud800", None, 12, 1.5, ["1+1"], object(),
]  # fmt: skip


@pytest.mark.parametrize("question", BAD, ids=lambda q: repr(q)[:30])
def test_a_bad_question_is_the_callers_error_in_every_method(plain, question):
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


@pytest.mark.parametrize("one", ["53+42", b"53+42"])
@pytest.mark.parametrize("method", ["add_many", "add_stream", "add_columns", "stream_columns"])
def test_a_single_text_is_not_many_questions(plain, method, one):
    with pytest.raises(TypeError, match="there is add"):
        getattr(plain, method)(one)


def test_many_questions_come_back_in_order_by_few_calls(plain, server):
    questions = [f"{i % 1000}+{i // 1000}" for i in range(10_000)]
    answers = plain.add_many(iter(questions))
    assert [answer.question for answer in answers] == questions
    assert all(answer.value == sum(map(int, answer.question.split("+"))) for answer in answers)
    assert sorted(len(call.questions) for call in server.calls) == [1808, 4096, 4096]
    assert plain.add_many([]) == []
    assert len(server.calls) == 3


def test_a_stream_is_read_as_its_answers_are_taken(plain):
    read = []

    def source():
        for i in range(1000):
            read.append(i)
            yield f"{i}+1"

    answers = plain.add_stream(source(), rows=10, in_flight=3)
    assert [next(answers).value for _ in range(5)] == [1, 2, 3, 4, 5]
    assert len(read) <= 40
    answers.close()
    assert [a.value for a in plain.add_stream(source(), rows=7)] == list(range(1, 1001))


def test_a_stream_that_fails_has_given_what_came_before(plain, server):
    def source():
        yield from ["1+1"] * 4
        server.fail(grpc.StatusCode.INTERNAL, times=100)
        yield from ["1+1"] * 4

    answers = plain.add_stream(source(), rows=2, in_flight=1)
    assert [next(answers).value for _ in range(4)] == [2] * 4
    with pytest.raises(seq2sum.CallError, match="made to fail"):
        next(answers)


def test_the_source_of_a_stream_may_fail_by_itself(plain):
    def source():
        yield "1+1"
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        list(plain.add_stream(source(), rows=1))
    assert plain.add("1+1").value == 2


@pytest.mark.parametrize(("name", "value"), [("rows", 0), ("in_flight", 0)])
def test_a_pace_that_is_none_is_refused(plain, name, value):
    with pytest.raises(ValueError, match=f"{name} is 1 or more"):
        plain.add_stream(["1+1"], **{name: value})


def test_columns_come_without_rows(plain):
    parts = list(plain.stream_columns((f"{i}+1" for i in range(5)), rows=2))
    assert [part.values for part in parts] == [[1, 2], [3, 4], [5]]
    assert [list(part.versions) for part in parts] == [[3, 3], [3, 3], [3]]


def test_an_explanation_tells_what_the_network_thought(plain):
    found = plain.explain("53+42")
    assert (found.text, found.version, len(found.places)) == ("95", 3, 4)
    assert found.confidence == pytest.approx(0.99, abs=1e-4)
    assert found.places[0].character == "9"
    assert sum(probability for _, probability in found.places[0].alternatives) == pytest.approx(1)


def test_versions_and_their_description(plain):
    assert [entry.version for entry in plain.versions()] == [3, 1, 0]
    found = plain.describe(version=1)
    assert (found.version, found.digits, found.steps, found.vocabulary) == (1, 3, 7, 12)
    assert found.lacks == ()
    assert found.signatures["serving_default"].inputs["questions"].dtype == "DT_STRING"


@pytest.mark.parametrize("method", ["add", "explain", "describe", "versions"])
def test_another_model_is_not_found(kind, server, method):
    with (
        kind(server.target, model="nope") as client,
        pytest.raises(seq2sum.ModelNotFound, match="model nope"),
    ):
        getattr(client, method)(*(["1+1"] if method in ("add", "explain") else []))


@pytest.mark.parametrize(("code", "error"), BY_CODE.items(), ids=lambda v: getattr(v, "name", ""))
def test_every_status_is_its_error(kind, server, code, error):
    with kind(server.target, retry=seq2sum.Retry(attempts=1)) as client:
        for method in (client.add, client.explain):
            server.fail(code, "because")
            with pytest.raises(error) as caught:
                method("1+1")
            assert type(caught.value) is error
            assert isinstance(caught.value.__cause__, grpc.RpcError)
            for part in ("because", code.name, server.target, "model seq2sum, latest version"):
                assert part in str(caught.value)
        server.fail(code, "because")
        if error is seq2sum.Overloaded:  # many questions wait for room
            assert client.add_many(["1+1"])[0].value == 2
        else:
            with pytest.raises(error, match="because"):
                client.add_many(["1+1"])
        assert client.add("1+1").value == 2


def test_waiting_ends_when_a_version_serves(kind, server):
    with kind(server.target) as client:
        assert client.wait_until_available(timeout=5).version == 3
        assert client.wait_until_available(version=1, timeout=5).version == 1
        assert client.wait_until_available(label="stable", timeout=5).version == 1
        later = threading.Timer(0.2, lambda: server.versions.append(9))
        later.start()
        assert client.wait_until_available(label="lost", timeout=10).version == 9
        later.join()


def test_waiting_outlasts_a_server_that_is_not_there_yet(kind):
    server = FakeServer()
    with server:
        pass
    with kind(server.target) as client:
        later = threading.Timer(0.3, server.start)
        later.start()
        assert client.wait_until_available(timeout=20).version == 1
        later.join()
    server.stop()


@pytest.mark.parametrize(
    ("how", "said"),
    [({"version": 7}, "version 7"), ({"label": "nope"}, "Unrecognized servable version label")],
)
def test_waiting_in_vain_says_what_was_last_heard(kind, server, how, said):
    with (
        kind(server.target) as client,
        pytest.raises(seq2sum.DeadlineExceeded, match="last heard") as caught,
    ):
        client.wait_until_available(timeout=0.3, **how)
    assert said in str(caught.value)


def test_a_split_sends_keys_to_their_sides(kind, server):
    split = seq2sum.Split({"stable": 50, 3: 50})
    with kind(server.target, split=split) as client:
        for key in ("ann", "bob", "cyd", "dan"):
            wanted = {"stable": 1, 3: 3}[split.side(key)]
            assert {client.add("1+1", key=key).version for _ in range(3)} == {wanted}
            assert {answer.version for answer in client.add_many(["1+1"] * 5, key=key)} == {wanted}
        assert client.add("1+1", version=0, key="ann").version == 0
        assert {client.add("1+1").version for _ in range(60)} == {1, 3}


def test_a_shadow_is_asked_off_the_callers_path(kind, server):
    seen, both = [], threading.Semaphore(0)

    def tell(primary, outcome):
        seen.append((primary, outcome))
        both.release()
        raise LookupError("the callers of a client never feel this")

    with kind(server.target, shadow=seq2sum.Shadow(tell, label="stable")) as client:
        assert client.add("2+2").version == 3
        assert both.acquire(timeout=10)
        [(primary, outcome)] = seen
        assert (primary.values, list(primary.versions)) == ([4], [3])
        assert (outcome.values, list(outcome.versions)) == ([4], [1])
        del server.labels["stable"]
        assert client.add_many(["2+2", "x"])[0].value == 4
        assert both.acquire(timeout=10)
        assert isinstance(seen[1][1], seq2sum.VersionNotFound)


def test_a_slow_shadow_is_left_out_rather_than_queued(kind, server):
    seen = []
    shadow = seq2sum.Shadow(lambda *both: seen.append(both), version=0, in_flight=1)
    gate = threading.Event()
    server.hold = lambda call: call.version == 0 and gate.wait(20)
    with kind(server.target, shadow=shadow) as client:
        assert [client.add("1+1").value for _ in range(5)] == [2] * 5
        gate.set()
    assert sum(call.version == 0 for call in server.calls) <= 1
    assert len(seen) <= 1


@pytest.mark.parametrize(
    "how",
    [{}, {"label": "a", "version": 1}, {"label": "a", "share": 2}, {"label": "a", "in_flight": 0}],
)
def test_a_shadow_that_cannot_be_is_refused(how):
    with pytest.raises(ValueError, match=r"shadow|share|in_flight"):
        seq2sum.Shadow(print, **how)


def test_headers_of_the_client_and_of_the_call_arrive(kind, server):
    count = iter(range(10))
    with kind(server.target, metadata=lambda: [("x-number", str(next(count)))]) as client:
        client.add("1+1", metadata=[("x-own", "a")])
        client.add("1+1")
    first, second = (dict(call.metadata) for call in server.calls)
    assert (first["x-number"], first["x-own"]) == ("0", "a")
    assert second["x-number"] == "1"
    assert "x-own" not in second


def test_deadlines_arrive_at_the_server(kind, server):
    with kind(server.target) as client:
        client.add("1+1", timeout=5)
        client.add("1+1")
        client.add("1+1", timeout=None)
        client.add_many(["1+1"], timeout=7)
    five, ten, none, seven = (call.seconds for call in server.calls)
    assert 3 < five <= 5.1
    assert 8 < ten <= 10.1
    assert none is None or none > 10**6
    assert 5 < seven <= 7.1


def test_concurrent_callers_share_calls_and_get_their_own(kind, server):
    server.delay = 0.05
    with (
        kind(server.target, coalesce=seq2sum.Coalesce()) as client,
        ThreadPoolExecutor(40) as pool,
    ):
        asked = {f"{i}+1": pool.submit(client.add, f"{i}+1") for i in range(200)}
        bad = [pool.submit(client.add, "x") for _ in range(20)]
        for question, future in asked.items():
            assert future.result().value == sum(map(int, question.split("+")))
        for future in bad:
            with pytest.raises(seq2sum.InvalidQuestion):
                future.result()
    assert len(server.calls) < 80


def test_calls_of_different_routes_are_not_merged(kind, server):
    server.delay = 0.05
    with (
        kind(server.target, coalesce=seq2sum.Coalesce(calls=1)) as client,
        ThreadPoolExecutor(12) as pool,
    ):
        latest = [pool.submit(client.add, "1+1") for _ in range(4)]
        stable = [pool.submit(client.add, "1+1", label="stable") for _ in range(4)]
        mine = [pool.submit(client.add, "1+1", metadata=[("x-who", "me")]) for _ in range(4)]
        assert {future.result().version for future in latest + mine} == {3}
        assert {future.result().version for future in stable} == {1}
    assert sum(len(call.questions) for call in server.calls if call.label == "stable") == 4
    mine = [call for call in server.calls if ("x-who", "me") in call.metadata]
    assert sum(len(call.questions) for call in mine) == 4


def test_one_callers_deadline_leaves_the_others_alone(kind, server):
    gate = threading.Event()
    server.hold = lambda _: gate.wait(20)
    with (
        kind(server.target, coalesce=seq2sum.Coalesce(calls=1)) as client,
        ThreadPoolExecutor(10) as pool,
    ):
        patient = [pool.submit(client.add, "1+1", timeout=30) for _ in range(5)]
        hasty = [pool.submit(client.add, "1+1", timeout=0.2) for _ in range(3)]
        for future in hasty:
            with pytest.raises(seq2sum.DeadlineExceeded):
                future.result()
        gate.set()
        assert [future.result().value for future in patient] == [2] * 5


def test_too_many_waiting_are_overload_and_not_memory(kind, server):
    gate, refused = threading.Event(), threading.Semaphore(0)
    server.hold = lambda _: gate.wait(20)

    def ask():
        try:
            return client.add("1+1", timeout=30)
        except seq2sum.Overloaded:
            refused.release()
            raise

    limits = seq2sum.Coalesce(calls=1, waiting=2)
    with kind(server.target, coalesce=limits) as client, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask) for _ in range(8)]
        for _ in range(4):
            assert refused.acquire(timeout=10)
        gate.set()
        outcomes = [future.exception() for future in asked]
    assert {type(outcome) for outcome in outcomes} == {seq2sum.Overloaded, type(None)}
    assert sum(outcome is None for outcome in outcomes) in (3, 4)


def test_a_merged_call_that_fails_tells_each_caller(kind, server):
    server.delay = 0.1
    with (
        kind(server.target, coalesce=seq2sum.Coalesce(calls=1)) as client,
        ThreadPoolExecutor(6) as pool,
    ):
        server.fail(grpc.StatusCode.INTERNAL, "broken", times=2)
        errors = [pool.submit(client.add, "1+1").exception() for _ in range(6)]
    broken = [error for error in errors if error is not None]
    assert broken
    assert len(set(map(id, broken))) == len(broken)
    assert {type(error) for error in broken} == {seq2sum.CallError}


def test_cancelling_one_task_leaves_the_others_alone():
    async def main(target):
        async with seq2sum.AsyncClient(target, coalesce=seq2sum.Coalesce()) as client:
            tasks = [asyncio.create_task(client.add(f"{i}+1")) for i in range(9)]
            await asyncio.sleep(0)
            tasks[4].cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    with FakeServer(delay=0.05) as server:
        outcomes = asyncio.run(main(server.target))
    assert isinstance(outcomes.pop(4), asyncio.CancelledError)
    assert [outcome.value for outcome in outcomes] == [1, 2, 3, 4, 6, 7, 8, 9]


def test_an_async_source_can_be_streamed():
    async def main(target):
        async def source():
            for i in range(10):
                await asyncio.sleep(0)
                yield f"{i}+1"

        async with seq2sum.AsyncClient(target) as client:
            return [answer.value async for answer in client.add_stream(source(), rows=3)]

    with FakeServer() as server:
        assert asyncio.run(main(server.target)) == list(range(1, 11))


@pytest.mark.parametrize(
    "how",
    [{"in_flight": 0}, {"timeout": -1}, {"token": "secret"}, {"model": 7},
     {"target": []}, {"target": ["name:1", "other:2"]}],
)  # fmt: skip
def test_configuration_that_cannot_be_is_refused_at_once(kind, how):
    with pytest.raises((ValueError, TypeError)):
        kind(**{"target": "localhost:1", **how})


def test_nothing_is_left_behind(kind, server):
    before = threading.active_count()
    for _ in range(3):
        with kind(server.target, coalesce=seq2sum.Coalesce()) as client:
            client.add("1+1")
            client.add_many(["1+1"] * 5000)
    gc.collect()
    assert threading.active_count() <= before + 4  # gRPC keeps a few of its own
