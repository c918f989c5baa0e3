"""Which routes an Envoy has, from its admin interface."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException

from seq2sum_serving.deployment.routers.envoy_routes import NAME

SECONDS = 2.0
"""Timeout of a request."""
MAX_BYTES = 1 << 20
_FILTER = rf"^http\..+\.rds\.{NAME}\.(version_text|update_rejected)$"
# Without the proxies of the environment, which do not reach addresses of the internal network.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes of an Envoy."""

    version: str
    """The `version_info` of the file that is in force."""
    rejected: int
    """Number of files that it rejected since it started."""


class NotAvailable(Exception):
    """Envoy did not report its routes; the message says why."""


def routes(address: str) -> Routes:
    """Returns the routes of the Envoy whose admin or metrics listener has this `host:port`.

    Raises:
        NotAvailable: It is down, or not an Envoy that reads its routes from a file.
    """
    url = f"http://{address}/stats?{urllib.parse.urlencode({'format': 'json', 'filter': _FILTER})}"
    try:
        with _OPENER.open(url, timeout=SECONDS) as reply:
            statistics = json.loads(reply.read(MAX_BYTES))["stats"]
        values = {
            each["name"].rpartition(".")[2]: each["value"]
            for each in statistics
            if "name" in each  # the last entry describes histograms
        }
    except urllib.error.HTTPError as error:
        raise NotAvailable(f"GET /stats: HTTP status {error.code}") from error
    except OSError as error:
        raise NotAvailable(_reason(error)) from error
    except (HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotAvailable("GET /stats: the reply is not the JSON of Envoy") from error
    if not values:
        raise NotAvailable(f"it has no routes with the name {NAME!r} from a file")
    return Routes(str(values.get("version_text", "")), int(values.get("update_rejected", 0)))


def _reason(error: OSError) -> str:
    """Returns the system's text of an error, without the wrapping of urllib."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return (cause.strerror if isinstance(cause, OSError) else None) or str(cause)
