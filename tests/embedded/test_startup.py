"""The configuration that flags and files describe, and its errors."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded import flags
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.model_config import read_model_config
from seq2sum_serving.embedded.startup import configuration


def configured(*arguments):
    return configuration(flags.parse(["--model_base_path=/models/m", *arguments]))


def only_model(config):
    [model] = config.models.model_config_list.config
    return model


def test_defaults_are_the_real_servers():
    config = configured()
    model, core = only_model(config), config.core
    assert (model.name, model.base_path) == ("default", "/models/m")
    assert model.model_platform == "tensorflow"
    assert (config.port, config.rest_port) == (8500, 0)
    assert (core.poll_seconds, core.load_retries, core.retry_seconds) == (1, 5, 60.0)
    assert (config.rest_timeout_seconds, config.warmup, config.tags) == (30.0, True, ("serve",))
    assert (config.batching, config.ssl, config.monitoring) == (None, None, None)


def test_empty_value_of_an_unset_shell_variable_means_the_default():
    config = configured(
        "--saved_model_tags=", "--host=", "--mixed_precision=", "--ssl_config_file="
    )
    assert (config.tags, config.host, config.ssl) == (("serve",), "127.0.0.1", None)


def test_empty_model_name_logs_a_warning(caplog):
    assert only_model(configured("--model_name=")).name == ""
    assert "--model_name is empty" in caplog.text


def test_negative_grpc_max_threads_is_unlimited():
    assert configured("--grpc_max_threads=-1").grpc_max_threads == 4096
    assert configured("--grpc_max_threads=3").grpc_max_threads == 3


def test_base_path_may_be_a_file_uri(tmp_path):
    config = configured(f"--model_base_path=file://{tmp_path}")
    assert only_model(config).base_path == f"file://{tmp_path}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--port=0"],
            ("At least one of server_options.grpc_port or server_options.grpc_socket_path must "
            "be set."),
        ),
        (
            ["--model_base_path="],
            "Both server_options.model_base_path and server_options.model_config_file are empty!",
        ),
        (
            ["--batching_parameters_file=/b"],
            ("server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true."),
        ),
        (
            ["--model_base_path=models"],
            "Expected model default to have an absolute path or URI; got base_path()=models",
        ),
        (
            ["--model_base_path=/models/\udce9"],
            "the path /models/\N{REPLACEMENT CHARACTER} is not valid UTF-8: rename it",
        ),
        (["--port=65536"], "invalid --port=65536: expected a port, 0 to 65535"),
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
            "invalid --grpc_channel_arguments item 'b': expected name=value",
        ),
    ],
)  # fmt: skip
def test_invalid_configuration_is_refused_before_anything_is_loaded(arguments, message):
    with pytest.raises(ServingError) as caught:
        configured(*arguments)
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, message)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--model_base_path=gs://bucket/m", "gs:// is not supported: copy or mount the model"),
        # tensorflow_model_server aborts here.
        ("--ssl_config_file=/missing", "/missing; No such file or directory"),
    ],
)
def test_unavailable_file_is_an_error(argument, message):
    with pytest.raises(ServingError, match=message):
        configured(argument)


def test_socket_may_replace_the_port():
    assert configured("--port=0", "--grpc_socket_path=/tmp/s").socket_path == "/tmp/s"


def test_channel_arguments_are_numbers_where_possible():
    config = configured("--grpc_channel_arguments=a=1,b=x,c=-2,d=4294967296")
    assert config.channel_arguments == (("a", 1), ("b", "x"), ("c", -2), ("d", "4294967296"))


def test_zero_timeout_is_unlimited_and_negative_interval_is_zero():
    config = configured("--rest_api_timeout_in_ms=0", "--load_retry_interval_micros=-1")
    assert (config.rest_timeout_seconds, config.core.retry_seconds) == (None, 0.0)


def test_rest_is_disabled_on_the_port_of_grpc():
    assert configured("--port=9000", "--rest_api_port=9000").rest_port == 0


def test_invalid_monitoring_file_disables_only_rest(tmp_path):
    file = tmp_path / "monitoring.txt"
    arguments = ("--rest_api_port=8501", f"--monitoring_config_file={file}")
    assert configured(*arguments).monitoring_error == (
        f"NOT_FOUND: {file}; No such file or directory"
    )
    file.write_text('prometheus_config { enable: true path: "/m" }')
    config = configured(*arguments)
    assert (config.monitoring.prometheus_config.path, config.monitoring_error) == ("/m", "")
    assert configured(arguments[1]).monitoring is None  # not read without the port


def test_batching_without_a_file_has_the_default_pool(tmp_path):
    config = configured("--enable_batching")
    assert config.batching.thread_pool_name.value == "model_server_batch_threads"
    file = tmp_path / "batching.txt"
    file.write_text("max_batch_size { value: 8 } allowed_batch_sizes: [4, 8]")
    config = configured("--enable_batching", f"--batching_parameters_file={file}")
    assert config.batching.max_batch_size.value == 8
    assert not config.batching.HasField("thread_pool_name")


def test_models_come_from_a_file(tmp_path):
    file = tmp_path / "models.config"
    file.write_text(
        'model_config_list { config { name: "a" base_path: "/a" model_platform: "tensorflow" } }'
    )
    assert only_model(configured(f"--model_config_file={file}")).name == "a"


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, Code.NOT_FOUND, "{path}; No such file or directory"),
        (b"", Code.INVALID_ARGUMENT, "{path}; Invalid argument"),
        (b"nonsense {", Code.INVALID_ARGUMENT, "Invalid protobuf file: '{path}'"),
        (b"\xff", Code.INVALID_ARGUMENT, "Invalid protobuf file: '{path}'"),
    ],
)
def test_invalid_config_file_has_tensorflow_servings_message(tmp_path, content, code, message):
    path = tmp_path / "models.config"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ServingError) as caught:
        read_model_config(str(path))
    assert (caught.value.code, caught.value.message) == (code, message.format(path=path))


def test_folder_is_not_a_config_file(tmp_path):
    with pytest.raises(ServingError, match="No such device"):
        read_model_config(str(tmp_path))


def test_config_file_may_hold_only_comments(tmp_path):
    path = tmp_path / "models.config"
    path.write_text("# nothing\n")
    assert read_model_config(str(path)).WhichOneof("config") is None
