"""Code blocks of the documentation, and a check that the commands in them exist."""

from __future__ import annotations

import re
import shlex
import subprocess

import seq2sum._command.command_line
import seq2sum_serving.embedded.flags
import seq2sum_serving.embedded.startup
import seq2sum_serving.probe.options
import seq2sum_serving.rollout.options
import seq2sum_training.cli
import yaml
from support import processes, servers
from support.paths import ROOT

CONTINUED = re.compile(r"\\\n\s*")


def text(page: str) -> str:
    """Returns a page by its path in the repository."""
    return (ROOT / page).read_text()


def blocks(page: str) -> list[tuple[str, str]]:
    """Returns language and text of every fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """Returns every command in console blocks, each on one line and without comments."""
    consoles = "".join(block for language, block in blocks(page) if language == "console")
    lines = CONTINUED.sub("", consoles).splitlines()
    typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line.partition("  # ")[0].rstrip() for line in typed]


def prose(page: str) -> str:
    """Returns a page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page, flags=re.MULTILINE | re.DOTALL)


def headings(page: str) -> set[str]:
    """Returns the anchors of a page as links name them."""
    found = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in found}


def exists(line: str) -> None:
    """Fails if a command does not exist as written: its program, subcommand and options."""
    program, *options = shlex.split(line.replace("$PWD", "/models"))
    match program:
        case "make":
            subprocess.run(["make", "-n", *options], cwd=ROOT, check=True, capture_output=True)
        case "seq2sum-train":
            seq2sum_training.cli.parser().parse_args(options)
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
            raise AssertionError(f"unknown program: {line}")


VALUED = ("--tail", "--scale", "--volume", "-v")
"""Options of `docker compose` that are followed by a value."""
TOOLS = {"rollout": "seq2sum-rollout", "probe": "seq2sum-probe"}
"""Services whose arguments are those of one of our commands."""


def compose(options: list[str]) -> None:
    """Fails if a `docker compose` command names an unknown profile, service or subcommand."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    profiles = {name for service in services.values() for name in service.get("profiles", [])}
    subcommand, *rest = options
    assert subcommand == "compose"
    while rest[0] == "--profile":
        assert rest[1] in profiles, f"no profile {rest[1]}"
        rest = rest[2:]
    verb, *rest = rest
    match verb:
        case "up" | "down" | "ps" | "logs" | "restart" | "stop":
            assert set(services_in(rest)) <= services.keys(), f"no such service: {rest}"
        case "run":
            service, *_ = services_in(rest)
            inside = rest[rest.index(service) + 1 :]
            assert service in services, f"no service {service}"
            exists(shlex.join([TOOLS[service], *inside]))
        case _:
            raise AssertionError(f"`docker compose {verb}` is not checked yet")


def services_in(words: list[str]) -> list[str]:
    """Returns the services: words that are not options or their values, and those of `--scale`."""
    named = []
    for word, before in zip(words, ["", *words], strict=False):
        if before == "--scale":
            named.append(word.partition("=")[0])
        elif not word.startswith("-") and before not in VALUED:
            named.append(word)
    return named
