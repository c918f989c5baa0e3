"""A WSGI application that uses its client on import, before gunicorn forks its workers."""

from __future__ import annotations

import os
import time

import seq2sum

client = seq2sum.Client(os.environ["SEQ2SUM_TARGET"], coalescing=seq2sum.Coalescing())
answer_at_import = client.add("1+1").value


def application(environ, start_response):
    answer = client.add(environ["QUERY_STRING"]).value
    time.sleep(0.1)  # long enough that the other worker gets the next request
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {answer_at_import} {answer}".encode()]
