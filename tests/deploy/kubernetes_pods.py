"""A simulated cluster: embedded servers as pods behind a headless Service.

It uses the flags of the manifest, and its times divided by a common factor. DNS changes after a
delay. A terminating pod serves until its preStop hook has ended, and is killed then.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from deploy.kubernetes_manifests import Object, flags
from deploy.kubernetes_times import Times
from deploy.loopback_servers import LoopbackServer
from support import servers
from support.dns_server import NameServer
from support.paths import ROOT

CONFIG = ROOT / "serving" / "config"


class Cluster:
    """Pods and the DNS name of their Service, which exist while a `with` block is open.

    Args:
        container: The server's container in the manifest.
        models: The model volume, with a model config file.
        folder: For logs.
        times: The times of the manifest, shortened.
    """

    def __init__(self, container: Object, *, models: Path, folder: Path, times: Times) -> None:
        self.port = servers.free_port()
        self.pods: list[LoopbackServer] = []
        self._folder, self._times = folder, times
        self._flags = with_local_paths(flags(container["args"]), models) | {
            "port": str(self.port),
            "rest_api_port": "0",
            "grpc_channel_arguments": times.channel_arguments,
        }
        self._started: list[LoopbackServer] = []
        self._names = NameServer()
        self._pool = ThreadPoolExecutor(16)
        self._over = threading.Event()

    @property
    def target(self) -> str:
        """The target for clients."""
        return self._names.target(self.port)

    def start(self, count: int) -> None:
        """Starts the first pods, which DNS returns at once."""
        self.pods = [self._start_pod() for _ in range(count)]
        for pod in self.pods:
            pod.wait_until_open()
        self._set_addresses(self._hosts())

    def roll(self) -> list[Future[None]]:
        """Replaces all pods with maxSurge 1 and maxUnavailable 0; returns their terminations."""
        terminations = []
        for old in list(self.pods):
            new = self._start_pod()
            new.wait_until_open()
            self.pods.append(new)
            self.pods.remove(old)
            self._pool.submit(self._set_addresses, self._hosts(), delay=self._times.dns)
            terminations.append(self._pool.submit(self._terminate, old))
        return terminations

    def __enter__(self) -> Cluster:
        self._names.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._pool.shutdown()
        for pod in self._started:
            pod.kill()
        self._names.__exit__()

    def _start_pod(self) -> LoopbackServer:
        number = len(self._started) + 1
        pod = LoopbackServer.launch_on(
            f"127.0.0.{number}",
            None,
            self._folder / f"pod-{number}",
            config=Path(self._flags["model_config_file"]),
            port=self.port,
            flags=[f"--{name}={value}" for name, value in self._flags.items()],
        )
        self._started.append(pod)
        return pod

    def _terminate(self, pod: LoopbackServer) -> None:
        self._over.wait(self._times.pre_stop)
        pod.kill()

    def _hosts(self) -> list[str]:
        return [pod.host for pod in self.pods]

    def _set_addresses(self, addresses: list[str], *, delay: float = 0) -> None:
        self._over.wait(delay)
        self._names.names.addresses = addresses


def with_local_paths(flags: dict[str, str], models: Path) -> dict[str, str]:
    """Returns the flags with the paths of this machine instead of those of the container."""
    local = dict(flags)
    for name, value in flags.items():
        for mount, folder in {"/etc/seq2sum/": CONFIG, "/models/": models}.items():
            if value.startswith(mount):
                local[name] = f"{folder}/{value.removeprefix(mount)}"
    return local
