"""Pods behind a headless name, as embedded servers; and what a cluster does with them.

What Kubernetes does is done with the manifest's own times, all shortened by one factor: the name
tells of a change late, a pod that is to go serves on for its preStop, and is killed then.
"""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from deploy.kubernetes_manifests import Object, flags
from deploy.kubernetes_times import Times
from support import servers
from support.dns_server import NameServer
from support.paths import ROOT

CONFIG = ROOT / "serving" / "config"
LONGEST = 60
"""Seconds that a start may take here; it takes one or two."""


class Pod:
    """A server with the manifest's flags, on an address of its own.

    Args:
        number: The end of its address.
        port: The gRPC port, that of all pods.
        folder: For its log.
        chosen: Its flags.
    """

    def __init__(self, number: int, *, port: int, folder: Path, chosen: dict[str, str]) -> None:
        self.host, self._port = f"127.0.0.{number}", port
        logs = folder / f"pod-{number}"
        logs.mkdir()
        self._server = servers.Server.launch(
            None,
            logs,
            config=Path(chosen["model_config_file"]),
            port=port,
            flags=[f"--host={self.host}", *(f"--{name}={value}" for name, value in chosen.items())],
            forked=True,
        )

    def ready(self) -> Pod:
        """Waits for its port, which opens when a version is AVAILABLE."""
        deadline = time.monotonic() + LONGEST
        while not self._listens():
            assert self._server.process.poll() is None, self._server.log.read_text()
            assert time.monotonic() < deadline, self._server.log.read_text()
            time.sleep(0.02)
        return self

    def kill(self) -> None:
        """Ends it in the middle of whatever it does: TensorFlow Serving has no other way."""
        self._server.process.kill()
        self._server.process.wait(servers.SECONDS_TO_STOP)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex((self.host, self._port)) == 0


class Cluster:
    """Pods, and the name that tells their addresses; used by `with`.

    Args:
        container: The server's, of the manifest.
        models: The model volume, with the file of record.
        folder: For logs.
        times: Those of the manifest, shortened.
    """

    def __init__(self, container: Object, *, models: Path, folder: Path, times: Times) -> None:
        self.port = servers.free_port()
        self.pods: list[Pod] = []
        self._folder, self._times = folder, times
        self._flags = on_this_machine(flags(container["args"]), models) | {
            "port": str(self.port),
            "rest_api_port": str(servers.free_port()),
            "grpc_channel_arguments": times.arguments,
        }
        self._started: list[Pod] = []
        self._names = NameServer()
        self._later = ThreadPoolExecutor(16)
        self._over = threading.Event()

    @property
    def target(self) -> str:
        """What clients are told."""
        return self._names.target(self.port)

    def start(self, count: int) -> None:
        """The first pods, told at once."""
        self.pods = [self._pod() for _ in range(count)]
        for pod in self.pods:
            pod.ready()
        self._names.names.addresses = [pod.host for pod in self.pods]

    def roll(self) -> list[Future[None]]:
        """Rolls all pods: maxSurge 1, maxUnavailable 0. Gives the ends of those that go."""
        ends = []
        for old in list(self.pods):
            self.pods.append(self._pod().ready())
            self.pods.remove(old)
            self._tell()
            ends.append(self._later.submit(self._end, old))
        return ends

    def __enter__(self) -> Cluster:
        self._names.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._later.shutdown()
        for pod in self._started:
            pod.kill()
        self._names.__exit__()

    def _pod(self) -> Pod:
        number = len(self._started) + 1
        pod = Pod(number, port=self.port, folder=self._folder, chosen=self._flags)
        self._started.append(pod)
        return pod

    def _end(self, pod: Pod) -> None:
        """What the kubelet does with a pod that is to go."""
        self._over.wait(self._times.waits)
        pod.kill()

    def _tell(self) -> None:
        """What is so now is told by DNS after a while."""
        self._later.submit(self._told_late, [pod.host for pod in self.pods])

    def _told_late(self, addresses: list[str]) -> None:
        self._over.wait(self._times.told)
        self._names.names.addresses = addresses


def on_this_machine(chosen: dict[str, str], models: Path) -> dict[str, str]:
    """Flags with the folders of a container in the places where they are here."""
    places = {"/etc/seq2sum/": f"{CONFIG}/", "/models/": f"{models}/"}
    moved = dict(chosen)
    for name, value in chosen.items():
        for there, here in places.items():
            if value.startswith(there):
                moved[name] = here + value.removeprefix(there)
    return moved
