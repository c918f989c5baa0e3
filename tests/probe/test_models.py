"""The probe with any models, and several of them on one server."""

from __future__ import annotations

import pytest
from seq2sum_serving.probe.findings import findings
from seq2sum_serving.probe.prober import UNKNOWN_MODEL
from support.probed_models import doubling, model_config, write_golden


def test_any_model_is_compared_by_its_golden_requests(once, config):
    config.write_text(model_config(config.parent, "doubles"))
    expect = {"inputs": {"x": [0.5, 1]}, "expect": {"y": [1.1, 2.1]}}
    write_golden(
        config.parent / "doubles",
        expect | {"compare": {"y": {"atol": 0.2}}},
        expect | {"compare": {"y": "argmax"}},
        expect | {"inputs": {"x": [0.5] * 100}, "expect": {"y": [1.5] * 100}},
    )
    with doubling() as server:
        result = once("--targets", server.target, "--labels", "stable")
    assert result.code == 1
    assert "2 of 3" in result.out
    [line] = result.errors.splitlines()
    assert line.startswith(
        f"seq2sum-probe: {server.target}: 1 of 3 golden answers of label stable are wrong: "
        'for {"x": [0.5, 0.5, '
    )
    assert line.endswith(
        "..., y is [0] 1 (expected 1.5), [1] 1 (expected 1.5), [2] 1 (expected 1.5) and 97 more"
    )
    assert len(line) < 300


def test_a_golden_request_that_does_not_fit_the_version_is_a_failed_call(once, config):
    config.write_text(model_config(config.parent, "doubles"))
    write_golden(config.parent / "doubles", {"inputs": {"z": [1]}, "expect": {"y": [2]}})
    with doubling() as server:
        result = once("--targets", server.target, "--labels", "stable")
    assert result.code == 1
    assert "a call to label stable failed: INVALID_ARGUMENT" in result.errors
    assert "golden answers" not in result.errors


def test_answers_of_another_version_are_not_compared(once, fake):
    # A label that moves: the golden requests are those of version 2.
    labels = {"stable": 1, "canary": 2}
    with fake(versions=[1, 2], labels=labels, answer=lambda *_: "wrong") as server:
        result = once("--targets", server.target, "--json")
    [replica] = result.json["models"]["seq2sum"]["replicas"]
    counted = {label: (g["answers"], g["wrong_answers"]) for label, g in replica["golden"].items()}
    assert counted == {"stable": (0, 0), "canary": (3, 3)}
    assert result.code == 1
    assert "label stable should be version 2, and is version 1" in result.errors


def test_all_models_of_the_config_file_are_probed_and_new_ones_appear(create_prober, once, config):
    """Certificates aside, everything is by model; a server that lacks a model is up."""
    config.write_text(model_config(config.parent, "doubles", "other"))
    write_golden(config.parent / "doubles", {"inputs": {"x": [1]}, "expect": {"y": [2]}})
    write_golden(config.parent / "other", {"inputs": {"x": [1]}, "expect": {"y": [2]}})
    with doubling() as server:
        result = once("--targets", server.target, "--json")
        assert list(result.json["models"]) == ["doubles", "other"]
        replicas = {name: each["replicas"][0] for name, each in result.json["models"].items()}
        assert {name: each["up"] for name, each in replicas.items()} == {
            "doubles": True,
            "other": True,
        }
        answers = [replica["golden"]["stable"]["answers"] for replica in replicas.values()]
        assert answers == [1, 0]
        assert [line for line in result.json["problems"] if not line.startswith("other: ")] == []
        assert result.code == 1
        rows = once("--targets", server.target).out.splitlines()
        assert next(row.split()[:3] for row in rows if server.target in row) == [
            "doubles",
            server.target,
            "stable",
        ]
        only = once("--targets", server.target, "--model", "doubles", "--json")
        assert (only.code, list(only.json["models"])) == (0, ["doubles"])

        prober = create_prober("--targets", server.target)
        assert prober.models() == ["doubles", "other"]
        assert list(prober.run_round(0)) == ["doubles", "other"]
        config.write_text(model_config(config.parent, "third", "doubles"))
        assert list(prober.run_round(1)) == ["third", "doubles"]
        config.write_text("broken")
        observations = prober.run_round(2)
        assert set(observations) == {"third", "doubles"}
        assert observations["doubles"].replicas[0].up
        texts = [each.text for each in findings(observations)]
        assert sum("not a valid ModelServerConfig" in text for text in texts) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list {}", "lists no model. Add one"),
        ("model_config_list {", "not a valid ModelServerConfig"),
        (None, "cannot find the model config file"),
    ],
)
def test_without_a_readable_config_file_no_model_is_known(
    once, create_prober, config, text, message
):
    config.unlink()
    if text is not None:
        config.write_text(text)
    result = once("--json")
    assert (result.code, result.json["models"]) == (1, {})
    [line] = result.errors.splitlines()
    assert message in line
    assert message in once().errors
    prober = create_prober("--targets", "127.0.0.1:1")
    assert prober.models() == [UNKNOWN_MODEL]
    config.write_text(model_config(config.parent, "doubles"))
    assert list(prober.run_round(0)) == ["doubles"]


def test_an_unknown_model_is_one_sentence(once, config):
    config.write_text(model_config(config.parent, "doubles", "other"))
    first = once("--model", "nope", "--targets", "127.0.0.1:1").errors.splitlines()[0]
    assert first == (
        f"seq2sum-probe: {config}: model 'nope' is missing (models: doubles, other): choose one "
        "with --model, or add an entry"
    )


def test_files_of_one_model_need_its_name(once, config):
    config.write_text(model_config(config.parent, "doubles", "other"))
    result = once("--traffic", "some.json")
    assert result.code == 2
    assert "lists several models: " in result.errors
    assert result.errors.endswith("doubles, other\n")
