"""What the pages of the project show: their blocks, and whether the commands in them exist."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import processes
import seq2sum._command.command_line
import seq2sum_serving.embedded.flags
import seq2sum_serving.embedded.startup
import seq2sum_serving.probe.options
import seq2sum_serving.rollout.options
import seq2sum_training.command
import servers
import yaml

ROOT = Path(__file__).parent.parent
CONTINUED = re.compile(r"\\\n\s*")


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of every fenced block of a page, which is a path below the project's."""
    text = (ROOT / page).read_text()
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def consoles(page: str) -> list[str]:
    """Those blocks in which somebody types."""
    return [text for language, text in blocks(page) if language == "console"]


def commands(page: str) -> list[str]:
    """Every command that is typed there, on one line each, without comments."""
    lines = CONTINUED.sub("", "".join(consoles(page))).splitlines()
    typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line.partition("  # ")[0].rstrip() for line in typed]


def headings(page: str) -> set[str]:
    """The anchors of a page, as its links name them."""
    found = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in found}


def exists(line: str) -> None:
    """Fails if a command does not exist as it is written: the program, its verbs, its options."""
    program, *options = shlex.split(line.replace("$PWD", "/models"))
    match program:
        case "make":
            subprocess.run(["make", "-n", *options], cwd=ROOT, check=True, capture_output=True)
        case "seq2sum-train":
            seq2sum_training.command.parser().parse_args(options)
        case "seq2sum-serve":
            flags = seq2sum_serving.embedded.flags.parse(options)
            assert seq2sum_serving.embedded.startup.configuration(flags).models
        case "seq2sum-rollout":
            seq2sum_serving.rollout.options.parser().parse_args(options)
        case "seq2sum-probe":
            seq2sum_serving.probe.options.parser().parse_args(options)
        case "seq2sum":
            seq2sum._command.command_line.parser().parse_args(options)
        case "docker":
            compose(options)
        case "export":
            name, _, template = options[0].partition("=")
            assert name == processes.VARIABLE
            fields = dict.fromkeys(re.findall(r"{(\w+)}", template), "x")
            assert fields.keys() <= set(re.findall(r"{(\w+)}", servers.__doc__))
        case _:
            raise AssertionError(f"who runs {line}?")


def compose(options: list[str]) -> None:
    """Fails if `docker compose` is asked for a profile or a service that there is not."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    profiles = {name for service in services.values() for name in service.get("profiles", [])}
    subcommand, *rest = options
    assert subcommand == "compose"
    while rest[0] == "--profile":
        assert rest[1] in profiles, f"no profile {rest[1]}"
        rest = rest[2:]
    verb, *rest = rest
    named = [word for word in rest if not word.startswith("-")]
    match verb:
        case "up" | "down" | "ps" | "logs" | "restart" | "stop" | "pull" | "build":
            assert set(named) <= services.keys(), f"no services {set(named) - services.keys()}"
        case "run" | "exec":
            service, *inside = named
            assert service in services, f"no service {service}"
            entry = services[service].get("entrypoint")
            if inside and verb == "run" and entry:
                exists(shlex.join([*entry, *rest[rest.index(service) + 1 :]]))
        case "config" | "version":
            assert not named
        case _:
            raise AssertionError(f"is `docker compose {verb}` looked at here?")
