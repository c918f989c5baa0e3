"""The longest time for which a client may call a terminating pod, computed from the manifest."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.kubernetes_manifests import Object, flags
from seq2sum import _channel

DNS_REMOVAL, DNS_CACHE = 5, 30
"""Seconds until a terminating pod is out of DNS and of its caches, see base/serving.yaml."""
JITTER = 1.1
"""gRPC extends the maximum age of a connection by up to a tenth."""
AGE, GRACE = "grpc.max_connection_age_ms", "grpc.max_connection_age_grace_ms"


@dataclass(frozen=True, slots=True)
class Times:
    """Durations in seconds."""

    connection: float
    """The maximum age of a connection."""
    longest_call: float
    """The grace period of calls on a connection that has reached it."""
    dns: float
    """The delay until DNS reflects that a pod was added or removed."""
    lookup: float
    """The client's minimum interval between two DNS lookups."""
    pre_stop: float
    """The time for which a terminating pod keeps serving."""

    @classmethod
    def of(cls, container: Object) -> Times:
        """Returns the times of a server's container."""
        options = flags(container["args"])["grpc_channel_arguments"].split(",")
        milliseconds = {name: int(value) for name, value in (item.split("=") for item in options)}
        return cls(
            connection=milliseconds[AGE] / 1000,
            longest_call=milliseconds[GRACE] / 1000,
            dns=DNS_REMOVAL + DNS_CACHE,
            lookup=_channel.MIN_DNS_INTERVAL / 1000,
            pre_stop=container["lifecycle"]["preStop"]["sleep"]["seconds"],
        )

    @property
    def longest_use(self) -> float:
        """The longest time for which a client may call a terminating pod.

        DNS returns its address for a while. A client that connects at the end of that time keeps
        the connection until its maximum age, looks up the name, and completes its last call.
        """
        return self.dns + self.connection * JITTER + self.lookup + self.longest_call

    def shortened(self, *, connection: float, longest_call: float) -> Times:
        """Returns the times scaled to a maximum connection age.

        The longest call is not scaled: the duration of calls depends on the machine.
        """
        factor = connection / self.connection
        return Times(
            connection=connection,
            longest_call=longest_call,
            dns=self.dns * factor,
            lookup=self.lookup * factor,
            pre_stop=(self.pre_stop - self.longest_call) * factor + longest_call,
        )

    @property
    def channel_arguments(self) -> str:
        """The value of --grpc_channel_arguments."""
        age, grace = (round(each * 1000) for each in (self.connection, self.longest_call))
        return f"{AGE}={age},{GRACE}={grace}"
