"""README.md: a reader who types the tour sees what it shows; its commands and claims hold."""

from __future__ import annotations

import contextlib
import io
import re

import pytest
import seq2sum
from seq2sum.testing import FakeServer, FakeSignature
from support import doc_snippets, page_session, servers
from support.masked_output import mask_run_dependent

pytestmark = [pytest.mark.server, pytest.mark.end_to_end]

README = doc_snippets.text("README.md")
MAX_WORDS = 1200
[TOUR] = re.findall(r"^## Try it\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
STEPS = page_session.steps(TOUR)
[MODEL_CLIENT, CLIENT] = [
    text for language, text in doc_snippets.blocks(README) if language == "py"
]
COMMANDS = doc_snippets.commands(README) + doc_snippets.commands(
    doc_snippets.text("CONTRIBUTING.md")
)


@pytest.fixture(scope="module")
def results(demo):
    """The results of all steps, typed after `make demo` in its copy of the repository."""
    return page_session.run(STEPS, demo.folder, (*servers.free_ports(), *servers.free_ports()))


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_a_step_of_the_tour_prints_what_the_readme_shows(results, number):
    step, result = STEPS[number], results[number]
    if step.typed == "make demo":
        assert result is None  # the demo's own tests have its output
        return
    assert result.code == 0, result.printed
    if step.expected:
        assert mask_run_dependent(result.printed) == mask_run_dependent(step.expected)


def test_the_tour_goes_from_the_demo_to_answers(results):
    typed = [step.typed for step in STEPS]
    assert typed[0] == "make demo"
    for program in ("source ", "seq2sum-serve", "seq2sum add", "curl", "python"):
        assert any(line.startswith(program) for line in typed), program
    [curl] = [result for step, result in zip(STEPS, results, strict=True) if "curl" in step.typed]
    assert '"answers": "95"' in curl.printed


def test_demo_ends_with_the_next_commands_of_the_tour(demo):
    *_, activate, serve = filter(None, demo.output.splitlines())
    assert [activate.strip(), serve.strip()] == [
        step.typed.partition(" > ")[0] for step in STEPS[1:3]
    ]


def printed(block, target):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(block.replace("localhost:8500", target), {"__name__": "readme", "seq2sum": seq2sum})
    return output.getvalue()


def test_the_first_block_calls_any_model():
    signature = FakeSignature(
        lambda inputs: [float("great" in text) for text in inputs["text"].strings],
        inputs={"text": seq2sum.TensorSpec("DT_STRING", (-1,))},
        outputs={"score": seq2sum.TensorSpec("DT_FLOAT", (-1,))},
    )
    with FakeServer(model="sentiment", signatures={"serving_default": signature}) as server:
        assert printed(MODEL_CLIENT, server.target) == "[1.0, 0.0] 1\n"


def test_the_second_block_calls_the_example():
    with FakeServer() as server:
        assert printed(CLIENT, server.target) == "95\n"


@pytest.mark.parametrize("line", [line for line in COMMANDS if line not in TOUR])
def test_a_command_exists_with_its_options(line):
    doc_snippets.exists(line)


def test_the_readme_is_short():
    assert len(README.split()) <= MAX_WORDS
