"""Hardening as seen from inside a container, compared with docker-compose.yml."""

from __future__ import annotations

from containers.project import Project
from deploy import compose_file

UNITS = {"m": 2**20, "g": 2**30}
LOOK = """\
cat /proc/1/status
echo "nofile: $(ulimit -n)"
echo "core: $(ulimit -c)"
echo "root: $(touch /written 2>&1 || true)"
echo "etc: $(touch /etc/written 2>&1 || true)"
echo '#!/bin/sh' >/tmp/program && chmod 0755 /tmp/program
echo "tmp: $(/tmp/program 2>&1 || true)"
one() { for file; do [ ! -e "$file" ] || { tr '\\n' ' ' <"$file"; break; }; done; }
cd /sys/fs/cgroup
echo "memory: $(one memory.max memory/memory.limit_in_bytes)"
echo "swap: $(one memory.swap.max memory/memory.memsw.limit_in_bytes)"
echo "processes: $(one pids.max pids/pids.max)"
echo "quota: $(one cpu.max cpu/cpu.cfs_quota_us)"
echo "period: $(one cpu/cpu.cfs_period_us)"
"""
"""Prints lines `name: value`; the limits as version 1 or 2 of control groups has them."""
NO_PRIVILEGES = {
    **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), "0000000000000000"),
    "NoNewPrivs": "1",
}


def look(project: Project, container: str) -> dict[str, str]:
    """Returns what a container reports about itself."""
    lines = (line.split(":", 1) for line in project.execute(container, LOOK).splitlines())
    return {parts[0]: parts[1].strip() for parts in lines if len(parts) == 2}


def check(project: Project, service: str, container: str | None = None) -> dict[str, str]:
    """Checks a container of a service, and returns what it reports.

    Raises:
        AssertionError: It is not as hardened as docker-compose.yml says.
    """
    seen = look(project, container or project.container(service))
    written = compose_file.services()[service]
    assert {name: seen[name] for name in NO_PRIVILEGES} == NO_PRIVILEGES
    assert {*seen["Uid"].split()} == {written["user"].split(":")[0]}
    assert {*seen["Gid"].split()} == {written["user"].split(":")[1]}
    assert "Read-only file system" in seen["root"]
    assert "Read-only file system" in seen["etc"]
    assert "Permission denied" in seen["tmp"], "programs run in /tmp"
    memory = size(written["mem_limit"])
    assert int(seen["memory"]) == memory
    assert int(seen["swap"] or 0) in (0, memory), "0: swap alone; the other: memory and swap"
    assert int(seen["processes"]) == written["pids_limit"]
    return seen


def size(text: str) -> int:
    """Returns the bytes of a size such as `512m`."""
    return int(text[:-1]) * UNITS[text[-1]]


def cpus(seen: dict[str, str]) -> float:
    """Returns the limit of CPUs that a container reported."""
    quota, period, *_ = f"{seen['quota']} {seen['period']}".split()
    return int(quota) / int(period)
