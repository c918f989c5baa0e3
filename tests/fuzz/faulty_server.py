"""A small server with a planted fault, for the tests of the fuzzer: `--fault=NAME`.

It adds questions, returns its input tensors over gRPC and REST, and starts without TensorFlow.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from seq2sum.protocol import predict_pb2

FAULTS = (
    "none",
    "loses trailing NULs",
    "answers 500",
    "answers INTERNAL",
    "shows an exception",
    "echoes everything",
    "dies",
    "mixes up callers",
    "logs a traceback",
    "never answers",
    "refuses everything",
)
TRIGGER = b"trigger"
"""Only inputs that contain this trigger a fault, except `refuses everything`."""


class Model:
    """Replies over gRPC and REST."""

    def __init__(self, fault: str) -> None:
        self._fault, self._mixed_up = fault, False

    def has(self, fault: str, request: bytes) -> bool:
        return self._fault == fault and TRIGGER in request

    def answer(self, data: bytes) -> predict_pb2.PredictResponse:
        """Returns the sums of questions, or the input x as y."""
        if self.has("dies", data):
            os._exit(3)
        self._mixed_up |= self.has("mixes up callers", data)
        request = predict_pb2.PredictRequest.FromString(data)
        reply = predict_pb2.PredictResponse()
        if "questions" in request.inputs:
            for question in request.inputs["questions"].string_val:
                total = sum(map(int, question.split(b"+"))) + self._mixed_up
                reply.outputs["answers"].string_val.append(b"%d" % total)
        else:
            reply.outputs["y"].CopyFrom(request.inputs["x"])
            if self.has("loses trailing NULs", data):
                shortened = [value.rstrip(b"\0") for value in request.inputs["x"].string_val]
                reply.outputs["y"].string_val[:] = shortened
        return reply

    def grpc(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        if self._fault == "refuses everything" and b"questions" not in data:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
        if self.has("answers INTERNAL", data):
            context.abort(grpc.StatusCode.INTERNAL, "it broke")
        if self.has("shows an exception", data):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "KeyError: 'y'")
        if self.has("logs a traceback", data):
            print("Traceback (most recent call last):\n  File\nValueError: no", flush=True)
        if self.has("never answers", data):
            threading.Event().wait()
        return self.answer(data).SerializeToString()

    def rest(self, body: bytes) -> tuple[int, Any]:
        if self.has("answers 500", body):
            return 500, {"error": "it broke"}
        if self.has("echoes everything", body):
            return 400, {"error": "1 " * 50_000}
        try:
            request = json.loads(body)
        except ValueError:
            return 400, {"error": "JSON Parse error"}
        return 200, {"predictions": request.get("instances")}


def handler(model: Model) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, reply = model.rest(body)
            data = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--fault", choices=FAULTS, default="none")
    parser.add_argument("--port", type=int)
    parser.add_argument("--rest_api_port", type=int)
    options, _ = parser.parse_known_args()
    model = Model(options.fault)
    server = grpc.server(futures.ThreadPoolExecutor(8))
    method = grpc.unary_unary_rpc_method_handler(model.grpc)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(
            "tensorflow.serving.PredictionService", {"Predict": method}
        )]
    )  # fmt: skip
    server.add_insecure_port(f"127.0.0.1:{options.port}")
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    http = ThreadingHTTPServer(("127.0.0.1", options.rest_api_port), handler(model))
    http.serve_forever()


if __name__ == "__main__":
    main()
