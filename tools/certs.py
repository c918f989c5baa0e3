"""Creates certificates for development: an authority, and a server and a client signed by it.

Run by `make certs`. A set is created in a temporary folder and renamed, so that a certificate never
exists without its key. In production, use an authority whose key is not stored next to the servers.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from authority import Validity, ValidityTooLong
from tls_files import HOSTS, NAMES, Certificates, Refused, new, read, renewed, without_older

DESCRIPTION = """\
Creates what mutual TLS needs on one machine: an authority, a certificate for servers and one for
clients, and the configuration file of TensorFlow Serving.

  ca.pem                  trusted authorities: for clients (--ca); ssl.config contains it too
  server.pem  server.key  the server, for Envoy and others that read PEM files
  ssl.config              the server, for --ssl_config_file, which takes PEM text instead of paths
  client.pem  client.key  a client, for --cert and --key
  ca.key                  signs further certificates: keep it away from servers and images
"""
EXAMPLES = """\
examples:
  make certs                                         create everything
  make certs CERTS="--renew server"                  a new server certificate of the same authority
  make certs CERTS="--host sums.example 10.0.0.7"    for other names and addresses
  make certs CERTS="--days 30 --force"               replace everything, including the authority

replace the authority without a failed call; distribute the files after each step:
  make certs CERTS="--renew ca"                      ca.pem and ssl.config trust both
  make certs CERTS="--renew server client"           certificates of the new authority
  make certs CERTS="--drop-old-ca"                   trust the new authority only

exit codes: 0 done; 2 invalid request or failed write, nothing was changed
"""
HOST_NAME = re.compile(
    r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
    re.IGNORECASE,
)
DAYS = 365
SECRET, PUBLIC = 0o600, 0o644
USAGE_ERROR = 2


def create(options: argparse.Namespace) -> Certificates:
    """Returns the set of certificates that the command line requests.

    Raises:
        Refused: It would overwrite existing files, or there is nothing to renew.
        ValidityTooLong: A certificate would expire after its authority.
    """
    folder, validity = options.out, Validity(datetime.now(UTC), options.days)
    existing = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if foreign := [name for name in existing if name not in NAMES]:
        raise Refused(
            f"{folder}/{foreign[0]} is not a file of this tool: choose another folder with --out"
        )
    if folders := [name for name in existing if (folder / name).is_dir()]:
        raise Refused(
            f"{folder}/{folders[0]} is a folder, which a container engine creates instead of a "
            f"missing file: remove it with sudo rm -r {folder}/{folders[0]}"
        )
    if options.drop_old_ca:
        return without_older(read(folder))
    if options.renew:
        return renewed(read(folder), options.renew, validity, options.host)
    if existing and not options.force:
        raise Refused(
            f"{folder} has certificates already:\n{read(folder).summary()}\n"
            "renew them with --renew server, client or ca, or replace everything with --force; "
            "then existing clients are not trusted"
        )
    return new(validity, options.host)


def publish(files: Mapping[str, bytes], folder: Path) -> None:
    """Replaces the folder by a set of files; if that fails, the folder is unchanged."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        new, previous = temporary / "new", temporary / "previous"
        new.mkdir()
        for name, content in files.items():
            path = new / name
            path.touch(SECRET if b"PRIVATE KEY" in content else PUBLIC)
            path.write_bytes(content)
        if folder.exists():
            os.rename(folder, previous)
        try:
            os.rename(new, folder)
        except BaseException:
            if previous.exists():
                os.rename(previous, folder)
            raise
    finally:
        shutil.rmtree(temporary)


def host(text: str) -> str:
    """Parses a host name or an IP address."""
    try:
        return str(ip_address(text))
    except ValueError:
        if HOST_NAME.fullmatch(text):
            return text.lower()
    raise argparse.ArgumentTypeError(
        f"invalid host {text!r}: expected a host name or an IP address, without a port"
    )


def days(text: str) -> int:
    """Parses a number of days."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"invalid number of days {text!r}: expected 1 or more")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="certs",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument(
        "--out",
        type=Path,
        default=Path("certs"),
        metavar="DIR",
        help="the folder for the files (default: certs)",
    )
    top.add_argument(
        "--days",
        type=days,
        default=DAYS,
        metavar="N",
        help="validity of the server's and the client's certificate (default: %(default)s)",
    )
    top.add_argument(
        "--host",
        type=host,
        nargs="+",
        metavar="NAME",
        help="host names and IP addresses of the servers (default: "
        f"{' '.join(HOSTS)}; with --renew the previous ones)",
    )
    action = top.add_mutually_exclusive_group()
    action.add_argument(
        "--renew",
        nargs="+",
        choices=("server", "client", "ca"),
        help="replace these and keep the rest",
    )
    action.add_argument(
        "--drop-old-ca", action="store_true", help="trust the newest authority only"
    )
    action.add_argument("--force", action="store_true", help="replace everything")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Creates the files, and returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        certificates = create(options)
        publish(certificates.files(), options.out)
    except (Refused, ValidityTooLong) as error:
        print(f"certs: {error}", file=sys.stderr)
        return USAGE_ERROR
    except OSError as error:
        print(f"certs: cannot write {options.out}: {error.strerror}", file=sys.stderr)
        return USAGE_ERROR
    print(f"{options.out}\n{certificates.summary()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
