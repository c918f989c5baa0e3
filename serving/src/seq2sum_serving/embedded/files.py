"""File names as TensorFlow reads them, and its words for what goes wrong with a file."""

from __future__ import annotations

import errno
import os
import posixpath
import re
from pathlib import Path

from seq2sum_serving.embedded.errors import Code, ServingError, StartupError

URI = re.compile(r"([a-zA-Z][a-zA-Z0-9.]+)://[^/]*(.*)", re.DOTALL)
"""Scheme, host, path: `ParseURI` in tensorflow/core/platform/path.cc."""
LOCAL = "file"
"""The one scheme of the local file system, in small letters only; its host is ignored."""

_CODES = {
    Code.INVALID_ARGUMENT: "EINVAL ENAMETOOLONG E2BIG EFAULT EILSEQ ENOTTY ESPIPE",
    Code.NOT_FOUND: "ENODEV ENOENT ENXIO ESRCH",
    Code.ALREADY_EXISTS: "EEXIST",
    Code.PERMISSION_DENIED: "EPERM EACCES EROFS",
    Code.FAILED_PRECONDITION: "ENOTEMPTY EISDIR ENOTDIR EBADF EBUSY EPIPE ETXTBSY",
    Code.RESOURCE_EXHAUSTED: "ENOSPC EDQUOT EMFILE EMLINK ENFILE ENOMEM",
    Code.OUT_OF_RANGE: "EFBIG EOVERFLOW ERANGE",
    Code.UNIMPLEMENTED: "ENOSYS ENOTSUP EXDEV",
    Code.UNAVAILABLE: "EAGAIN EINTR ENOLCK",
    Code.ABORTED: "EDEADLK ESTALE",
    Code.DEADLINE_EXCEEDED: "ETIMEDOUT",
    Code.CANCELLED: "ECANCELED",
}
CODES = {
    getattr(errno, name): code
    for code, names in _CODES.items()
    for name in names.split()
    if hasattr(errno, name)
}
"""Codes by errno (`ErrnoToCode` in tsl/platform/posix/error.cc); all others are UNKNOWN."""


def local_path(name: str, *below: str) -> Path:
    """The path of a file or folder that a flag or a config file names, or of one below it.

    Raises:
        ServingError: UNIMPLEMENTED: the name is a URI of another file system.
    """
    uri = URI.fullmatch(name)
    if uri is None:
        return Path(name, *below)
    scheme, path = uri.groups()
    if scheme != LOCAL:
        raise ServingError(
            Code.UNIMPLEMENTED, f"File system scheme '{scheme}' not implemented (file: '{name}')"
        )
    # Cleaned like `CleanPath` in TensorFlow: the host may be followed by any number of slashes.
    return Path("/" + posixpath.normpath(path or "/").lstrip("/"), *below)


def join(name: str, below: str) -> str:
    """The name of an entry of a folder; a URI stays one, as with `JoinPath` in TensorFlow."""
    return name + below if name.endswith("/") else f"{name}/{below}"


def entries(name: str) -> list[str]:
    """The names of what a folder holds.

    Raises:
        ServingError: It cannot be read.
    """
    try:
        return [entry.name for entry in local_path(name).iterdir()]
    except OSError as error:
        raise io_error(name, error.errno or 0) from error


def io_error(name: str, number: int) -> ServingError:
    """The error for a file that could not be opened or looked at, by its errno."""
    return ServingError(
        CODES.get(number, Code.UNKNOWN), f"{printable(name)}; {os.strerror(number)}"
    )


def printable(name: str) -> str:
    """A file name as valid text: bytes that are not UTF-8 could not be sent to a client."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def utf8(name: str) -> str:
    """A name from the command line that messages can carry.

    Raises:
        StartupError: It has bytes that are not UTF-8.
    """
    if printable(name) != name:
        raise StartupError(
            Code.INVALID_ARGUMENT, f"the path {printable(name)} is not valid UTF-8: rename it"
        )
    return name
