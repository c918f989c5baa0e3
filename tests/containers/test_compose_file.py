"""docker-compose.yml, as Docker Compose itself parses it."""

from __future__ import annotations

import os

import yaml
from deploy import compose_file


def test_docker_compose_parses_the_file_as_other_tests_do(engine):
    line = ("compose", "--file", compose_file.PATH, f"--env-file={os.devnull}", "--profile", "*")
    parsed = yaml.safe_load(engine.docker(*line, "config").stdout)["services"]
    services = compose_file.services()
    assert parsed.keys() == services.keys()
    for name, service in parsed.items():
        for key in ("image", "entrypoint", "command", "profiles", "user"):
            assert service.get(key) == services[name].get(key)
