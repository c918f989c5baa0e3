"""Files that change as a whole: whoever reads one finds all of the old or all of the new."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

from seq2sum_serving.deployment.errors import Refused

PROJECTION = ".."
"""How the kubelet begins the names of the folders that it projects volumes into: `..data` is a
link to `..2026_07_14_09_30_00.123456789`, and each file is a link into `..data`."""
MOUNTS = Path("/proc/self/mountinfo")
MOUNTED = "it is mounted as a single file, which cannot be replaced: mount its folder instead"


def resolve(path: Path) -> Path:
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
    """Checks that `write` may write a file; writes nothing.

    Raises:
        Refused: See `resolve`.
        OSError: The folder of the file is missing or cannot be written, or it is a mount point.
    """
    found = resolve(path)
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


def write(path: Path, text: str) -> None:
    """Writes a new file next to the old one, through to the disk, and renames it to the old name.

    Mode and owner stay those of the old file, where the system lets them. A link stays a link.

    Raises:
        Refused: See `resolve`.
        OSError: It cannot be done; the old file is as it was, and nothing is left next to it.
    """
    path = resolve(path)
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
    fsync(path.parent)


def _rename(name: str, path: Path) -> None:
    try:
        os.replace(name, path)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        raise OSError(errno.EBUSY, MOUNTED, str(path)) from error


def fsync(path: Path) -> None:
    """Sees a file or a folder through to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
