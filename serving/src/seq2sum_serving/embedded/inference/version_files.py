"""The files of a version, looked at before anything is loaded.

tensorflow_model_server adds up their sizes to reserve memory (`GetModelDiskSize` in
tensorflow_serving/servables/tensorflow/util.cc). No memory is reserved here, but a version with
a file that cannot be looked at fails in the same way.
"""

from __future__ import annotations

import stat
from collections import deque

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.files import entries, io_error, join, local_path, printable

MOST_FILES = 100_000
"""Two links from a folder to itself stand for 2^40 files; a SavedModel has some dozens."""


def check(model: str, version: int, path: str) -> None:
    """Looks at every file of a version.

    Args:
        model: Name of the model.
        version: Number of the version.
        path: Its folder.

    Raises:
        ServingError: A file is missing behind its link, or cannot be read; or it is no folder.
    """
    try:
        _look(path)
    except ServingError as error:
        raise ServingError(
            error.code,
            "Error while attempting to reserve resources to load servable "
            f"{{name: {model} version: {version}}}: {error.message}",
        ) from error


def _look(path: str) -> None:
    """Looks at everything below a folder, breadth first; links are followed.

    A folder that cannot be listed comes before a file that cannot be looked at.
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
        if files > MOST_FILES:
            raise ServingError(
                Code.RESOURCE_EXHAUSTED,
                f"{printable(path)} has more than {MOST_FILES} files: look for links in a circle",
            )
    if failure:
        raise failure
