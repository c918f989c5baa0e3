"""A server for tests of applications that use this client: real gRPC, no TensorFlow, no model.

It listens on a loopback port and answers every question by arithmetic.

    with seq2sum.testing.FakeServer() as server, seq2sum.Client(server.target) as client:
        assert client.add("53+42").value == 95

With `signatures`, it serves another model than addition: a function for each signature.

It can simulate what goes wrong in production: failures (`fail`), delays, other versions and labels,
wrong answers.
"""

from seq2sum._fake_signatures import FakeSignature
from seq2sum.addition.fake_server import FakeServer, ReceivedCall

__all__ = ["FakeServer", "FakeSignature", "ReceivedCall"]
