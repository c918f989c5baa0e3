"""HTTP byte by byte: sends what a case says, and reads all replies on the connection."""

from __future__ import annotations

import base64
import re
import socket
import time
from typing import Any

from conformance.case import Step
from conformance.exchange import Seen
from conformance.subject import Subject

ANSWER_SECONDS = 30.0
"""At least, for the first byte where an answer was recorded: the machine may be busy."""
SILENCE_SECONDS = 10.0
"""The same where none was recorded."""
QUIET_SECONDS = 1.5
"""Silence after which nothing more is expected on an open connection."""
WITHOUT_BODY = re.compile(rb"HTTP/\S+ (1\d\d|204|304)\b")
LENGTH = re.compile(rb"(?im)^content-length: *(\d+)")


def exchange(subject: Subject, step: Step) -> Seen:
    """Every reply, and how the server left the connection: `open`, `closed` or `reset`."""
    least = ANSWER_SECONDS if step["replies"] else 0
    timeout = max(step.get("timeout_s", SILENCE_SECONDS), least)
    data, end = b"", "open"
    with socket.create_connection(("127.0.0.1", subject.ports["rest"]), timeout) as connection:
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
    return {"replies": [read(*reply, subject) for reply in split(data)], "end": end}


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
    """Head and body of each reply on a connection."""
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


def read(head: bytes, body: bytes, subject: Subject) -> dict[str, Any]:
    """A reply in the recorded fields: without its date, and without a length that fits."""
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    headers.pop("date", None)
    if headers.get("content-length") == str(len(body)):
        headers["content-length"] = "(right)"
    text = subject.folder.blanked(body.decode("utf-8", "replace"))
    return {"status": status, "headers": headers, "body": text}
