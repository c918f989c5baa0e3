"""Paths with characters that the C locale lacks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import grpc
import pytest
from support import processes
from support.servers import SECONDS_TO_START, SECONDS_TO_STOP, Server, free_port
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

pytestmark = [pytest.mark.embedded, pytest.mark.server, pytest.mark.tensorflow]

FIXTURE = Path(__file__).parents[1] / "conformance" / "fixture"
NAME = "modèle-模型"
LOCALES = {
    "C": {"LC_ALL": "C"},
    "C without UTF-8 mode": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.fixture(params=LOCALES.values(), ids=LOCALES)
def start(request, tmp_path):
    """Starts a server in a C locale."""
    started = []

    def start(*flags):
        names = ("LANG", "LC_CTYPE", "LC_ALL", "PYTHONUTF8")
        environment = {name: value for name, value in os.environ.items() if name not in names}
        port, log = free_port(), tmp_path / "server.log"
        line = [*processes.EMBEDDED, f"--port={port}", "--max_num_load_retries=0", *flags]
        with log.open("wb") as file:
            process = subprocess.Popen(
                [os.fsencode(part) for part in line],
                stdout=file, stderr=file, env=environment | request.param,
            )  # fmt: skip
        started.append(Server(process, port, log))
        return started[-1]

    yield start
    for server in started:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(SECONDS_TO_STOP)


def test_a_non_ascii_path_is_served_in_the_c_locale(start, tmp_path):
    base = tmp_path / NAME
    shutil.copytree(FIXTURE / "1", base / "1")
    config = tmp_path / f"{NAME}.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "{NAME}" base_path: "{base}" '
        'model_platform: "tensorflow" } }'
    )
    server = start(f"--model_config_file={config}").wait_until_open()
    (base / "2").symlink_to("/nothere")
    with grpc.insecure_channel(server.target) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        request = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": NAME})
        deadline = time.monotonic() + SECONDS_TO_START
        while len(rows := stub.GetModelStatus(request).model_version_status) < 2 or (
            rows[0].state != get_model_status_pb2.ModelVersionStatus.END
        ):
            assert time.monotonic() < deadline, rows
            time.sleep(0.05)
    assert rows[0].status.error_message.endswith(f"{base}/2 not found")
    log = server.log.read_text("utf-8")
    assert f"{base}/2 not found" in log
    assert "Traceback" not in log


def test_a_non_ascii_flag_is_read_in_the_c_locale(start, tmp_path):
    server = start(f"--model_base_path={tmp_path / NAME}/x", "--host=")
    deadline = time.monotonic() + SECONDS_TO_START
    message = f"Could not find base path {tmp_path / NAME}/x"
    while message not in server.log.read_text("utf-8"):
        assert server.process.poll() is None, server.log.read_text()
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.05)
