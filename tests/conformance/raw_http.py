"""Sends the raw HTTP bytes of a case, and reads all replies on the connection."""

from __future__ import annotations

import base64
import re
import socket
import time
from typing import Any

from conformance.case import Step
from conformance.exchange import Observation
from conformance.server_under_test import ServerUnderTest

MIN_REPLY_SECONDS = 30.0
"""Lower bound for the first byte where a reply was recorded: the machine may be busy."""
NO_REPLY_SECONDS = 10.0
"""Wait for the first byte where no reply was recorded."""
QUIET_SECONDS = 1.5
"""Silence after which no further reply is expected on an open connection."""
WITHOUT_BODY = re.compile(rb"HTTP/\S+ (1\d\d|204|304)\b")
LENGTH = re.compile(rb"(?im)^content-length: *(\d+)")


def exchange(server: ServerUnderTest, step: Step) -> Observation:
    """Returns all replies, and the final state of the connection: `open`, `closed` or `reset`."""
    minimum = MIN_REPLY_SECONDS if step["replies"] else 0
    timeout = max(step.get("timeout_s", NO_REPLY_SECONDS), minimum)
    data, end = b"", "open"
    with socket.create_connection(("127.0.0.1", server.ports["rest"]), timeout) as connection:
        try:
            send(connection, step)
            while received := connection.recv(65536):
                data += received
                connection.settimeout(step.get("quiet_s", QUIET_SECONDS))
            end = "closed"
        except TimeoutError:
            pass
        except (ConnectionResetError, BrokenPipeError):
            end = "reset"
    return {"replies": [read(*reply, server) for reply in split(data)], "end": end}


def send(connection: socket.socket, step: Step) -> None:
    for part in step["http_raw"]:
        if isinstance(part, str):
            connection.sendall(part.encode())
        elif "b64" in part:
            connection.sendall(base64.b64decode(part["b64"]))
        else:
            time.sleep(part["pause_s"])
    if step.get("half_close"):
        connection.shutdown(socket.SHUT_WR)


def split(data: bytes) -> list[tuple[bytes, bytes]]:
    """Splits the bytes of a connection into the head and body of each reply."""
    replies = []
    while data:
        head, blank_line, rest = data.partition(b"\r\n\r\n")
        if not blank_line or not head.startswith(b"HTTP/"):
            return [*replies, (b"(not HTTP)", data)]
        size = LENGTH.search(head)
        length = int(size[1]) if size else len(rest)
        if WITHOUT_BODY.match(head):
            length = 0
        replies.append((head, rest[:length]))
        data = rest[length:]
    return replies


def read(head: bytes, body: bytes, server: ServerUnderTest) -> dict[str, Any]:
    """Returns the recorded fields of a reply, without its date; a correct length is `(right)`."""
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    headers.pop("date", None)
    if headers.get("content-length") == str(len(body)):
        headers["content-length"] = "(right)"
    text = server.folder.mask_paths(body.decode("utf-8", "replace"))
    return {"status": status, "headers": headers, "body": text}
