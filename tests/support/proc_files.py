"""Children and sockets of processes, read from Linux's /proc."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

ESTABLISHED = "01"


def only_child(pid):
    """Returns the process number of the one child of a process."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    [child] = [int(child) for task in tasks for child in task.read_text().split()]
    return child


def is_gone(pid):
    """Returns whether a process has ended, even if it is not reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def sockets(pid):
    """Returns the inodes of a process's sockets."""
    links = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # just closed
            links.append(str(file.readlink()))
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}


def connection_count(pid, port):
    """Returns the number of a process's connections to a TCP port of this machine."""
    rows = [row for table in ("tcp", "tcp6") for row in _rows(table)]
    local = f":{port:04X}"
    established = {row[9] for row in rows if row[1].endswith(local) and row[3] == ESTABLISHED}
    return len(established & sockets(pid))


def unix_socket_paths(pid):
    """Returns the paths of a process's UNIX sockets."""
    inodes = sockets(pid)
    return {Path(row[7]) for row in _rows("unix") if row[6] in inodes and row[7:]}


def _rows(table):
    return [line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
