"""Files of golden requests: whose the probe reads, and errors that stay those of one model."""

from __future__ import annotations

import pytest
from seq2sum import golden
from seq2sum_serving.deployment.event_log import Event, EventLog
from seq2sum_serving.probe.findings import findings
from seq2sum_serving.probe.metrics import metric_families
from seq2sum_serving.probe.model_prober import ModelProber
from support.probed_models import doubling, model_config, write_golden


def test_without_golden_requests_labels_are_called_for_their_signatures(once, fake, config):
    file = config.parent / "seq2sum" / "2" / "assets.extra" / golden.FILE_NAME
    file.unlink()
    with fake() as server:
        result = once("--targets", server.target, "--json")
        assert not [call for call in server.calls if call.method == "Predict"]
    assert result.code == 0
    note = (
        "version 2 has no golden requests, so its answers are not compared: write "
        "some with `seq2sum-rollout golden record 2 --from inputs.jsonl`"
    )
    assert (result.errors, result.json["notes"]) == (f"seq2sum-probe: note: {note}\n", [note])
    [replica] = result.json["models"]["seq2sum"]["replicas"]
    found = replica["golden"]["stable"]
    assert found.pop("seconds") > 0
    assert found == {"answers": 0, "wrong_answers": 0, "failed": []}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no json", ":1: not valid JSON: "),
        ('{"inputs": {"x": [1]}}', ":1: it expects no output: add `expect`"),
        ("", ": the file has no golden requests"),
    ],
)
def test_invalid_golden_requests_are_a_problem(once, fake, config, text, problem):
    file = config.parent / "seq2sum" / "2" / "assets.extra" / golden.FILE_NAME
    file.write_text(text)
    with fake() as server:
        result = once("--targets", server.target, "--json")
    assert result.code == 1
    [found] = result.json["problems"]
    assert found.startswith(f"invalid golden requests: {file}{problem}")
    assert result.json["notes"] == []


def test_golden_requests_that_cannot_be_read_are_a_problem(once, fake, config):
    file = config.parent / "seq2sum" / "2" / "assets.extra" / golden.FILE_NAME
    file.unlink()
    file.mkdir()
    with fake() as server:
        result = once("--targets", server.target)
    assert result.code == 1
    assert f"cannot read the golden requests {file}: Is a directory" in result.errors


@pytest.mark.parametrize("golden_exists", [False, True])
def test_only_a_missing_file_counts_as_readable(create_prober, fake, config, golden_exists):
    file = config.parent / "seq2sum" / "2" / "assets.extra" / golden.FILE_NAME
    file.write_text("no json") if golden_exists else file.unlink()
    with fake() as server:
        observation = create_prober("--targets", server.target).run_round(0)["seq2sum"]
    samples = {
        sample.labels["input"]: sample.value
        for family in metric_families(observation, {}, model="seq2sum")
        for sample in family.samples
        if sample.name == "seq2sum_probe_input_readable"
    }
    assert samples["golden_requests"] == (0 if golden_exists else 1)


@pytest.mark.parametrize("function", ["read", "differences"])
def test_an_unexpected_error_of_one_model_does_not_end_the_round_of_others(
    once, config, monkeypatch, function
):
    config.write_text(model_config(config.parent, "broken", "doubles"))
    for model in ("broken", "doubles"):
        x = 5 if model == "broken" else 1
        write_golden(config.parent / model, {"inputs": {"x": [x]}, "expect": {"y": [2 * x]}})
    original = getattr(golden, function)

    def fail(first, *others):
        if "broken" in str(first) or "[5]" in str(first):
            raise ZeroDivisionError("first line\nsecond line")
        return original(first, *others)

    monkeypatch.setattr(golden, function, fail)
    with doubling() as doubles, doubling(model="broken", port=0) as broken:
        targets = f"{doubles.target},{broken.target}"
        result = once("--targets", targets, "--labels", "stable", "--json")
    answers = {
        model: [each["golden"]["stable"]["answers"] for each in found["replicas"]]
        for model, found in result.json["models"].items()
    }
    assert answers == {"broken": [0, 0], "doubles": [1, 0]}
    unexpected = [line for line in result.json["problems"] if "ZeroDivisionError" in line]
    assert len(unexpected) == 1
    assert unexpected[0].startswith("broken: ")
    assert unexpected[0].endswith("unexpected ZeroDivisionError: first line second line")
    assert result.code == 1


def test_a_model_whose_round_cannot_start_does_not_end_the_round_of_others(
    create_prober, config, monkeypatch
):
    config.write_text(model_config(config.parent, "broken", "doubles"))
    start = ModelProber.start_round

    def fail(self, *arguments):
        if self._files.model_config.model == "broken":
            raise RuntimeError("can't start new thread")
        return start(self, *arguments)

    monkeypatch.setattr(ModelProber, "start_round", fail)
    with doubling() as server:
        observations = create_prober("--targets", server.target).run_round(0)
    assert observations["doubles"].replicas[0].up
    texts = [each.text for each in findings(observations)]
    assert "broken: unexpected RuntimeError: can't start new thread" in texts


HISTORY = (
    Event("labels set", details={"stable": 0, "canary": 0}, model="doubles"),
    Event("labels set", details={"stable": 1, "canary": 1}, model="doubles"),
    Event("rolled back", 1, model="doubles"),
    Event("labels set", details={"stable": 1, "canary": 1}, model="other"),
)


@pytest.mark.parametrize(
    ("events", "owner"),
    [((), None), (HISTORY[:1], 0), (HISTORY[:2], 1), (HISTORY[:3], 0), (HISTORY, 0)],
)
def test_a_version_without_golden_requests_is_checked_by_those_of_the_version_in_service_before(
    once, config, events, owner
):
    config.write_text(model_config(config.parent, "doubles"))
    (config.parent / "doubles" / "2").mkdir(parents=True)
    for version in (0, 1):
        line = {"inputs": {"x": [1]}, "expect": {"y": [5 + version]}}
        write_golden(config.parent / "doubles", line, version=version)
    history = EventLog(config.parent / "doubles.rollouts.jsonl")
    for event in events:
        history.append(event)
    with doubling() as server:
        result = once("--targets", server.target, "--labels", "stable", "--json")
    wrong = [line for line in result.json["problems"] if "golden answers" in line]
    notes = [line for line in result.json["notes"] if "version 2 has no golden requests" in line]
    if owner is None:
        assert (result.code, wrong, len(notes)) == (0, [], 1)
        return
    assert (result.code, notes) == (1, [])
    [text] = wrong
    assert text.endswith(
        f'are wrong: for {{"x": [1]}} of version {owner}, y is 2 (expected {5 + owner})'
    )


def test_golden_requests_that_are_recorded_again_are_read_again(create_prober, fake, config):
    with fake() as server:
        prober = create_prober("--targets", server.target)
        assert findings(prober.run_round(0)) == []
        write_golden(
            config.parent / "seq2sum",
            {"inputs": {"questions": ["1+1"]}, "expect": {"answers": ["3"]}},
        )
        assert len(findings(prober.run_round(1))) == 2  # both labels
