"""The pytest fixtures of `seq2sum.testing`, in a project that enables them."""

from __future__ import annotations

import subprocess
import sys

import pytest

CONFTEST = 'pytest_plugins = ["seq2sum.testing.fixtures"]\n'
TESTS = """
import pytest
import seq2sum
from seq2sum.testing import FakeSignature

started = []


def test_any_model(fake_server):
    spec = seq2sum.TensorSpec("DT_FLOAT", (-1,))
    double = FakeSignature(lambda inputs: [2 * x for x in inputs["x"]], {"x": spec}, {"y": spec})
    server = fake_server(model="double", signatures={"serving_default": double})
    started.append(server)
    with seq2sum.ModelClient(server.target, model="double") as client:
        assert client.predict([1, 2]).tensor.tolist() == [2.0, 4.0]


def test_several_servers(fake_server):
    with pytest.raises(seq2sum.Unavailable), seq2sum.Client(started[0].target) as client:
        client.add("1+1", timeout=0.5)
    for digits in (3, 5):
        with seq2sum.Client(fake_server(digits=digits).target) as client:
            assert client.describe().digits == digits
"""


def pytest_run(folder):
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    return subprocess.run(
        line, capture_output=True, text=True, check=False, timeout=120, cwd=folder
    )


@pytest.mark.server
def test_fixtures_start_servers_and_stop_them(tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_project.py").write_text(TESTS)
    done = pytest_run(tmp_path)
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout
    (tmp_path / "conftest.py").unlink()
    assert "fixture 'fake_server' not found" in pytest_run(tmp_path).stdout


def test_the_client_does_not_import_pytest():
    code = "import seq2sum.testing, sys; assert not {'pytest', '_pytest'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
