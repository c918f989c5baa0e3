"""A Docker engine from Debian's packages, with all of its files in one folder.

Nothing is installed on the machine: programs, sockets, images and containers are in that folder.
The engine changes two things outside of it: the network bridge `docker0` and the packet
filter rules of its networks, and removes both when it stops.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from containers import debian_packages, packet_filter
from containers.run import CommandFailed, run, step, until

PACKAGES = ("docker.io", "iptables", "mmdebstrap")
PLUGINS = ("docker-compose", "docker-buildx")
PLUGINS_RELEASE = "trixie"
"""Debian 12 has no Compose 2."""
SECONDS_TO_START, SECONDS_TO_STOP = 60, 60
NEEDED_BYTES = 14 * 10**9
RELEASE = Path("/etc/os-release")


def obstacle(folder: Path) -> str:
    """Returns the reason why tests cannot start an engine here, or an empty string."""
    if not RELEASE.exists() or "ID=debian" not in RELEASE.read_text().splitlines():
        return "this is not Debian"
    if os.geteuid() != 0:
        return "this user is not root"
    if (free := shutil.disk_usage(folder).free) < NEEDED_BYTES:
        needed, has = NEEDED_BYTES / 1e9, free / 1e9
        return f"{folder} has {has:.0f} GB free, and the images need {needed:.0f} GB"
    return ""


@contextmanager
def running(folder: Path) -> Iterator[Mapping[str, str]]:
    """Sets up and starts an engine, and yields the environment of its clients.

    Args:
        folder: The folder; programs and images that an earlier run left there are used again.

    Raises:
        CommandFailed: A package could not be downloaded.
        AssertionError: The engine did not start; with the end of its log.
    """
    environment = _environment(folder)
    if not (folder / "programs").exists():
        with step("engine: packages"):
            _install(folder, environment)
    environment["PATH"] = f"{_chosen_iptables(folder, environment)}:{environment['PATH']}"
    before = _interfaces()
    with packet_filter.restored(environment), (folder / "dockerd.log").open("ab") as log:
        process = subprocess.Popen(
            [
                # The engine ends with the tests, however they end.
                *("setpriv", "--pdeathsig=TERM"),
                *("dockerd", f"--host={environment['DOCKER_HOST']}"),
                *(f"--{name}={folder / name}" for name in ("data-root", "exec-root", "pidfile")),
                f"--mtu={_smallest_mtu()}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches only the tests, which then stop the engine
        )
        try:
            with step("engine: start"):
                _wait_until_ready(process, folder, environment)
            yield environment
        finally:
            _stop(process)
            for name in _interfaces() - before:
                run("ip", "link", "delete", name, check=False)


def max_open_files() -> int:
    """Returns the highest limit of open files that a container can have."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def _environment(folder: Path) -> dict[str, str]:
    root = folder / "programs" / "root"
    libraries = root / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
    return os.environ | {
        "PATH": f"{root}/usr/sbin:{root}/usr/bin:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": str(libraries),
        "XTABLES_LIBDIR": str(libraries / "xtables"),
        "DOCKER_HOST": f"unix://{folder}/docker.sock",
        "DOCKER_CONFIG": str(folder / "client"),
        "DOCKER_BUILDKIT": "1",
        "TMPDIR": str(folder),
    }


def _install(folder: Path, environment: Mapping[str, str]) -> None:
    unfinished = folder / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    debian_packages.missing(unfinished, *PACKAGES)
    plugins = debian_packages.of_release(PLUGINS_RELEASE, unfinished / "plugins", *PLUGINS)
    target = Path(environment["DOCKER_CONFIG"]) / "cli-plugins"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for plugin in plugins.glob("usr/*/docker/cli-plugins/*"):
        shutil.copy(plugin, target)
    unfinished.rename(folder / "programs")


def _chosen_iptables(folder: Path, environment: Mapping[str, str]) -> Path:
    """Returns a folder with `iptables`, of the kind that works with this kernel.

    Debian's package leaves the choice to an installation script.
    """
    chosen = folder / "iptables"
    shutil.rmtree(chosen, ignore_errors=True)
    chosen.mkdir()
    for kind in ("nft", "legacy"):
        program = shutil.which(f"xtables-{kind}-multi", path=environment["PATH"])
        listing = ("iptables", "--table", "nat", "--list-rules")
        if program and run(program, *listing, environment=environment, check=False).returncode == 0:
            for name in ("iptables", "ip6tables"):
                (chosen / name).symlink_to(program)
            return chosen
    raise CommandFailed("the kernel has no packet filter: iptables fails with nft and with legacy")


def _interfaces() -> set[str]:
    names = {path.name for path in Path("/sys/class/net").iterdir()}
    return {name for name in names if name.startswith(("docker", "br-", "veth"))}


def _smallest_mtu() -> int:
    """Returns the MTU for containers: larger packets than those of the machine would be lost."""
    loopback = "lo"
    devices = [path for path in Path("/sys/class/net").iterdir() if path.name != loopback]
    up = [path for path in devices if int((path / "flags").read_text(), 16) & 1]
    return min([1500, *(int((path / "mtu").read_text()) for path in up)])


def _wait_until_ready(process, folder: Path, environment: Mapping[str, str]) -> None:
    def answers() -> bool:
        assert process.poll() is None, f"dockerd did not start:\n{_log(folder)}"
        info = ("docker", "info")
        return run(*info, environment=environment, check=False).returncode == 0

    until(answers, timeout=SECONDS_TO_START, what=f"dockerd answers:\n{_log(folder)}")


def _log(folder: Path) -> str:
    return "\n".join((folder / "dockerd.log").read_text().splitlines()[-8:])


def _stop(process) -> None:
    process.send_signal(signal.SIGTERM)  # it stops its containers and containerd
    try:
        process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
