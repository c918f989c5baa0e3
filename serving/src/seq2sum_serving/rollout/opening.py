"""Makes the context of a command from its options and the policy file."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from seq2sum_serving.console import output
from seq2sum_serving.deployment.cli_options import CANDIDATE_CONFIG, HISTORY, ROUTES, TRAFFIC
from seq2sum_serving.deployment.errors import Refused, UsageError
from seq2sum_serving.deployment.event_log import EventLog
from seq2sum_serving.deployment.model_config_file import ModelConfigFile, only_model
from seq2sum_serving.deployment.model_store import ModelStore
from seq2sum_serving.deployment.replicas import Replicas
from seq2sum_serving.deployment.routers.client import ClientRouter
from seq2sum_serving.deployment.routers.envoy import EnvoyRouter
from seq2sum_serving.deployment.routers.none import NoRouter
from seq2sum_serving.deployment.routers.router import Router
from seq2sum_serving.deployment.state import CANARY, STABLE
from seq2sum_serving.deployment.tls_options import tls_from_options
from seq2sum_serving.deployment.traffic import TrafficFile
from seq2sum_serving.gates import policy
from seq2sum_serving.gates.metric_providers.prometheus import Prometheus
from seq2sum_serving.gates.policy import CandidatePolicy
from seq2sum_serving.rollout.candidate_group import MAX_DOWN, CandidateGroup
from seq2sum_serving.rollout.change_options import Timing
from seq2sum_serving.rollout.command_context import CommandContext
from seq2sum_serving.rollout.executor import Executor
from seq2sum_serving.rollout.in_place import InPlace
from seq2sum_serving.rollout.placement import Placement

CHANGES = ("run", "canary", "promote", "rollback", "retire", "repair")
"""The commands that change what servers load, or where callers go."""


@contextmanager
def open_context(arguments: argparse.Namespace) -> Iterator[CommandContext]:
    """Reads the files that the options name, and yields the context of the command.

    Raises:
        UsageError: An option or a file is not valid.
    """
    limits = policy.read(arguments.policy) if arguments.policy else policy.default()
    config = ModelConfigFile(arguments.config, arguments.model or only_model(arguments.config))
    store = ModelStore(arguments.base_path or Path(config.base_path()))
    history = EventLog(arguments.history or config.model_file(HISTORY))
    targets = arguments.candidate_targets or limits.candidate.targets
    router = _router(arguments, limits.candidate, config, targets)
    timing, tls = Timing(limits.load.timeout, limits.traffic.settle), tls_from_options(arguments)
    with ExitStack() as stack:
        replicas = Replicas(arguments.targets, config.model, tls=tls, rest_port=arguments.rest_port)
        stable = Executor(
            config, stack.enter_context(replicas), store, router, history, timing=timing, log=_log
        )
        all_labelled = limits.traffic.unlabelled_callers == "none"
        placement: Placement = InPlace(stable, all_labelled=all_labelled)
        if targets:
            servers = Replicas(targets, config.model, tls=tls, option="--candidate-targets")
            group = Executor(
                _candidate_config(arguments, limits.candidate, config),
                stack.enter_context(servers),
                store,
                router,
                history,
                timing=timing,
                is_candidate=True,
                max_down=MAX_DOWN,
                log=_log,
            )
            placement = CandidateGroup(stable, group)
        elif arguments.command in CHANGES:
            _refuse_forgotten_group(arguments, limits.candidate, config)
        prometheus = Prometheus(arguments.prometheus) if arguments.prometheus else None
        console = output.console(quiet=arguments.json)
        yield CommandContext(arguments, placement, limits, prometheus, console)


def _router(
    arguments: argparse.Namespace, defaults: CandidatePolicy, config: ModelConfigFile, targets: str
) -> Router:
    """Returns the router of the options.

    Raises:
        UsageError: It cannot work without another option.
    """
    match arguments.router or defaults.router:
        case "envoy":
            admins = arguments.envoy_admin or defaults.envoy_admin
            for needed, option in ((targets, "--candidate-targets"), (admins, "--envoy-admin")):
                if not needed:
                    raise UsageError(f"--router envoy needs {option}")
            return EnvoyRouter(config.model_file(ROUTES), admins)
        case "none":
            return NoRouter()
    file = TrafficFile(arguments.traffic or config.model_file(TRAFFIC))
    return ClientRouter(file, targets or CANARY)


def _refuse_forgotten_group(
    arguments: argparse.Namespace, defaults: CandidatePolicy, config: ModelConfigFile
) -> None:
    """Refuses a change that does not know of the candidate group while a version is judged there.

    A rollback, for example, would leave the candidate its share, and take the stable version out.

    Raises:
        Refused: A version is judged in the candidate group.
    """
    path = _candidate_path(arguments, defaults, config)
    try:
        group, stable = ModelConfigFile(path, config.model).read(), config.read()
    except UsageError:  # there is no such file, or it is not for this model
        return
    if group.policy.kind != "specific" or STABLE not in stable.labels:
        return  # no version was judged there so far
    if judged := group.policy.versions - stable.policy.versions:
        versions = ", ".join(map(str, sorted(judged)))
        raise Refused(
            f"version {versions} is judged in the candidate group, by {path}: name its servers "
            "with --candidate-targets, and the router with --router, as in the command that loaded "
            "it"
        )


def _candidate_path(
    arguments: argparse.Namespace, defaults: CandidatePolicy, config: ModelConfigFile
) -> Path:
    named = arguments.candidate_config or (Path(defaults.config) if defaults.config else None)
    return named or config.path.with_name(CANDIDATE_CONFIG)


def _candidate_config(
    arguments: argparse.Namespace, defaults: CandidatePolicy, config: ModelConfigFile
) -> ModelConfigFile:
    """Returns the model config file of the candidate group.

    Raises:
        UsageError: It is the file of the other servers, or is missing.
    """
    path = _candidate_path(arguments, defaults, config)
    if path.resolve() == config.path.resolve():
        raise UsageError(
            f"--candidate-config is the file of the other servers, {path}: the candidate group "
            "needs its own"
        )
    file = ModelConfigFile(path, config.model)
    if arguments.command == "rollback":
        return file  # it goes on if the file is missing or not valid
    if not path.exists():
        raise UsageError(
            f"cannot find the model config file of the candidate group, {path}: copy {config.path} "
            "to it, and start the candidate group with it"
        )
    if file.base_path() != config.base_path():
        raise UsageError(
            f"the base path of model {config.model!r} in {path} is {file.base_path()}, and in "
            f"{config.path} it is {config.base_path()}: the candidate group has to load the same "
            "versions"
        )
    return file


def _log(line: str) -> None:
    """Writes progress to standard error; standard output is for the result."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)
