"""Batching parameters: reading a file, defaults, and checks."""

from __future__ import annotations

import os

import pytest
from google.protobuf import text_format
from seq2sum_serving.configuration import batching_pb2
from seq2sum_serving.embedded.batching import parameters
from seq2sum_serving.embedded.batching.parameters import BatchingParameters
from seq2sum_serving.embedded.errors import Code
from support.serving_errors import refusal

BATCHES_OF_8 = "max_batch_size { value: 8 }"


def read(text):
    return parameters.from_message(text_format.Parse(text, batching_pb2.BatchingParameters()))


def test_missing_fields_have_tensorflow_servings_defaults():
    assert read("# nothing") == BatchingParameters(
        max_batch_size=1000,
        batch_timeout=0.0,
        max_enqueued_batches=10,
        num_batch_threads=os.cpu_count(),
        thread_pool_name="batch_threads",
        max_execution_batch_size=1000,
    )


def test_every_field_of_a_file_is_read():
    text = """
        max_batch_size { value: 128 }
        batch_timeout_micros { value: 1500000 }
        max_enqueued_batches { value: 3 }
        num_batch_threads { value: 2 }
        thread_pool_name { value: "pool" }
        allowed_batch_sizes: 16
        allowed_batch_sizes: 128
        pad_variable_length_inputs: true
        enable_large_batch_splitting { value: true }
        max_execution_batch_size { value: 32 }
    """
    assert read(text) == BatchingParameters(
        128, 1.5, 3, 2, "pool", (16, 128), pad_variable_length_inputs=True, splits=True,
        max_execution_batch_size=32,
    )  # fmt: skip


def test_max_execution_batch_size_is_ignored_without_splitting():
    found = read(f"{BATCHES_OF_8} max_execution_batch_size {{ value: 2 }}")
    assert found.max_execution_batch_size == 8


def test_max_execution_batch_size_defaults_to_explicit_max_batch_size_or_zero():
    assert read("enable_large_batch_splitting { value: true }").max_execution_batch_size == 0
    found = read(f"{BATCHES_OF_8} enable_large_batch_splitting {{ value: true }}")
    assert found.max_execution_batch_size == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            f"{BATCHES_OF_8} allowed_batch_sizes: 4",
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; "
            "expected 8",
            id="last allowed size is not max_batch_size",
        ),
        pytest.param(
            "allowed_batch_sizes: 4",
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; "
            "expected 1000",
            id="last allowed size is not the default",
        ),
        pytest.param(
            "max_batch_size { value: 0 }",
            "input_batch_size_limit must be positive; was 0",
            id="no request fits",
        ),
        pytest.param(
            "batch_timeout_micros { value: -1 }",
            "batch_timeout_micros must be non-negative; was -1",
            id="negative timeout",
        ),
        pytest.param(
            f"{BATCHES_OF_8} enable_large_batch_splitting {{ value: true }} "
            "max_execution_batch_size { value: 9 }",
            "When enable_large_batch_splitting is true, input_batch_size_limit must be greater "
            "than or equal to max_execution_batch_size.189",
            id="batches larger than a request",
        ),
        pytest.param(
            f"{BATCHES_OF_8} enable_large_batch_splitting {{ value: true }} "
            "max_enqueued_batches { value: 0 }",
            "max_enqueued_batches must be positive; was 0",
            id="no batches, with splitting",
        ),
    ],
)
def test_invalid_queue_parameters_are_refused(text, message):
    assert refusal(read(text).check_queues) == (Code.INVALID_ARGUMENT, message)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{BATCHES_OF_8} allowed_batch_sizes: 4 allowed_batch_sizes: 8", id="sizes"),
        pytest.param("max_enqueued_batches { value: 0 }", id="no batches, which count as one"),
        pytest.param("max_batch_size { value: -1 }", id="negative size, which is very large"),
    ],
)
def test_valid_queue_parameters_are_accepted(text):
    read(text).check_queues()


def test_zero_threads_are_refused():
    check = read("num_batch_threads { value: 0 }").check_threads
    assert refusal(check) == (
        Code.INVALID_ARGUMENT,
        "num_batch_threads must be positive; was 0",
    )


def test_rows_are_rounded_up_to_an_allowed_size():
    sizes = BatchingParameters(max_batch_size=8, allowed_batch_sizes=(2, 4, 8))
    assert [sizes.rounded(rows) for rows in (1, 2, 3, 8, 9)] == [2, 2, 4, 8, 9]
    assert BatchingParameters().rounded(3) == 3


def test_a_version_folder_may_have_parameters(tmp_path):
    assert parameters.from_version_folder(str(tmp_path)) is None
    (tmp_path / "batching_params.pbtxt").write_text(BATCHES_OF_8)
    assert parameters.from_version_folder(str(tmp_path)).max_batch_size == 8


def test_an_invalid_file_in_a_version_folder_is_refused(tmp_path):
    file = tmp_path / "batching_params.pbtxt"
    file.write_text("max_batch_size: 8")
    assert refusal(parameters.from_version_folder, str(tmp_path)) == (
        Code.INVALID_ARGUMENT,
        f"Invalid protobuf file: '{file}'",
    )
