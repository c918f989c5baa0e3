"""Configuration files: protobuf's text form, read as TensorFlow Serving reads it."""

from __future__ import annotations

import errno
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_serving.config import model_server_config_pb2

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.files import io_error, local_path, printable

M = TypeVar("M", bound=Message)


def read(path: str) -> model_server_config_pb2.ModelServerConfig:
    """The content of a `--model_config_file`.

    Raises:
        ServingError: It cannot be read, or is none.
    """
    return read_into(path, model_server_config_pb2.ModelServerConfig())


def read_into(path: str, message: M) -> M:
    """The message, filled from a file.

    Raises:
        ServingError: The file cannot be read, or is no text of such a message.
    """
    try:
        content = local_path(path).read_bytes()
    except IsADirectoryError as error:  # it can be opened there, but not mapped into memory
        raise io_error(path, errno.ENODEV) from error
    except OSError as error:
        raise io_error(path, error.errno or 0) from error
    if not content:  # nor can nothing; a file of a comment alone is fine
        raise io_error(path, errno.EINVAL)
    try:
        return text_format.Parse(content, message)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ServingError(
            Code.INVALID_ARGUMENT, f"Invalid protobuf file: '{printable(path)}'"
        ) from error
