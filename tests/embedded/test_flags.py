"""Flags: the real syntax and no other, files that they name, and what the command prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from seq2sum_serving.embedded import config_file, flag_help, flags
from seq2sum_serving.embedded.cli import main
from seq2sum_serving.embedded.errors import Code, ServingError, StartupError
from seq2sum_serving.embedded.startup import configuration


def configured(*arguments):
    return configuration(flags.parse(["--model_base_path=/models/m", *arguments]))


def test_without_flags_the_defaults_are_the_real_servers():
    config = configured()
    [model] = config.models.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == (
        "default", "/models/m", "tensorflow",
    )  # fmt: skip
    assert (config.port, config.rest_port) == (8500, 0)
    core = config.core
    assert (core.poll_seconds, core.load_retries, core.retry_seconds) == (1, 5, 60.0)
    assert (config.rest_timeout_seconds, config.warmup, config.tags) == (30.0, True, ("serve",))
    assert (config.batching, config.ssl, config.monitoring) == (None, None, None)


def test_a_flag_has_its_value_behind_an_equals_sign_and_the_last_one_counts():
    parsed = flags.parse(["--port=1", "--enable_batching", "--port=2", "--model_name=a=b"])
    assert (parsed.port, parsed.enable_batching, parsed.model_name) == (2, True, "a=b")
    assert flags.parse(["--enable_batching", "--enable_batching=false"]).enable_batching is False
    assert flags.parse(["--model_config_file="]).model_config_file == ""
    assert flags.parse(["--load_retry_interval_micros=-1"]).load_retry_interval_micros == -1


@pytest.mark.parametrize(
    ("line", "said"),
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
def test_anything_else_is_an_error_that_says_what_is_near(line, said):
    with pytest.raises(StartupError) as caught:
        flags.parse(line.split(" "))
    assert said in caught.value.message


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
def test_a_boolean_may_have_capitals_or_be_a_digit(text, value):
    assert flags.parse([f"--enable_batching={text}"]).enable_batching is value


@pytest.mark.parametrize("text", ["true ", " true", "t", '"true"'])
def test_no_other_spelling_is_a_boolean(text):
    with pytest.raises(StartupError, match="expected true or false"):
        flags.parse([f"--enable_batching={text}"])


@pytest.mark.parametrize("text", [" 1", "\t\n 1", "+1", "001"])
def test_blanks_may_come_before_an_integer(text):
    assert flags.parse([f"--port={text}"]).port == 1


def test_blanks_may_come_before_a_decimal():
    assert flags.parse(["--shutdown_grace_seconds= 1.5e1"]).shutdown_grace_seconds == 15
    for text in ("1 ", "1.5 ", "--1"):
        with pytest.raises(StartupError):
            flags.parse([f"--port={text}"])


def test_an_empty_value_as_an_unset_shell_variable_leaves_it():
    config = configured(
        "--saved_model_tags=", "--host=", "--mixed_precision=", "--ssl_config_file="
    )
    assert (config.tags, config.host, config.ssl) == (("serve",), "127.0.0.1", None)


def test_an_empty_model_name_is_warned_of(caplog):
    [model] = configured("--model_name=").models.model_config_list.config
    assert model.name == ""
    assert "--model_name is empty" in caplog.text


def test_a_negative_number_of_grpc_threads_is_no_limit():
    assert configured("--grpc_max_threads=-1").grpc_max_threads == 4096
    assert configured("--grpc_max_threads=3").grpc_max_threads == 3


def test_a_base_path_may_be_a_file_uri_and_not_one_of_an_object_store(tmp_path):
    [model] = configured(f"--model_base_path=file://{tmp_path}").models.model_config_list.config
    assert model.base_path == f"file://{tmp_path}"
    with pytest.raises(ServingError, match="gs:// is not supported: copy or mount the model"):
        configured("--model_base_path=gs://bucket/m")


def test_a_base_path_that_is_not_utf_8_is_an_error_not_a_traceback():
    with pytest.raises(StartupError, match="not valid UTF-8: rename it"):
        configured("--model_base_path=/models/\udce9")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--port=0"],
            (
                "At least one of server_options.grpc_port or server_options.grpc_socket_path "
                "must be set."
            ),
        ),
        (
            ["--model_base_path="],
            "Both server_options.model_base_path and server_options.model_config_file are empty!",
        ),
        (
            ["--batching_parameters_file=/b"],
            (
                "server_options.batching_parameters_file is set without setting "
                "server_options.enable_batching to true."
            ),
        ),
        (
            ["--model_base_path=models"],
            "Expected model default to have an absolute path or URI; got base_path()=models",
        ),
        (["--port=65536"], "--port=65536: not a port, 0 to 65535"),
        (
            ["--grpc_max_threads=0"],
            "invalid --grpc_max_threads=0: expected at least 1, or a negative number for no limit",
        ),
        (
            ["--rest_api_num_threads=-1"],
            "invalid --rest_api_num_threads=-1: expected at least 1",
        ),
        (
            ["--grpc_channel_arguments=a=1,b"],
            "--grpc_channel_arguments: b is not of the form name=value",
        ),
    ],
)
def test_a_contradiction_is_told_before_anything_is_loaded(arguments, message):
    with pytest.raises(ServingError) as caught:
        configured(*arguments)
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, message)


def test_a_socket_alone_is_enough():
    assert configured("--port=0", "--grpc_socket_path=/tmp/s").socket_path == "/tmp/s"


def test_channel_arguments_are_numbers_where_they_can_be():
    config = configured("--grpc_channel_arguments=a=1,b=x,c=-2,d=4294967296")
    assert config.channel_arguments == (("a", 1), ("b", "x"), ("c", -2), ("d", "4294967296"))


def test_times_without_a_limit():
    config = configured("--rest_api_timeout_in_ms=0", "--load_retry_interval_micros=-1")
    assert (config.rest_timeout_seconds, config.core.retry_seconds) == (None, 0.0)


def test_rest_on_the_port_of_grpc_is_left_out():
    assert configured("--port=9000", "--rest_api_port=9000").rest_port == 0


def test_a_broken_monitoring_file_keeps_rest_alone_from_opening(tmp_path):
    file = tmp_path / "monitoring.txt"
    arguments = ("--rest_api_port=8501", f"--monitoring_config_file={file}")
    assert configured(*arguments).monitoring_broken == (
        f"NOT_FOUND: {file}; No such file or directory"
    )
    file.write_text('prometheus_config { enable: true path: "/m" }')
    config = configured(*arguments)
    assert (config.monitoring.prometheus_config.path, config.monitoring_broken) == ("/m", "")
    assert configured(arguments[1]).monitoring is None  # nobody reads it without the port


def test_batching_without_a_file_has_the_default_pool(tmp_path):
    config = configured("--enable_batching")
    assert config.batching.thread_pool_name.value == "model_server_batch_threads"
    file = tmp_path / "batching.txt"
    file.write_text("max_batch_size { value: 8 } allowed_batch_sizes: [4, 8]")
    config = configured("--enable_batching", f"--batching_parameters_file={file}")
    assert config.batching.max_batch_size.value == 8
    assert not config.batching.HasField("thread_pool_name")


def test_the_models_come_from_a_file(tmp_path):
    file = tmp_path / "models.config"
    file.write_text(
        'model_config_list { config { name: "a" base_path: "/a" model_platform: "tensorflow" } }'
    )
    [model] = configured(f"--model_config_file={file}").models.model_config_list.config
    assert model.name == "a"


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, Code.NOT_FOUND, "{path}; No such file or directory"),
        (b"", Code.INVALID_ARGUMENT, "{path}; Invalid argument"),
        (b"nonsense {", Code.INVALID_ARGUMENT, "Invalid protobuf file: '{path}'"),
        (b"\xff", Code.INVALID_ARGUMENT, "Invalid protobuf file: '{path}'"),
    ],
)
def test_a_file_that_is_none_is_told_in_tensorflow_servings_words(tmp_path, content, code, message):
    path = tmp_path / "models.config"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ServingError) as caught:
        config_file.read(str(path))
    assert (caught.value.code, caught.value.message) == (code, message.format(path=path))


def test_a_missing_tls_file_is_told(tmp_path):  # there the process aborts
    with pytest.raises(ServingError, match="nothere; No such file or directory"):
        configured(f"--ssl_config_file={tmp_path}/nothere")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ServingError, match="No such device"):
        config_file.read(str(tmp_path))


def test_a_file_of_comments_sets_nothing(tmp_path):
    path = tmp_path / "models.config"
    path.write_text("# none\n")
    assert config_file.read(str(path)).WhichOneof("config") is None


@pytest.mark.parametrize(
    "flag",
    ["use_alts_credentials", "prefer_tflite_model", "platform_config_file=/p",
     "thread_pool_factory_config_file=/t"],
)  # fmt: skip
def test_a_flag_that_would_change_what_is_served_is_refused(flag, capsys):
    assert main(["--model_base_path=/m", f"--{flag}"]) == 255
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("Failed to start server. Error: UNIMPLEMENTED: --")
    flags.refuse_missing(flags.parse(["--use_alts_credentials=false", "--platform_config_file="]))


def test_flags_without_effect_are_told():
    parsed = flags.parse(["--enable_profiler=false", "--port=1", "--skip_initialize_tpu"])
    assert flags.ineffective(parsed) == ["enable_profiler", "skip_initialize_tpu"]
    assert flags.ineffective(flags.parse(["--enable_profiler=true"])) == []


def test_help_tells_every_flag_with_its_default(capsys):
    assert main(["--help"]) == 255
    out = capsys.readouterr().out
    assert "--port=8500  (int)" in out
    assert "--enable_model_warmup=true  (bool)" in out
    assert all(f"--{name}=" in out for name in flags.FIELDS)
    assert flag_help.GROUPS.keys() <= flags.FIELDS.keys()


def test_a_wrong_flag_ends_it_with_255_and_one_line(capsys):
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
def test_output_that_nobody_takes_is_no_traceback(monkeypatch, option, code):
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main([option]) == code
