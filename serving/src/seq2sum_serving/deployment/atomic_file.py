"""Files that change as a whole: whoever reads one finds all of the old or all of the new."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seq2sum_serving.deployment.errors import Refused

PROJECTION = ".."
"""How the kubelet begins the names of the folders that it projects volumes into: `..data` is a
link to `..2026_07_14_09_30_00.123456789`, and each file is a link into `..data`."""
MOUNTS = Path("/proc/self/mountinfo")
MOUNTED = "it is mounted as a single file, which cannot be replaced: mount its folder instead"


def target(path: Path) -> Path:
    """Returns the file that a path leads to through links: that one changes, and the link stays.

    Raises:
        Refused: The file is part of a volume that Kubernetes writes.
    """
    found = Path(os.path.realpath(path))
    if any(part.startswith(PROJECTION) for part in found.parts):
        raise Refused(
            f"{path} is part of a Kubernetes volume (a ConfigMap, a Secret or a projected one), "
            "which cannot be changed through its files: keep the file on a volume that can be "
            "written, and name that one to servers and callers"
        )
    return found


def check_replaceable(path: Path) -> None:
    """Checks that `replace` may write a file; writes nothing.

    Raises:
        Refused: See `target`.
        OSError: The folder of the file is missing or cannot be written, or it is a mount point.
    """
    found = target(path)
    check_access(found.parent, os.W_OK | os.X_OK)
    if str(found) in _mount_points():
        raise OSError(errno.EBUSY, MOUNTED, str(path))


def _mount_points() -> set[str]:
    """Returns where this process sees file systems mounted; empty where the kernel does not say."""
    try:
        lines = MOUNTS.read_bytes().splitlines()
    except OSError:
        return set()
    # The fifth field (man 5 proc), in which blanks and the like are octal: \040.
    fields = (os.fsdecode(line.split(b" ")[4]) for line in lines)
    return {re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), field) for field in fields}


def check_access(path: Path, mode: int) -> None:
    """Checks what this process may do with a file or a folder.

    Raises:
        OSError: It is missing, or this is not allowed.
    """
    path.stat()
    if not os.access(path, mode):
        read_only = mode & os.W_OK and os.statvfs(path).f_flag & os.ST_RDONLY
        code = errno.EROFS if read_only else errno.EACCES
        raise OSError(code, os.strerror(code), str(path))


def check_copyable(folder: Path, above: tuple[Path, ...] = ()) -> None:
    """Checks that `shutil.copytree` can copy a folder, which follows links; copies nothing.

    Args:
        folder: The folder.
        above: Folders that contain it, without links: one that leads to them has no end.

    Raises:
        OSError: A file is missing behind a link, cannot be read, or is a pipe or a device.
    """
    above = (*above, folder.resolve())
    for entry in sorted(folder.iterdir()):
        check_access(entry, os.R_OK)
        if entry.is_dir():
            if entry.resolve() in above:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(entry))
            check_copyable(entry, above)
        elif not entry.is_file():
            raise OSError(errno.EINVAL, "Not a regular file", str(entry))


def replace(path: Path, text: str) -> None:
    """Writes a new file next to the old one, through to the disk, and renames it to the old name.

    Mode and owner stay those of the old file, where the system lets them. A link stays a link.

    Raises:
        Refused: See `target`.
        OSError: It cannot be done; the old file is as it was, and nothing is left next to it.
    """
    path = target(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            try:
                old = path.stat()
            except FileNotFoundError:
                os.fchmod(file.fileno(), 0o644)
            else:
                os.fchmod(file.fileno(), old.st_mode & 0o7777)
                with suppress(PermissionError):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _rename(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    sync(path.parent)


def _rename(name: str, path: Path) -> None:
    try:
        os.replace(name, path)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        raise OSError(errno.EBUSY, MOUNTED, str(path)) from error


def sync(path: Path) -> None:
    """Sees a file or a folder through to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def holder(path: Path) -> str | None:
    """Returns what the holder of a lock says; None if nobody holds it. The file stays as it is."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _told(handle)
    finally:
        os.close(handle)
    return None


@contextmanager
def locked(path: Path, told: str = "", *, wait: bool = True) -> Iterator[None]:
    """Holds a lock that ends with this process at the latest, whatever ends it.

    Args:
        path: The lock's file; it stays, for to delete it would let two in.
        told: What the file says while the lock is held.
        wait: Whether to wait for the lock.

    Raises:
        BlockingIOError: Another process holds it; its `filename` says what that process told.
        OSError: The file cannot be opened.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise BlockingIOError(error.errno, error.strerror, _told(handle)) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, told.encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _told(handle: int) -> str:
    return os.pread(handle, 1000, 0).decode(errors="replace").strip()
