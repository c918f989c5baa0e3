"""TLS of the server, from an SSLConfig."""

from __future__ import annotations

import grpc
import pytest
import seq2sum
from google.protobuf import text_format
from seq2sum_serving.configuration.ssl_pb2 import SSLConfig
from support.certificates import Certificates
from support.raw_requests import predict_request
from tensorflow_serving.apis import prediction_service_pb2_grpc

pytestmark = [pytest.mark.tensorflow, pytest.mark.server]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def ssl_config(certificates, tmp_path):
    """Writes an SSLConfig, and returns the flag for it."""

    def write(**changes):
        issued = certificates.authorities["ours"].issue_cert("127.0.0.1", "localhost")
        fields = {
            "server_key": issued.private_key_pem.bytes().decode(),
            "server_cert": b"".join(blob.bytes() for blob in issued.cert_chain_pems).decode(),
        }
        path = tmp_path / "ssl.txt"
        path.write_text(text_format.MessageToString(SSLConfig(**fields | changes)))
        return f"--ssl_config_file={path}"

    return write


def predict(target, root, *, key=None, certificate=None):
    """Calls Predict through a stock stub over TLS."""
    files = [path.read_bytes() if path else None for path in (root, key, certificate)]
    with grpc.secure_channel(target, grpc.ssl_channel_credentials(*files)) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        return stub.Predict(predict_request("3+4"), timeout=60)


def test_tls_server_refuses_other_authorities_and_plain_text(
    start_server, base_path, certificates, ssl_config
):
    server = start_server(base_path, flags=[ssl_config()])
    assert predict(server.target, certificates.ca).outputs
    with seq2sum.Client(server.target, tls=seq2sum.TLS(ca=certificates.ca)) as client:
        assert client.add("3+4").value == 7
    with pytest.raises(grpc.RpcError) as caught:
        predict(server.target, certificates.other_ca)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    with grpc.insecure_channel(server.target) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError):
            stub.Predict(predict_request("3+4"), timeout=60)


def test_client_verify_requires_a_client_certificate(
    start_server, base_path, certificates, ssl_config, tmp_path
):
    flag = ssl_config(custom_ca=certificates.ca.read_text(), client_verify=True)
    socket = tmp_path / "socket"
    server = start_server(base_path, flags=[flag, f"--grpc_socket_path={socket}"])
    ours = certificates.of_client()
    assert predict(server.target, certificates.ca, **ours).outputs
    for wrong in ({}, certificates.of_client("other")):
        with pytest.raises(grpc.RpcError):
            predict(server.target, certificates.ca, **wrong)
    # The socket requires TLS as well.
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError):
            stub.Predict(predict_request("3+4"), timeout=60)


@pytest.mark.embedded
def test_invalid_tls_configuration_fails_the_start(start_server, base_path, ssl_config):
    # tensorflow_model_server aborts here, after it has loaded the models.
    flag = ssl_config(server_cert="/etc/cert.pem")
    server = start_server(base_path, wait=False, flags=[flag])
    code, line = server.wait_for_exit()
    assert code == 255
    assert line.startswith("Failed to start server. Error: INVALID_ARGUMENT: --ssl_config_file: ")
