"""Certificates for tests: two authorities, with certificates for servers and clients."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import grpc
import trustme

EXPIRED = {
    "not_before": datetime(2020, 1, 1, tzinfo=UTC),
    "not_after": datetime(2021, 1, 1, tzinfo=UTC),
}


class Certificates:
    """Certificate files in a folder, and credentials for servers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authorities = {"ours": trustme.CA(), "other": trustme.CA()}
        self.ca, self.other_ca = (
            self._file(f"{name}.pem", authority.cert_pem.bytes())
            for name, authority in self.authorities.items()
        )

    def of_client(self, authority: str = "ours", **validity: datetime) -> dict[str, Path]:
        """Returns the files of a client certificate, as arguments of `TLS`."""
        issued = self.authorities[authority].issue_cert("somebody@example.org", **validity)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        return {
            "certificate": self._file(f"client-of-{authority}.pem", chain),
            "key": self._file(f"key-of-{authority}.pem", issued.private_key_pem.bytes()),
        }

    def of_server(
        self, *names: str, mutual: bool = False, **validity: datetime
    ) -> grpc.ServerCredentials:
        """Returns credentials of a server; `mutual` requires a client certificate of ours."""
        issued = self.authorities["ours"].issue_cert(*(names or ("127.0.0.1",)), **validity)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        root = self.authorities["ours"].cert_pem.bytes() if mutual else None
        return grpc.ssl_server_credentials(
            [(issued.private_key_pem.bytes(), chain)], root, require_client_auth=mutual
        )

    def file(self, name: str, content: str) -> Path:
        """Writes a file with any content."""
        return self._file(name, content.encode())

    def _file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path
