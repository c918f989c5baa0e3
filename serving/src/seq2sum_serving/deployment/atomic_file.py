"""Files and folders that appear and change as a whole: readers see the old or the new content."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from seq2sum_serving.deployment.errors import Refused

PROJECTION_PREFIX = ".."
"""Prefix of the folders that the kubelet projects volumes into: `..data` is a link to
`..2026_07_14_09_30_00.123456789`, and each file is a link into `..data`."""
MOUNTS = Path("/proc/self/mountinfo")
MOUNTED = "it is mounted as a single file, which cannot be replaced: mount its folder instead"


def resolve(path: Path) -> Path:
    """Returns the file to which a path leads through links: it is replaced, and the links stay.

    Raises:
        Refused: The file is part of a volume that Kubernetes writes.
    """
    found = Path(os.path.realpath(path))
    if any(part.startswith(PROJECTION_PREFIX) for part in found.parts):
        raise Refused(
            f"{path} is part of a Kubernetes volume (a ConfigMap, a Secret or a projected one), "
            "which cannot be changed through its files: keep the file on a writable volume, and "
            "give that path to servers and callers"
        )
    return found


def check_replaceable(path: Path) -> None:
    """Checks that `write` may replace a file; writes nothing.

    Raises:
        Refused: See `resolve`.
        OSError: The folder of the file is missing or not writable, or the file is a mount point.
    """
    found = resolve(path)
    check_access(found.parent, os.W_OK | os.X_OK)
    if str(found) in _mount_points():
        raise OSError(errno.EBUSY, MOUNTED, str(path))


def _mount_points() -> set[str]:
    """Returns the mount points that this process sees; empty if the kernel does not list them."""
    try:
        lines = MOUNTS.read_bytes().splitlines()
    except OSError:
        return set()
    # The fifth field (man 5 proc), in which blanks and other special characters are octal: \040.
    fields = (os.fsdecode(line.split(b" ")[4]) for line in lines)
    return {re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), field) for field in fields}


def check_access(path: Path, mode: int) -> None:
    """Checks that this process may access a file or a folder; `mode` as in `os.access`.

    Raises:
        OSError: The path is missing, or access is denied.
    """
    path.stat()
    if not os.access(path, mode):
        read_only = mode & os.W_OK and os.statvfs(path).f_flag & os.ST_RDONLY
        code = errno.EROFS if read_only else errno.EACCES
        raise OSError(code, os.strerror(code), str(path))


def check_copyable(folder: Path, parents: tuple[Path, ...] = ()) -> None:
    """Checks that `shutil.copytree`, which follows links, can copy a folder; copies nothing.

    Args:
        folder: The folder.
        parents: Resolved folders that contain it: a link to one of them would never end.

    Raises:
        OSError: A link is broken or part of a loop, or a file is unreadable, a pipe or a device.
    """
    parents = (*parents, folder.resolve())
    for entry in sorted(folder.iterdir()):
        check_access(entry, os.R_OK)
        if entry.is_dir():
            if entry.resolve() in parents:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(entry))
            check_copyable(entry, parents)
        elif not entry.is_file():
            raise OSError(errno.EINVAL, "Not a regular file", str(entry))


def write(path: Path, content: str | bytes) -> None:
    """Writes a temporary file in the same folder, flushes it to disk, and renames it to `path`.

    Mode and owner stay those of the old file, where the system permits. A link stays a link.

    Raises:
        Refused: See `resolve`.
        OSError: The file could not be written; the old one is unchanged, and no temporary file is
            left.
    """
    path = resolve(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            try:
                old = path.stat()
            except FileNotFoundError:
                os.fchmod(file.fileno(), 0o644)
            else:
                os.fchmod(file.fileno(), old.st_mode & 0o7777)
                with suppress(PermissionError):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        _rename(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    fsync(path.parent)


def _rename(name: str, path: Path) -> None:
    try:
        os.replace(name, path)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        raise OSError(errno.EBUSY, MOUNTED, str(path)) from error


def copy_folder(source: Path, target: Path, prepare: Callable[[Path], None]) -> None:
    """Copies a folder next to `target`, flushes it to disk, and renames the copy to `target`.

    Args:
        source: The folder; links in it are followed.
        target: A path that does not exist.
        prepare: Called with the copy before it is renamed.

    Raises:
        OSError: It could not be copied, or `target` exists; no part of the copy is left.
        shutil.Error: Files could not be copied; no part of the copy is left.
    """
    # Not a number, so servers that poll the folder ignore it.
    staging = target.with_name(f".publishing-{target.name}-{uuid.uuid4().hex}")
    try:
        shutil.copytree(source, staging)
        prepare(staging)
        for parent, _, names in os.walk(staging):
            for name in (*names, "."):
                fsync(Path(parent, name))
        # Fails if the target is a folder that is not empty: of two processes, one fails cleanly.
        os.rename(staging, target)
        fsync(target.parent)
    finally:
        with suppress(OSError):
            shutil.rmtree(staging)


def fsync(path: Path) -> None:
    """Flushes a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
