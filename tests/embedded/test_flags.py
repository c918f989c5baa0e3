"""The syntax of flags, and the output of the command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from seq2sum_serving.embedded import flag_help, flags
from seq2sum_serving.embedded.cli import main
from seq2sum_serving.embedded.errors import StartupError


def test_value_follows_an_equals_sign_and_the_last_flag_wins():
    parsed = flags.parse(["--port=1", "--enable_batching", "--port=2", "--model_name=a=b"])
    assert (parsed.port, parsed.enable_batching, parsed.model_name) == (2, True, "a=b")
    assert flags.parse(["--enable_batching", "--enable_batching=false"]).enable_batching is False
    assert flags.parse(["--model_config_file="]).model_config_file == ""
    assert flags.parse(["--load_retry_interval_micros=-1"]).load_retry_interval_micros == -1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--prot=1", "unknown argument: --prot=1, did you mean --port"),
        ("--rest-api-port=1", "did you mean --rest_api_port"),
        ("-port=1", "did you mean --port"),
        ("--zzzzzz", "unknown argument: --zzzzzz"),
        ("8500", "unknown argument: 8500, flags are written --name=value"),
        ("--port 8500", "--port has no value: write --port=8500"),
        ("--port --version", "--port has no value: write --port=VALUE"),
        ("--enable_batching true", "write --enable_batching=true"),
        ("--enable_batching TRUE", "write --enable_batching=TRUE"),
        ("--enable_batching=yes", "--enable_batching=yes: expected true or false"),
        ("--enable_batching=", "--enable_batching=: expected true or false"),
        ("--enable_batching=2", "expected true or false"),
        ("--port=two", "--port=two: expected an integer of 32 bits"),
        ("--port=", "--port=: expected an integer"),
        ("--port=1_0", "expected an integer"),
        ("--port=0x1", "expected an integer"),
        ("--port=\u0661", "expected an integer"),
        ("--port=4294967296", "expected an integer of 32 bits"),
        ("--shutdown_grace_seconds=nan", "expected a finite decimal number"),
        ("--shutdown_grace_seconds=1_0", "expected a finite decimal number"),
        ("--shutdown_grace_seconds=", "expected a finite decimal number"),
        ("--", "unknown argument: --"),
    ],
)
def test_invalid_argument_is_an_error_with_a_hint(line, message):
    with pytest.raises(StartupError) as caught:
        flags.parse(line.split(" "))
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("True", True),
        ("tRuE", True),
        ("1", True),
        ("False", False),
        ("FALSE", False),
        ("0", False),
    ],
)
def test_boolean_may_have_capitals_or_be_a_digit(text, value):
    assert flags.parse([f"--enable_batching={text}"]).enable_batching is value


@pytest.mark.parametrize("text", ["true ", " true", "t", '"true"'])
def test_other_spelling_of_a_boolean_is_an_error(text):
    with pytest.raises(StartupError, match="expected true or false"):
        flags.parse([f"--enable_batching={text}"])


@pytest.mark.parametrize("text", [" 1", "\t\n 1", "+1", "001"])
def test_blanks_may_precede_an_integer(text):
    assert flags.parse([f"--port={text}"]).port == 1


def test_blanks_may_precede_a_decimal_number_but_not_follow_it():
    assert flags.parse(["--shutdown_grace_seconds= 1.5e1"]).shutdown_grace_seconds == 15
    for text in ("1 ", "1.5 "):
        with pytest.raises(StartupError):
            flags.parse([f"--shutdown_grace_seconds={text}"])


@pytest.mark.parametrize("text", ["1 ", "1.5", "--1"])
def test_blank_point_or_second_sign_is_refused_in_an_integer(text):
    with pytest.raises(StartupError):
        flags.parse([f"--port={text}"])


@pytest.mark.parametrize(
    "flag",
    ["use_alts_credentials", "prefer_tflite_model", "platform_config_file=/p",
     "thread_pool_factory_config_file=/t"],
)  # fmt: skip
def test_unsupported_flag_is_refused(flag, capsys):
    assert main(["--model_base_path=/m", f"--{flag}"]) == 255
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("Failed to start server. Error: UNIMPLEMENTED: --")
    flags.check_supported(flags.parse(["--use_alts_credentials=false", "--platform_config_file="]))


def test_ignored_flags_are_listed():
    parsed = flags.parse(["--enable_profiler=false", "--port=1", "--skip_initialize_tpu"])
    assert flags.ignored(parsed) == ["enable_profiler", "skip_initialize_tpu"]
    assert flags.ignored(flags.parse(["--enable_profiler=true"])) == []


def test_help_lists_every_flag_with_its_default(capsys):
    assert main(["--help"]) == 255
    out = capsys.readouterr().out
    assert "--port=8500  (int)" in out
    assert "--enable_model_warmup=true  (bool)" in out
    assert all(f"--{name}=" in out for name in flags.FIELDS)
    assert flag_help.GROUPS.keys() <= flags.FIELDS.keys()


def test_invalid_flag_exits_with_255_and_one_line(capsys):
    assert main(["--prot=1"]) == 255
    assert capsys.readouterr().err == (
        "seq2sum-serve: unknown argument: --prot=1, did you mean --port; see seq2sum-serve --help\n"
    )


def test_versions_and_errors_need_no_tensorflow():
    program = (
        "import sys\n"
        "from seq2sum_serving.embedded.cli import main\n"
        "codes = [main([a]) for a in ('--version', '--help', '--nope', '--model_base_path=m')]\n"
        "print(codes, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("TensorFlow ModelServer: ")
    assert done.stdout.splitlines()[1].startswith("TensorFlow Library: 2.")
    assert done.stdout.endswith("[0, 255, 255, 255] False\n")


@pytest.mark.parametrize(("option", "code"), [("--help", 255), ("--version", 0)])
def test_full_disk_at_standard_output_is_ignored(monkeypatch, option, code):
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main([option]) == code
