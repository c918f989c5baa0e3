"""docker-compose.yml with MODEL=sentiment: a user's model, next to another on one server."""

from __future__ import annotations

import contextlib
import io
import json

import pytest
import seq2sum
from conformance.case import FIXTURE
from deploy.compose_deployment import Deployment
from seq2sum_serving.probe import cli as probe

pytestmark = [pytest.mark.embedded, pytest.mark.server]

INPUTS = {"x": [[1, 2, 3]], "y": [1]}
REQUEST = {
    "inputs": INPUTS,
    "signature_name": "matrix",
    "expect": {"z": [[18.0, 0.25]], "n": [11], "b": [True]},
    "compare": {"z": {"atol": 1e-5}},
}
"""The outputs are those of a recorded case."""
PRICE = """  config {{
    name: "price"
    base_path: "{base}"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 2 }} }}
    version_labels {{ key: "stable" value: 2 }}
    version_labels {{ key: "canary" value: 2 }}
  }}
}}
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    """A deployment whose operator put a version into ./models, and added a second model."""
    deployed = Deployment(tmp_path_factory.mktemp("machine"), "sentiment")
    deployed.publish(FIXTURE / "1", 1)
    done = deployed.fill()
    assert (done.returncode, done.stderr) == (0, "")
    price = Deployment(deployed.folder / "price", "price")
    price.publish(FIXTURE / "2", 2)
    text = deployed.config.read_text().rstrip().removesuffix("}")
    deployed.config.write_text(text + PRICE.format(base=price.models / "price"))
    yield deployed
    deployed.stop()


@pytest.fixture(scope="module")
def serving(deployment):
    return deployment.start("serving")


@pytest.fixture
def golden(deployment):
    """Writes golden.jsonl of version 1 of the model; removes it after the test."""
    path = deployment.models / "sentiment" / "1" / "assets.extra" / "golden.jsonl"
    path.parent.mkdir(exist_ok=True)
    yield lambda request: path.write_text(json.dumps(request) + "\n")
    path.unlink(missing_ok=True)


def probe_once(deployment, serving, *options):
    out, errors = io.StringIO(), io.StringIO()
    line = ["--once", "--json", f"--config={deployment.config}", f"--targets={serving.target}"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = probe.main([*line, *options])
    return code, json.loads(out.getvalue()), errors.getvalue()


def test_both_models_are_served(serving):
    for model, version in (("sentiment", 1), ("price", 2)):
        with seq2sum.ModelClient(serving.target, model=model) as client:
            result = client.predict(INPUTS, signature="matrix", label="stable")
        assert (result.version, result["b"].tolist()) == (version, [True])


def test_without_golden_requests_the_health_check_needs_an_available_version(deployment, serving):
    done = deployment.health_check("serving", serving)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_health_check_compares_a_golden_request(deployment, serving, golden):
    golden(REQUEST)
    done = deployment.health_check("serving", serving)
    assert (done.returncode, done.stderr) == (0, "")
    golden(REQUEST | {"expect": {"z": [[18.0, 0.25]], "n": [12]}})
    done = deployment.health_check("serving", serving)
    assert done.returncode == 1
    assert 'expected "n": [12], but the reply has status 200' in done.stderr
    golden(REQUEST | {"inputs": {"x": [[1]]}})
    assert deployment.health_check("serving", serving).returncode == 1


def test_the_probe_observes_both_models(deployment, serving, golden):
    golden(REQUEST)
    code, result, errors = probe_once(deployment, serving)
    assert (code, result["problems"]) == (0, [])
    [replica], [other] = (result["models"][name]["replicas"] for name in ("sentiment", "price"))
    assert (replica["golden"]["stable"]["answers"], other["golden"]["stable"]["answers"]) == (1, 0)
    assert errors.startswith("seq2sum-probe: note: price: version 2 has no golden requests")
    golden(REQUEST | {"expect": {"z": [[18.5, 0.25]]}})
    code, result, errors = probe_once(deployment, serving, "--model=sentiment")
    assert (code, list(result["models"])) == (1, ["sentiment"])
    assert "z is [0, 0] 18 (expected 18.5)" in errors


def test_golden_requests_are_recorded_for_the_health_check_and_the_probe(
    deployment, serving, golden, tmp_path
):
    inputs = tmp_path / "inputs.jsonl"
    inputs.write_text(json.dumps({"inputs": INPUTS, "signature_name": "matrix"}) + "\n")
    line = ["golden", "record", "1", "--from", str(inputs)]
    done = deployment.rollout(*line, targets=serving.target)
    assert done.returncode == 0, done.stderr
    assert deployment.rollout("golden", "check", targets=serving.target).returncode == 0
    done = deployment.health_check("serving", serving)
    assert (done.returncode, done.stderr) == (0, "")
    code, result, _ = probe_once(deployment, serving, "--model=sentiment")
    assert (code, result["problems"], result["notes"]) == (0, [], [])
    golden(REQUEST | {"expect": {"b": [False]}})
    assert deployment.rollout("golden", "check", targets=serving.target).returncode == 1


def test_rollouts_change_only_their_model(deployment, serving):
    done = deployment.rollout("status", "--json", targets=serving.target)
    assert done.returncode == 0, done.stderr
    deployment.publish(FIXTURE / "3", 3)
    done = deployment.rollout("promote", "3", "--without-gates", targets=serving.target)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in deployment.models.iterdir() if path.is_file()}
    assert {name for name in names if not name.startswith(".")} >= {
        "models.config",
        "sentiment.rollouts.jsonl",
    }
    with seq2sum.ModelClient(serving.target, model="sentiment") as client:
        assert client.predict(INPUTS, signature="matrix", label="stable").version == 3
    with seq2sum.ModelClient(serving.target, model="price") as client:
        assert client.predict(INPUTS, signature="matrix", label="stable").version == 2
