"""`seq2sum-train` from a recipe to a published version, on one-digit questions."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from seq2sum import golden
from seq2sum_training import recipe
from support.small_recipe import SETTINGS, overrides
from tensorflow_serving.apis import prediction_log_pb2

pytestmark = [pytest.mark.tensorflow, pytest.mark.end_to_end]


def one_line(done, message):
    """Checks that a command failed with this message in its only line of stderr; returns True."""
    assert done.returncode not in (0, None)
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return True


def test_small_recipe_answers_every_question_right(evaluated):
    path, output = evaluated
    figures = json.loads((path / "evaluation.json").read_text())
    assert figures["questions"] == 100
    assert figures["errors"] == 0
    assert figures["exact_match"] == figures["character_accuracy"] == 1.0
    assert "errors 0 of 100\n" in output
    assert {row["questions"] for row in figures["by_lengths"]} == {100}
    assert [row["questions"] for row in figures["by_carries"]] == [55, 45]
    assert sum(row["questions"] for row in figures["calibration"]) == 100


@pytest.fixture(scope="module")
def repeated(command, tmp_path_factory):
    """The small recipe trained again, in a new process."""
    path = tmp_path_factory.mktemp("repeated") / "run"
    line = ("seq2sum-train", "fit", "default", "--out", path, *overrides(*SETTINGS))
    done = command(*line, fresh=True)
    assert done.returncode == 0, done.stderr
    return path, done.stdout


def test_small_recipe_ends_with_a_clean_check(repeated):
    path, output = repeated
    assert "check over 100 training pairs is clean: no wrong answers" in output
    check = json.loads((path / "run.json").read_text())["check"]
    assert check["clean"]
    assert 0 < check["largest"] <= 0.4


def test_small_recipe_takes_little_cpu_time(repeated):
    path, _ = repeated  # about 7 seconds
    assert json.loads((path / "run.json").read_text())["cpu_seconds"] < 40


def test_stop_at_ends_training_early(command, tmp_path):
    path = tmp_path / "run"
    line = ("seq2sum-train", "fit", "default", "--out", path, *overrides(*SETTINGS))
    done = command(*line, "--stop-at", "50%")
    assert done.returncode == 0, done.stderr
    assert recipe.load(str(path / "recipe.toml")).fit.stop_at == 0.5
    about = json.loads((path / "run.json").read_text())
    assert about["steps"] < 500
    assert about["check"] is None
    refused = command(*line, "--stop-at", "120%")
    assert refused.returncode == 2
    assert "invalid share '120%': expected a value such as 0.999 or 99.9%" in refused.stderr


def test_run_folder_has_recipe_metadata_and_history(evaluated):
    path, _ = evaluated
    assert recipe.load(str(path / "recipe.toml")).network.encoder == 32
    about = json.loads((path / "run.json").read_text())
    assert {"tensorflow", "keras", "numpy", "python", "revision", "cpu_seconds"} <= set(about)
    with (path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(50, 501, 50))
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) / 10
    assert float(rows[-1]["exact"]) == 1.0
    assert (path / "wrong.csv").read_text().strip() == "question,answer,true_sum,confidence"


@pytest.fixture(scope="module")
def barely_trained(command, tmp_path_factory):
    """A run of two blocks of steps, with few right answers, and the result of its `fit`."""
    path = tmp_path_factory.mktemp("barely_trained") / "run"
    # Whole blocks, because XLA compiles again for another number of steps.
    settings = (*SETTINGS, "data.held_out=0.1", "fit.steps=50", "fit.warm_up=1")
    settings += ("polish.rounds=1", "polish.steps=50", "polish.attempts=1")
    line = ("seq2sum-train", "fit", "default", "--out", path, *overrides(*settings))
    return path, command(*line)


def test_fit_without_a_clean_check_fails_and_leaves_a_usable_run(barely_trained, command):
    path, done = barely_trained
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if line.startswith("seq2sum-train:")]
    check = json.loads((path / "run.json").read_text())["check"]
    assert not check["clean"]
    counts = f"{check['wrong']:,} of {check['asked']:,} training pairs have wrong answers"
    assert f"with the best weights, kept in {path}, {counts}" in line
    assert "--set seed=N" in line
    assert "--set polish.attempts=N, now 1" in line
    assert "training ended without a clean check" in command("seq2sum-train", "show", path).stdout
    assert one_line(command("seq2sum-train", "resume", path), "is already finished")


def test_evaluate_lists_wrong_answers_and_fails_unless_they_are_allowed(barely_trained, command):
    path, _ = barely_trained
    done = command("seq2sum-train", "evaluate", path)
    assert done.returncode == 1
    errors = json.loads((path / "evaluation.json").read_text())["errors"]
    [line] = [line for line in done.stderr.splitlines() if line.startswith("seq2sum-train:")]
    assert f"{errors} wrong answers, listed in {path / 'wrong.csv'}" in line
    assert "pass --allow-errors" in line
    allowed = command("seq2sum-train", "evaluate", path, "--allow-errors")
    assert allowed.returncode == 0
    assert f"errors {errors} of 100\n" in allowed.stdout
    figures = json.loads((path / "evaluation.json").read_text())
    with (path / "wrong.csv").open() as file:
        wrong = list(csv.DictReader(file))
    assert figures["errors"] == len(wrong) > 50
    assert figures["questions"] > figures["never_trained_questions"] > 0
    assert figures["errors"] >= figures["never_trained_errors"] > 0
    for row in wrong:
        first, second = row["question"].split("+")
        assert int(row["true_sum"]) == int(first) + int(second)
        assert row["answer"] != row["true_sum"]


def test_export_of_wrong_golden_answers_needs_force(barely_trained, command, tmp_path):
    path, _ = barely_trained
    base = tmp_path / "models"
    line = ("seq2sum-train", "export", path, "--to", base)
    refused = command(*line)
    assert refused.returncode == 1
    assert "of 115 golden requests answered right, first wrong answer: " in refused.stderr
    assert "nothing was published (--force publishes it anyway)" in refused.stderr
    assert not base.exists()

    forced = command(*line, "--force")
    assert forced.returncode == 0, forced.stderr
    extra = base / "1" / "assets.extra"
    described = json.loads((extra / "contract.json").read_text())
    figures = json.loads((path / "evaluation.json").read_text())
    assert described["forced"] is True
    assert described["golden"]["questions"] == 115 > described["golden"]["right"]
    right = described["golden"]["right"]
    assert right == 115 - figures["errors"]  # every question, and 15 that are refused
    assert described["evaluation"] == {
        "exhaustive": True,
        "questions": 100,
        "errors": figures["errors"],
        "never_trained_questions": figures["never_trained_questions"],
        "never_trained_errors": figures["never_trained_errors"],
    }
    card = (extra / "model_card.md").read_text()
    assert f"Published with `--force`: only {right} of 115 golden requests" in card
    assert f"| golden requests answered right | {right} of 115 |" in card
    assert "published with --force" in command("seq2sum-train", "show", base / "1").stdout


def test_equal_seeds_give_equal_weights(small_run, repeated):
    import keras

    models = [keras.models.load_model(path / "model.keras") for path in (small_run, repeated[0])]
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        assert (a == b).all()


def test_version_has_contract_golden_requests_and_warm_up_records(small_version):
    extra = small_version / "assets.extra"
    described = json.loads((extra / "contract.json").read_text())
    assert (described["contract"], described["extra"]["digits"]) == (2, 1)
    requests = golden.read(extra / "golden.jsonl")
    assert sum("status" not in request.expect for request in requests) == 100
    assert len(requests) == 115
    records = tf.data.TFRecordDataset(str(extra / "tf_serving_warmup_requests"))
    logs = [prediction_log_pb2.PredictionLog.FromString(r) for r in records.as_numpy_iterator()]
    signatures = {log.predict_log.request.model_spec.signature_name for log in logs}
    assert signatures == {"serving_default", "probabilities", "one_hot"}
    assert {log.predict_log.request.model_spec.name for log in logs} == {"seq2sum"}
    assert [entry.name for entry in small_version.parent.iterdir()] == ["1"]


def test_contract_of_a_version_has_its_figures(small_version):
    described = json.loads((small_version / "assets.extra" / "contract.json").read_text())
    assert described["forced"] is False
    assert described["golden"] == {"questions": 115, "right": 115}
    figures = described["evaluation"]
    assert figures == {
        "exhaustive": True,
        "questions": 100,
        "errors": 0,
        "never_trained_questions": figures["never_trained_questions"],
        "never_trained_errors": 0,
    }


def test_version_has_its_model_card_and_report(small_version):
    extra = small_version / "assets.extra"
    card = (extra / "model_card.md").read_text()
    assert card.startswith("# seq2sum, version 1\n")
    assert "| questions: every ordered pair | 100 |" in card
    assert "| wrong answers | 0 |" in card
    assert "| golden requests answered right | 115 of 115 |" in card
    assert "--force" not in card
    assert "Measured by `seq2sum-train evaluate" in card
    assert 'layout = "aligned"' in card
    assert "{{" not in card
    assert "None" not in card
    assert "0 wrong of 100" in (extra / "report.html").read_text()


def test_export_evaluates_the_run_first_if_necessary(command, small_run, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(small_run, path)
    (path / "evaluation.json").unlink(missing_ok=True)
    done = command("seq2sum-train", "export", path, "--to", tmp_path / "models")
    assert done.returncode == 0, done.stderr
    assert "evaluating the model" in done.stdout
    assert json.loads((path / "evaluation.json").read_text())["errors"] == 0
    shown = command("seq2sum-train", "show", tmp_path / "models" / "1")
    assert "answers string [-1]" in shown.stdout
    assert "0 of 100" in command("seq2sum-train", "show", path).stdout


def test_version_loads_in_plain_tensorflow(small_version):
    served = tf.saved_model.load(str(small_version)).signatures["serving_default"]
    outputs = served(questions=tf.constant(["3+4", "9+9", "x"]))
    assert outputs["answers"].numpy().tolist() == [b"7", b"18", b""]
    assert outputs["status"].numpy().tolist() == [0, 0, 1]
    assert (outputs["confidence"].numpy()[:2] > 0.5).all()


def test_probabilities_of_a_version_sum_to_one(small_version):
    served = tf.saved_model.load(str(small_version)).signatures["probabilities"]
    outputs = served(questions=tf.constant(["3+4"]))
    np.testing.assert_allclose(outputs["probabilities"].numpy().sum(axis=2), 1, rtol=1e-5)


def test_export_never_overwrites_a_version(command, evaluated, base_path):
    run, _ = evaluated
    before = sorted((base_path / "1").rglob("*"))
    done = command("seq2sum-train", "export", run, "--to", base_path, "--version", "1")
    assert one_line(done, "version 1 exists")
    assert "the next free one is 2" in done.stderr
    assert sorted((base_path / "1").rglob("*")) == before
    assert [entry.name for entry in base_path.iterdir()] == ["1"]


def test_user_errors_are_one_line_and_nothing_is_written(command, small_run, evaluated, tmp_path):
    out = tmp_path / "out"
    fit = ("seq2sum-train", "fit")
    assert one_line(command(*fit, "nope", "--out", out), "recipe 'nope' not found")
    assert one_line(command(*fit, "default", "--set", "fit.stpes=1", "--out", out), "`stpes`")
    assert one_line(command(*fit, "default", "--out", small_run), "is not empty")
    assert one_line(command(*fit, "default", "--set", "digits=19", "--out", out), "digits: Expe")
    assert one_line(command(*fit, "default", "--set", "layout=up", "--out", out), "layout: Inva")
    assert one_line(command("seq2sum-train", "evaluate", tmp_path), "is not a run folder")
    assert one_line(command("seq2sum-train", "show", tmp_path), "is neither a run folder nor")
    export = ("seq2sum-train", "export")
    assert one_line(command(*export, tmp_path, "--to", out), "is not a run folder")
    (tmp_path / "file").touch()
    below_a_file = tmp_path / "file" / "models"
    assert one_line(command(*export, evaluated[0], "--to", below_a_file), "cannot write below")
    assert not out.exists()


def test_export_of_an_unfinished_or_damaged_run_fails_with_one_line(command, small_run, tmp_path):
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    shutil.copy(small_run / "recipe.toml", unfinished)
    done = command("seq2sum-train", "export", unfinished, "--to", tmp_path / "models")
    assert one_line(done, "its training has not finished")
    content = (small_run / "model.keras").read_bytes()
    # The first one in a new process: messages of importing TensorFlow must not appear either.
    for damaged, fresh in ((b"not a model", True), (content[: len(content) // 2], False)):
        (unfinished / "model.keras").write_bytes(damaged)
        line = ("seq2sum-train", "export", unfinished, "--to", tmp_path / "models")
        done = command(*line, fresh=fresh)
        assert one_line(done, "is damaged")
    assert not (tmp_path / "models").exists()
