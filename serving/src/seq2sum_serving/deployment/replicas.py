"""The replicas: asked all at once what they serve, and told what they should.

What a replica answers to a reload proves nothing: only what it serves afterwards does. So a
reload is a nudge that spares the wait for the next poll of the file, and its failure is told to
whoever waits for its effect.
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
from seq2sum_serving.deployment.state import Replica

RELOAD = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
CALL_SECONDS = 5.0
"""For a look. A server answers in milliseconds; one that hangs counts as down."""
RELOAD_SECONDS = 3.0
"""A reload of models that are known returns at once. It waits where an earlier one does: behind a
model whose version never comes."""
MOST_AT_A_TIME = 32

Result = TypeVar("Result")


class Replicas:
    """All replicas of a model.

    Args:
        named: What `--targets` says; a name is resolved anew with each look.
        model: The model's name.
        tls: Encryption; None for none.
    """

    def __init__(self, named: str, model: str, *, tls: seq2sum.TLS | None = None) -> None:
        self.named = named
        self.model = model
        self._tls = tls
        self._clients: dict[str, seq2sum.Client] = {}
        targets.validate(named)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def clients(self) -> dict[str, seq2sum.Client]:
        """A client for each replica, by address; those of replicas that are gone are closed."""
        there = targets.resolve(self.named)
        for gone in self._clients.keys() - there:
            self._clients.pop(gone).close()
        for address in there:
            if address not in self._clients:
                self._clients[address] = seq2sum.Client(
                    address,
                    model=self.model,
                    tls=self._tls,
                    timeout=CALL_SECONDS,
                    # A replica that comes back is seen at the next look, not after a minute.
                    options=[("grpc.max_reconnect_backoff_ms", 1000)],
                )
        return {address: self._clients[address] for address in there}

    def observe(self, labels: Iterable[str]) -> list[Replica]:
        """What each of them serves, and who answers to these labels."""
        asked = tuple(dict.fromkeys(labels))
        return list(
            self._each(lambda target, client: observe_replica(target, client, asked)).values()
        )

    def resolve_label(self, label: str) -> dict[str, int | str]:
        """By address: the version that answers a call with this label, or what went wrong.

        Replicas are asked for metadata, which every model has, whatever its inputs are.
        """

        def ask(_: str, client: seq2sum.Client) -> int | str:
            try:
                return client.describe(label=label).version
            except seq2sum.Seq2SumError as error:
                return error_text(error)

        return self._each(ask)

    def reload_config(self, config: ModelServerConfig) -> dict[str, str]:
        """Tells each of them the whole configuration; what those say who do not take it."""
        request = ReloadConfigRequest(config=config)

        def reload(target: str, _: seq2sum.Client) -> str:
            with self._channel(target) as channel:
                call = channel.unary_unary(
                    RELOAD,
                    request_serializer=ReloadConfigRequest.SerializeToString,
                    response_deserializer=ReloadConfigResponse.FromString,
                )
                try:
                    call(request, timeout=RELOAD_SECONDS)
                except grpc.RpcError as error:
                    failed: Any = error  # what a unary call raises is the call, too
                    return _refusal(failed.code(), failed.details() or "")
            return ""

        return {target: text for target, text in self._each(reload).items() if text}

    def _each(self, work: Callable[[str, seq2sum.Client], Result]) -> dict[str, Result]:
        """What it gives for each replica, by address."""
        clients = self.clients()
        with ThreadPoolExecutor(min(len(clients), MOST_AT_A_TIME)) as pool:
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
    client: seq2sum.Client,
    labels: Sequence[str],
    left: Callable[[], float] = lambda: CALL_SECONDS,
) -> Replica:
    """What one replica serves.

    Args:
        target: Its address.
        client: Of this replica alone.
        labels: Those that are asked for.
        left: The seconds that the next call may take.
    """
    try:
        versions = {entry.version: entry for entry in client.versions(timeout=left())}
        return Replica(target, versions, resolve_labels(client, labels, left))
    except seq2sum.ModelNotFound:
        return Replica(target)  # it is up, and has not heard of the model yet
    except seq2sum.Seq2SumError as error:
        return Replica(target, error=error_text(error))


def resolve_labels(
    client: seq2sum.Client, labels: Sequence[str], left: Callable[[], float]
) -> Mapping[str, int | None]:
    """The version behind each label; by metadata, so that any model will do."""
    found: dict[str, int | None] = {}
    for label in labels:
        try:
            found[label] = client.describe(label=label, timeout=left()).version
        except (seq2sum.VersionNotFound, seq2sum.ModelNotFound, seq2sum.InvalidRequest):
            found[label] = None
    return found


def error_text(error: seq2sum.Seq2SumError) -> str:
    """The server's own words, or gRPC's."""
    if isinstance(error, seq2sum.CallError):
        return f"{error.code.name} {error.details}".strip()
    return str(error)


def _refusal(code: grpc.StatusCode, details: str) -> str:
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return (
            f"does not take a configuration within {RELOAD_SECONDS:g} s: an earlier reload seems "
            "to wait for a model whose version never comes"
        )
    return f"{code.name} {details}".strip()
