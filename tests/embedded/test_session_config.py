"""The ConfigProto of sessions, built from flags and a file."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded.errors import Code, StartupError
from seq2sum_serving.embedded.inference.session_config import session_config
from support.serving_errors import refusal

pytestmark = pytest.mark.tensorflow


def threads(**flags):
    config = session_config(**flags)
    return config.intra_op_parallelism_threads, config.inter_op_parallelism_threads


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "session.txt"
    file.write_text("intra_op_parallelism_threads: 5 allow_soft_placement: true")
    return str(file)


def test_parallelism_sets_intra_and_inter_op_threads_unless_one_is_set_separately():
    assert threads() == (0, 0)
    assert threads(parallelism=2) == (2, 2)
    assert threads(intra_op=3) == (3, 0)
    assert threads(parallelism=2, inter_op=4) == (0, 4)
    assert threads(intra_op=2, inter_op=-1) == (2, -1)  # operations run in the caller's thread


@pytest.mark.parametrize("flags", [{"parallelism": -1}, {"intra_op": -2, "inter_op": 1}])
def test_negative_intra_op_threads_are_refused(flags):
    with pytest.raises(StartupError, match="expected at least 0"):
        session_config(**flags)


def test_all_three_flags_together_are_refused():
    with pytest.raises(StartupError, match="You cannot configure all"):
        session_config(parallelism=1, intra_op=1, inter_op=1)


def test_flags_override_the_file(file):
    assert threads(file=file) == (5, 0)
    assert threads(file=file, parallelism=2) == (2, 2)
    assert session_config(file=file, gpu_memory_fraction=0.5).allow_soft_placement


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, Code.NOT_FOUND, "{file}; No such file or directory"),
        ("", Code.INVALID_ARGUMENT, "{file}; Invalid argument"),
        ("nonsense {", Code.INVALID_ARGUMENT, "Invalid protobuf file: '{file}'"),
    ],
)
def test_an_invalid_file_is_refused(tmp_path, content, code, message):
    file = tmp_path / "session.txt"
    if content is not None:
        file.write_text(content)
    assert refusal(session_config, file=str(file)) == (code, message.format(file=file))
