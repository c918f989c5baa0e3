"""docker-compose.yml: valid by the specification, hardened, and with valid flags."""

from __future__ import annotations

import json
import re
import subprocess

import compose_spec
import pytest
import yaml
from deploy import compose_file, envoy_configuration
from deploy.envoy_configuration import CANDIDATE, METRICS, REST, ROUTER
from seq2sum.addition import contract
from seq2sum_serving.embedded import flags as command_line
from seq2sum_serving.probe import options as probe
from support import system
from support.paths import ROOT

REAL_FLAGS = {
    "port", "grpc_socket_path", "rest_api_port", "rest_api_num_threads",
    "rest_api_timeout_in_ms", "rest_api_enable_cors_support", "grpc_max_threads",
    "grpc_channel_arguments", "enable_batching", "batching_parameters_file",
    "enable_per_model_batching_parameters", "model_name", "model_base_path",
    "model_config_file", "model_config_file_poll_wait_seconds",
    "allow_version_labels_for_unavailable_models", "num_load_threads", "num_unload_threads",
    "max_num_load_retries", "load_retry_interval_micros", "file_system_poll_wait_seconds",
    "flush_filesystem_caches", "tensorflow_session_parallelism",
    "tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism",
    "tensorflow_session_config_file", "platform_config_file",
    "per_process_gpu_memory_fraction", "saved_model_tags", "use_alts_credentials",
    "ssl_config_file", "enable_model_warmup", "num_request_iterations_for_warmup",
    "monitoring_config_file", "remove_unused_fields_from_bundle_metagraph",
    "enable_signature_method_name_check", "enable_profiler",
    "enable_grpc_healthcheck_service", "enable_serialization_as_tensor_content",
    "thread_pool_factory_config_file", "mixed_precision", "skip_initialize_tpu",
    "xla_cpu_compilation_enabled", "xla_gpu_compilation_enabled", "prefer_tflite_model",
    "num_tflite_pools", "num_tflite_interpreters_per_pool", "version",
}  # fmt: skip
"""Flags of tensorflow_model_server 2.21 (main.cc). It ignores others with a warning."""

PORTS = {
    "serving": {8500: 8500, 8501: 8501},
    "router": {8540: 8540},
    "embedded": {8520: 8500, 8521: 8501},
    "serving-tls": {8530: 8500},
    "prometheus": {9090: 9090},
    "grafana": {3000: 3000},
    "probe": {9851: 9851},
}
"""Ports of the host, and of the container behind each."""
PROFILES = {
    "monitoring": {"prometheus", "grafana", "probe"},
    "embedded": {"embedded"},
    "tls": {"serving-tls"},
    "rollout": {"candidate", "router"},
    "scale": {"replica", "router"},
    "tools": {"rollout"},
}
ALWAYS = {"train", "serving"}
RUN_AS_OPERATOR = ("train", "rollout", "serving-tls")
"""Services that write models or read a key, which belong to the operator."""
VARIABLES = (
    *("MODEL", "SCRAPED_MODELS", "SEQ2SUM_USER", "SEQ2SUM_CPUS", "RECIPE", "PROBE_TARGETS"),
    *("BATCHING", "BATCHING_FILE", "ROUTER", "SEQ2SUM_NOFILE"),
)
"""Environment variables of the file."""
CREATED_LATER = {"models", "certs/ssl.config"}
"""Mounted files that are not in the repository, because commands create them."""

SERVICES = compose_file.services()
every_service = pytest.mark.parametrize("name", SERVICES)
every_server = pytest.mark.parametrize("name", compose_file.SERVERS)


def test_the_file_follows_the_specification():
    validated = compose_spec.PyCompose.from_json(json.dumps(compose_file.read()))
    assert set(validated.to_spec().services) == set(SERVICES)


def test_variables_are_documented():
    text = compose_file.PATH.read_text()
    used = set(re.findall(r"\$\{(\w+):?-", text)) - {"USER"}
    assert used == set(VARIABLES)
    assert all(re.search(rf"^#   {name} ", text, re.MULTILINE) for name in VARIABLES)


@pytest.mark.parametrize("name", ["train", *compose_file.SERVERS, "prometheus", "router"])
def test_services_of_one_model_get_its_name(name):
    service = yaml.safe_load(compose_file.PATH.read_text())["services"][name]
    assert service["environment"]["MODEL"] == "${MODEL:-seq2sum}"


def test_profiles_are_the_documented_ones():
    declared = {name: service.get("profiles", []) for name, service in SERVICES.items()}
    expected = {
        name: [profile for profile, names in PROFILES.items() if name in names] for name in SERVICES
    }
    assert declared == expected
    assert {name for name, profiles in declared.items() if not profiles} == ALWAYS


@every_service
def test_a_container_is_hardened(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "pid", "ipc", "devices"} & set(service)
    assert not str(service["user"]).startswith(("0", "root"))
    assert service["pids_limit"] > 0
    assert service["mem_limit"] == service["memswap_limit"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert all("size=" in mount for mount in service["tmpfs"])


@pytest.mark.parametrize("name", RUN_AS_OPERATOR)
def test_files_of_the_operator_are_accessed_as_the_operator(name):
    service = yaml.safe_load(compose_file.PATH.read_text())["services"][name]
    assert service["user"] == "${SEQ2SUM_USER:-1000:1000}"


@every_service
def test_only_train_and_rollout_can_write_to_models(name):
    changes = {line for line in compose_file.volumes(SERVICES[name]) if not line.endswith(":ro")}
    allowed = {"train": {"./models:/models"}, "rollout": {"./models:/models"}}
    assert changes == allowed.get(name, set()) | (
        {"prometheus:/prometheus"} if name == "prometheus" else set()
    )


@every_service
def test_images_are_pinned(name):
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])


@every_service
def test_mounted_files_exist(name):
    sources = {str(path.relative_to(ROOT)) for path in compose_file.mounts(SERVICES[name]).values()}
    assert [source for source in sources - CREATED_LATER if not (ROOT / source).exists()] == []


def test_a_file_that_is_created_later_is_not_created_as_a_folder():
    """Docker creates a folder for the missing source of a mount in the short form."""
    [mount] = [each for each in SERVICES["serving-tls"]["volumes"] if isinstance(each, dict)]
    assert mount["source"] == "./certs/ssl.config"
    assert mount["bind"] == {"create_host_path": False}


@pytest.mark.parametrize("name", compose_file.OURS)
def test_our_images_are_built_for_the_platform_of_the_machine(name):
    assert "platform" not in SERVICES[name]


def test_the_limit_of_open_files_can_be_set():
    assert SERVICES["serving"]["ulimits"]["nofile"] == 65536
    limited = compose_file.services(SEQ2SUM_NOFILE="4096")
    assert (
        limited["embedded"]["ulimits"]["nofile"] == limited["router"]["ulimits"]["nofile"] == 4096
    )


def test_the_repository_contains_the_models_folder():
    """Docker would create a missing one that only root can write to."""
    assert (ROOT / "models" / ".gitignore").read_text().splitlines()[-2:] == ["*", "!.gitignore"]


def test_ports_are_on_loopback_and_as_documented():
    found = {name: compose_file.published(service) for name, service in SERVICES.items()}
    assert all(address == "127.0.0.1" for ports in found.values() for address, *_ in ports)
    assert {n: {host: inner for _, host, inner in p} for n, p in found.items() if p} == PORTS


def test_services_share_a_network_only_if_necessary():
    networks = {name: set(service.get("networks", ())) for name, service in SERVICES.items()}
    assert SERVICES["train"]["network_mode"] == "none"
    for server in compose_file.SERVERS:
        assert not networks["grafana"] & networks[server]
    for client in ("prometheus", "probe", "rollout", "router"):
        assert all(networks[client] & networks[server] for server in compose_file.SERVERS)
    assert networks["grafana"] & networks["prometheus"]
    assert networks["replica"] == networks["rollout"] == networks["candidate"] == {"inside"}
    assert compose_file.read()["networks"]["inside"] == {"internal": True}


@system.needs("prometheus")
def test_prometheus_knows_every_flag():
    done = subprocess.run(["prometheus", "--help"], capture_output=True, text=True, check=False)
    known = set(re.findall(r"--[\w.-]+", done.stdout + done.stderr))
    assert {flag.split("=")[0] for flag in SERVICES["prometheus"]["command"]} <= known


def test_probe_accepts_its_options():
    chosen = probe.parsed(SERVICES["probe"]["command"])
    assert (chosen.host, chosen.port) == ("0.0.0.0", 9851)
    assert str(chosen.config) == "/models/models.config"


@every_server
def test_tensorflow_model_server_knows_every_flag(name):
    service = SERVICES[name]
    assert all(re.fullmatch(r"--\w+=\S+", flag) for flag in compose_file.flags(service))
    ours = {"host"} if name == "embedded" else set()
    assert set(compose_file.flag_values(service)) <= REAL_FLAGS | ours


@every_server
def test_every_flag_but_one_has_an_effect_on_seq2sum_serve(name):
    parsed = command_line.parse(compose_file.flags(SERVICES[name]))
    command_line.check_supported(parsed)
    # seq2sum-serve has no profiler.
    assert command_line.ignored(parsed) == ["enable_profiler"]


@every_server
def test_batching_can_be_switched_off(name):
    """The file has to be left out too: recorded case `batching-file-without-batching`."""
    service = compose_file.services(BATCHING="false", BATCHING_FILE="")[name]
    parsed = command_line.parse(compose_file.flags(service))
    assert (parsed.enable_batching, parsed.batching_parameters_file) == (False, "")


def test_all_servers_have_the_same_flags():
    commands = [SERVICES[name]["command"] for name in compose_file.SERVERS]
    assert all(command == commands[0] for command in commands)


def test_flags_have_comments_with_their_reasons():
    """Each flag, or group of flags, follows a comment; except the port."""
    text = compose_file.PATH.read_text()
    listed = text[text.index("&flags") : text.index("volumes: &served")].splitlines()[1:]
    kinds = ["flag" if line.strip().startswith("- --") else line.strip()[:1] for line in listed]
    assert kinds.count("flag") == len(SERVICES["serving"]["command"])
    assert [
        line.strip()
        for line, kind, before in zip(listed, kinds, ["", *kinds], strict=False)
        if kind == "flag" and before not in ("#", "flag")
    ] == ["- --port=8500"]


def test_the_stock_server_runs_without_the_entry_script_of_its_image():
    for name in compose_file.STOCK:
        assert SERVICES[name]["entrypoint"][0] == "/usr/bin/tensorflow_model_server"
        assert SERVICES[name]["init"] is True


def test_the_candidate_group_is_reached_by_the_router_only():
    """It has a separate DNS name, so that clients of the stable group never reach it."""
    aliases = {
        name: SERVICES[name]["networks"]["inside"]["aliases"] for name in ("serving", "replica")
    }
    assert set(map(tuple, aliases.values())) == {("seq2sum-serving",)}
    assert SERVICES["candidate"]["networks"]["inside"]["aliases"] == ["seq2sum-candidate"]
    assert not compose_file.published(SERVICES["candidate"])


def test_the_router_and_rollouts_use_the_names_of_the_groups():
    config = envoy_configuration.shipped()
    hosts = {
        name: envoy_configuration.endpoint(envoy_configuration.cluster(config, name))[
            "socket_address"
        ]["address"]
        for group in REST.items()
        for name in group
    }
    assert set(hosts.values()) == {"seq2sum-serving", "seq2sum-candidate"}
    assert {name for name, host in hosts.items() if host == "seq2sum-candidate"} == {
        CANDIDATE, REST[CANDIDATE]
    }  # fmt: skip
    environment = SERVICES["rollout"]["environment"]
    assert environment["TARGETS"] == "dns:///seq2sum-serving:8500"
    assert environment["CANDIDATE_TARGETS"] == "dns:///candidate:8500"
    ports = {
        one["name"]: one["address"]["socket_address"]["port_value"]
        for one in config["static_resources"]["listeners"]
    }
    assert environment["ENVOY_ADMIN"] == f"dns:///router:{ports[METRICS]}"
    assert [inner for *_, inner in compose_file.published(SERVICES["router"])] == [ports[ROUTER]]
    assert compose_file.local_path("/models/seq2sum.routes.json", SERVICES["router"]).parent == (
        ROOT / "models"
    )


@every_server
def test_servers_start_after_the_models_folder_is_filled(name):
    assert SERVICES[name]["depends_on"] == {
        "train": {"condition": "service_completed_successfully"}
    }


@every_server
def test_the_health_check_is_a_mounted_script(name):
    kind, shell, script = SERVICES[name]["healthcheck"]["test"]
    assert (kind, shell) == ("CMD", "bash")
    assert compose_file.local_path(script, SERVICES[name]).is_file()
    assert compose_file.flag_values(SERVICES[name])["rest_api_port"] == "8501"


@every_server
def test_the_process_limit_exceeds_the_number_of_threads(name):
    values = compose_file.flag_values(SERVICES[name])
    threads = int(values["grpc_max_threads"]) + int(values["rest_api_num_threads"])
    assert SERVICES[name]["pids_limit"] > 2 * threads


@every_service
def test_mounts_are_not_nested(name):
    """Docker could not create the nested mount point in a read-only folder."""
    targets = [line.split(":")[1] for line in compose_file.volumes(SERVICES[name])]
    assert not [(a, b) for a in targets for b in targets if b.startswith(f"{a}/")]


@every_server
def test_the_folder_of_the_model_config_file_is_mounted(name):
    service = SERVICES[name]
    config = compose_file.flag_values(service)["model_config_file"]
    file = "candidate.config" if name == "candidate" else "models.config"
    assert compose_file.local_path(config, service) == ROOT / "models" / file
    assert contract.MODEL_NAME in (ROOT / "serving" / "config" / "models.config").read_text()
