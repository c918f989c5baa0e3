"""Files as TensorFlow Serving reads them: paths, URIs, text protos, and status codes of errors."""

from __future__ import annotations

import errno
import os
import posixpath
import re
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from seq2sum_serving.embedded.errors import Code, ServingError, StartupError

M = TypeVar("M", bound=Message)

URI = re.compile(r"([a-zA-Z][a-zA-Z0-9.]+)://[^/]*(.*)", re.DOTALL)
"""Scheme, host, path: `ParseURI` in tensorflow/core/platform/path.cc."""
LOCAL = "file"
"""The scheme of the local file system, in lower case only; its host is ignored."""

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
    """Returns the path of a file that a flag or a config file names, or of an entry below it.

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
    # Normalized like `CleanPath` in tensorflow/core/platform/path.cc: any number of slashes may
    # follow the host.
    return Path("/" + posixpath.normpath(path or "/").lstrip("/"), *below)


def join(name: str, below: str) -> str:
    """Joins a folder, which may be a URI, and an entry, as `JoinPath` in TensorFlow does."""
    return name + below if name.endswith("/") else f"{name}/{below}"


def entries(name: str) -> list[str]:
    """Returns the names of a folder's entries.

    Raises:
        ServingError: The folder cannot be read.
    """
    try:
        return [entry.name for entry in local_path(name).iterdir()]
    except OSError as error:
        raise io_error(name, error.errno or 0) from error


def read_text_proto(path: str, message: M) -> M:
    """Fills a message from a file in protobuf's text format, and returns it.

    Raises:
        ServingError: The file cannot be read or parsed.
    """
    try:
        content = local_path(path).read_bytes()
    # TensorFlow maps the file into memory, which fails for a folder and for an empty file.
    except IsADirectoryError as error:
        raise io_error(path, errno.ENODEV) from error
    except OSError as error:
        raise io_error(path, error.errno or 0) from error
    if not content:
        raise io_error(path, errno.EINVAL)
    try:
        return text_format.Parse(content, message)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ServingError(
            Code.INVALID_ARGUMENT, f"Invalid protobuf file: '{printable(path)}'"
        ) from error


def io_error(name: str, number: int) -> ServingError:
    """Returns the error for a failed file operation, with TensorFlow's code for the errno."""
    return ServingError(
        CODES.get(number, Code.UNKNOWN), f"{printable(name)}; {os.strerror(number)}"
    )


def printable(name: str) -> str:
    """Returns a file name with bytes that are not UTF-8 replaced, so that it can be sent."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def utf8(name: str) -> str:
    """Returns a path from the command line unchanged if it is valid UTF-8.

    Raises:
        StartupError: It has bytes that are not UTF-8, which no error message could carry.
    """
    if printable(name) != name:
        raise StartupError(
            Code.INVALID_ARGUMENT, f"the path {printable(name)} is not valid UTF-8: rename it"
        )
    return name
