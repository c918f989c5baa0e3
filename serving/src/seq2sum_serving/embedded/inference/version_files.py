"""A check of all files of a version, before it is loaded.

tensorflow_model_server adds up file sizes to reserve memory (`GetModelDiskSize` in
tensorflow_serving/servables/tensorflow/util.cc). This server reserves no memory, but a version
with an inaccessible file fails in the same way.
"""

from __future__ import annotations

import stat
from collections import deque

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.files import entries, io_error, join, local_path, printable

MAX_FILES = 100_000
"""A SavedModel has a few dozen; two symbolic links from a folder to itself look like 2^40."""


def check(model: str, version: int, path: str) -> None:
    """Checks that every file in the folder of a version can be accessed.

    Raises:
        ServingError: `path` is not a folder, a file is not readable, or a link has no target.
    """
    try:
        _stat_all(path)
    except ServingError as error:
        raise ServingError(
            error.code,
            "Error while attempting to reserve resources to load servable "
            f"{{name: {model} version: {version}}}: {error.message}",
        ) from error


def _stat_all(path: str) -> None:
    """Stats everything below a folder, breadth first, and follows links.

    An error in listing a folder takes precedence over errors of files.
    """
    try:
        local_path(path).stat()
    except OSError as error:
        raise ServingError(Code.NOT_FOUND, f"{printable(path)} not found") from error
    failure: ServingError | None = None
    folders, files = deque([path]), 0
    while folders:
        folder = folders.popleft()
        for entry in entries(folder):
            files += 1
            name = join(folder, entry)
            try:
                mode = local_path(name).stat().st_mode
            except OSError as error:
                failure = failure or io_error(name, error.errno or 0)
                continue
            if stat.S_ISDIR(mode):
                folders.append(name)
        if files > MAX_FILES:
            raise ServingError(
                Code.RESOURCE_EXHAUSTED,
                f"{printable(path)} has more than {MAX_FILES} files: check for circular links",
            )
    if failure:
        raise failure
