"""The versions that callers of one server get, by the ways in which they call it.

A call that names neither a version nor a label is answered by the highest AVAILABLE version
(`ServableRequest::Latest` in tensorflow/serving's model_servers/server_core.cc).
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException

from seq2sum_serving.deployment.plain_text import one_line

MAX_BYTES = 1 << 22
"""Limit of a reply with metadata."""
REST_SECONDS = 3.0
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Ignores the proxies of the environment: servers are reached directly."""

Found = int | str
"""The version that answers, or the error of the call."""


@dataclass(frozen=True, slots=True)
class CallerVersions:
    """The versions that callers of one server get."""

    labelled: Found
    """With the label `stable`."""
    unlabelled: Found
    """Without a label or a version."""
    rest: Found | None = None
    """By REST, without a label or a version; None if no REST API was asked, or answered."""
    no_rest: str = ""
    """Why `rest` is None."""


def ask_rest(address: str, model: str) -> tuple[Found | None, str]:
    """Returns the version that answers a REST call for metadata, and why there is none.

    Args:
        address: `host:port` of the REST API.
        model: Name of the model.

    Returns:
        The version, or the error that the API replied; None if there is no such API, with the
        reason.
    """
    url = f"http://{address}/v1/models/{urllib.parse.quote(model, safe='')}/metadata"
    try:
        with _direct.open(url, timeout=REST_SECONDS) as reply:
            return int(json.loads(reply.read(MAX_BYTES))["model_spec"]["version"]), ""
    except urllib.error.HTTPError as error:
        with error:
            return _refusal(error, address)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        why = getattr(reason, "strerror", None) or str(reason) or type(error).__name__
        return None, f"no REST API at {address} ({one_line(why)})"
    except (ValueError, OverflowError, KeyError, TypeError, RecursionError):
        return None, f"no REST API of TensorFlow Serving at {address}"


def _refusal(error: urllib.error.HTTPError, address: str) -> tuple[Found | None, str]:
    try:
        text = json.loads(error.read(MAX_BYTES))["error"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError, RecursionError):
        return None, f"no REST API of TensorFlow Serving at {address}"
    return f"HTTP {error.code} {one_line(str(text))}", ""
