"""Clients for all replicas, for reading their state and sending them a configuration.

The response to a reload proves nothing: only the state afterwards does. A reload merely saves the
wait for the next poll of the file, and its error is reported if the expected state does not follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

import grpc
import seq2sum
from seq2sum.protocol.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse
from seq2sum.protocol.model_server_config_pb2 import ModelServerConfig

from seq2sum_serving.deployment import targets
from seq2sum_serving.deployment.caller_versions import CallerVersions, Found, ask_rest
from seq2sum_serving.deployment.state import Replica

RELOAD = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
CALL_SECONDS = 5.0
"""Timeout of status calls. A server replies in milliseconds; one that hangs counts as down."""
RELOAD_SECONDS = 3.0
"""Timeout of a reload. With known models it returns at once, unless it queues after an earlier
reload that waits for a model without a loadable version."""
DOWN = ("UNAVAILABLE", "DEADLINE_EXCEEDED")
"""Prefixes of the error of a replica that is down."""
MAX_THREADS = 32

Result = TypeVar("Result")


class Replicas:
    """All replicas of a model.

    Args:
        target_list: Value of `--targets`; a DNS name is resolved before each round of calls.
        model: Name of the model.
        tls: None for plaintext.
        option: Name of the option with `target_list`, for errors.
        rest_port: REST port of every server; None for the gRPC port + 1, 0 for no REST.
    """

    def __init__(
        self,
        target_list: str,
        model: str,
        *,
        tls: seq2sum.TLS | None = None,
        option: str = "--targets",
        rest_port: int | None = None,
    ) -> None:
        self.model = model
        self._targets = target_list
        self._tls = tls
        self._rest_port = rest_port
        self._clients: dict[str, seq2sum.ModelClient] = {}
        self._skipped: frozenset[str] = frozenset()
        targets.validate(target_list, option)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def skip(self, addresses: Iterable[str]) -> None:
        """Makes no further calls to these replicas: each would wait for its whole timeout."""
        self._skipped |= frozenset(addresses)

    def clients(self) -> dict[str, seq2sum.ModelClient]:
        """Returns a client for each current address, except skipped ones; closes the others."""
        addresses = [each for each in targets.resolve(self._targets) if each not in self._skipped]
        for gone in self._clients.keys() - addresses:
            self._clients.pop(gone).close()
        for address in addresses:
            if address not in self._clients:
                self._clients[address] = seq2sum.ModelClient(
                    address,
                    model=self.model,
                    tls=self._tls,
                    timeout=CALL_SECONDS,
                    # Reconnects within a second to a replica that was down, not within a minute.
                    channel_options=[("grpc.max_reconnect_backoff_ms", 1000)],
                )
        return {address: self._clients[address] for address in addresses}

    def observe(self, labels: Iterable[str]) -> list[Replica]:
        """Returns the state of each replica, with the versions behind these labels."""
        distinct = tuple(dict.fromkeys(labels))
        found = self._each(lambda target, client: observe_replica(target, client, distinct))
        return list(found.values())

    def caller_versions(self, label: str) -> dict[str, CallerVersions]:
        """Returns, by address, the versions that callers get with a label, without, and by REST.

        Calls GetModelMetadata, which every model supports, whatever its inputs are.
        """

        def resolve(target: str, client: seq2sum.ModelClient) -> CallerVersions:
            labelled, unlabelled = _answer(client, label), _answer(client, None)
            if self._rest_port == 0:
                return CallerVersions(labelled, unlabelled, no_rest="REST was not asked")
            host, port = targets.split_address(target)
            rest_port = self._rest_port or port + 1
            rest, no_rest = ask_rest(f"{host}:{rest_port}", self.model)
            return CallerVersions(labelled, unlabelled, rest, no_rest)

        return self._each(resolve)

    def reload_config(self, config: ModelServerConfig) -> dict[str, str]:
        """Sends each replica the whole configuration; returns the errors by address."""
        request = ReloadConfigRequest(config=config)

        def reload(target: str, _: seq2sum.ModelClient) -> str:
            with self._channel(target) as channel:
                call = channel.unary_unary(
                    RELOAD,
                    request_serializer=ReloadConfigRequest.SerializeToString,
                    response_deserializer=ReloadConfigResponse.FromString,
                )
                try:
                    call(request, timeout=RELOAD_SECONDS)
                except grpc.RpcError as error:
                    failed: Any = error  # the error of a unary call is also its call object
                    return _reload_error(failed.code(), failed.details() or "")
            return ""

        return {target: text for target, text in self._each(reload).items() if text}

    def _each(self, work: Callable[[str, seq2sum.ModelClient], Result]) -> dict[str, Result]:
        """Calls a function for all replicas in parallel; returns the results by address."""
        clients = self.clients()
        with ThreadPoolExecutor(min(len(clients), MAX_THREADS)) as pool:
            found = pool.map(work, clients.keys(), clients.values())
            return dict(zip(clients, found, strict=True))

    def _channel(self, target: str) -> grpc.Channel:
        options: list[tuple[str, str | int]] = [("grpc.max_receive_message_length", -1)]
        if self._tls is None:
            return grpc.insecure_channel(target, options)
        if self._tls.server_name is not None:
            options += [("grpc.ssl_target_name_override", self._tls.server_name)]
        return grpc.secure_channel(target, self._tls.credentials(), options)


def observe_replica(
    target: str,
    client: seq2sum.ModelClient,
    labels: Sequence[str],
    remaining: Callable[[], float] = lambda: CALL_SECONDS,
) -> Replica:
    """Returns the state of one replica.

    Args:
        target: Its address.
        client: A client that connects to this replica only.
        labels: The labels to resolve.
        remaining: Returns the seconds that the next call may take.
    """
    try:
        versions = {entry.version: entry for entry in client.versions(timeout=remaining())}
        return Replica(target, versions, resolve_labels(client, labels, remaining))
    except seq2sum.ModelNotFound:
        return Replica(target)  # up, but without the model so far
    except seq2sum.Seq2SumError as error:
        return Replica(target, error=error_text(error))


def _answer(client: seq2sum.ModelClient, label: str | None) -> Found:
    """Returns the version that answers a call, or the error of the call."""
    try:
        return client.describe(label=label).version
    except seq2sum.Seq2SumError as error:
        return error_text(error)


def resolve_labels(
    client: seq2sum.ModelClient, labels: Sequence[str], remaining: Callable[[], float]
) -> Mapping[str, int | None]:
    """Returns the version behind each label, or None if it is not set.

    Calls GetModelMetadata, which works for any model.
    """
    found: dict[str, int | None] = {}
    for label in labels:
        try:
            found[label] = client.describe(label=label, timeout=remaining()).version
        except (seq2sum.VersionNotFound, seq2sum.ModelNotFound, seq2sum.InvalidRequest):
            found[label] = None
    return found


def error_text(error: seq2sum.Seq2SumError) -> str:
    """Returns the status code and details of a failed call."""
    if isinstance(error, seq2sum.CallError):
        return f"{error.code.name} {error.details}".strip()
    return str(error)


def _reload_error(code: grpc.StatusCode, details: str) -> str:
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return (
            f"does not accept a configuration within {RELOAD_SECONDS:g} s: an earlier reload seems "
            "to wait for a model without a loadable version"
        )
    return f"{code.name} {details}".strip()
