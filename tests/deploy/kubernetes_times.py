"""For how long a client may still know a pod that goes, from what the manifest tells the server."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.kubernetes_manifests import Object, flags
from seq2sum import _channel

OUT_OF_DNS, CACHED = 5, 30
"""Seconds that the address of a pod that goes may still be told, see base/serving.yaml."""
SPREAD = 1.1
"""gRPC lets a connection live up to a tenth longer than it is told."""
AGE, GRACE = "grpc.max_connection_age_ms", "grpc.max_connection_age_grace_ms"


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds."""

    connection: float
    """How long a connection is told to live."""
    longest_call: float
    """How long calls on it may go on then."""
    told: float
    """How long DNS may tell a pod that is gone, or not tell one that is there."""
    look_up: float
    """The client's pause between two look-ups."""
    waits: float
    """How long a pod serves on when it is to go."""

    @classmethod
    def of(cls, container: Object) -> Times:
        """Those of a server's container."""
        options = flags(container["args"])["grpc_channel_arguments"].split(",")
        milliseconds = {name: int(value) for name, value in (item.split("=") for item in options)}
        return cls(
            connection=milliseconds[AGE] / 1000,
            longest_call=milliseconds[GRACE] / 1000,
            told=OUT_OF_DNS + CACHED,
            look_up=_channel.RESOLVE_AGAIN / 1000,
            waits=container["lifecycle"]["preStop"]["sleep"]["seconds"],
        )

    @property
    def known(self) -> float:
        """How long a client may know a pod that goes, and be in the middle of a call there.

        DNS tells of it for a while. A client that connects at the end of that learns of nothing
        before the connection ends; then it looks again, and the last call before ends as well.
        """
        return self.told + self.connection * SPREAD + self.look_up + self.longest_call

    def shortened(self, *, connection: float, longest_call: float) -> Times:
        """The same with connections that live this long, and all else in proportion to that.

        Except for calls: how long one takes is up to the machine.
        """
        factor = connection / self.connection
        return Times(
            connection=connection,
            longest_call=longest_call,
            told=self.told * factor,
            look_up=self.look_up * factor,
            waits=(self.waits - self.longest_call) * factor + longest_call,
        )

    @property
    def arguments(self) -> str:
        """For --grpc_channel_arguments."""
        age, grace = (round(each * 1000) for each in (self.connection, self.longest_call))
        return f"{AGE}={age},{GRACE}={grace}"
