"""Certificates for development: an authority, and a server and a client that it vouches for.

Run by `make certs`. A set is made whole beside its folder and takes its place by rename: nobody
ever finds a certificate without its key. In production an authority of your own issues them, and
its key is nowhere near the servers; here it lies beside them, so that they can be renewed.
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

from authority import TooLong, Validity
from tls_files import HOSTS, NAMES, Certificates, Refused, new, read, renewed, without_older

DESCRIPTION = """\
Makes what TLS in both directions needs on one machine: an authority of its own, a certificate for
servers and one for clients, and the file that TensorFlow Serving reads.

  ca.pem                  who is trusted: for clients (--ca); the server has it in ssl.config
  server.pem  server.key  the server, for Envoy and others that read files
  ssl.config              the server, for --ssl_config_file, which wants PEM text and no paths
  client.pem  client.key  a client, for --cert and --key
  ca.key                  signs the next ones: keep it away from servers and images
"""
EXAMPLES = """\
examples:
  make certs                                         everything, once
  make certs CERTS="--renew server"                  a new server certificate of the same authority
  make certs CERTS="--host sums.example 10.0.0.7"    for other names and addresses
  make certs CERTS="--days 30 --force"               everything anew, the authority too

one authority after another, without a failed call; after each step hand the files to everybody:
  make certs CERTS="--renew ca"                      ca.pem and ssl.config trust both
  make certs CERTS="--renew server client"           certificates of the new one
  make certs CERTS="--drop-old-ca"                   nobody trusts the old one any longer

exit codes: 0 done, 2 nothing was done, and why
"""
HOST_NAME = re.compile(
    r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
    re.IGNORECASE,
)
DAYS = 365
SECRET, PUBLIC = 0o600, 0o644
NOTHING_DONE = 2


def wanted(chosen: argparse.Namespace) -> Certificates:
    """The set that the command line asks for.

    Raises:
        Refused: It would overwrite what nobody gave up, or there is nothing to renew.
        TooLong: A certificate would outlive its authority.
    """
    folder, validity = chosen.out, Validity(datetime.now(UTC), chosen.days)
    there = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if foreign := [name for name in there if name not in NAMES]:
        raise Refused(f"{folder}/{foreign[0]} is not of this tool: name another folder with --out")
    if chosen.drop_old_ca:
        return without_older(read(folder))
    if chosen.renew:
        return renewed(read(folder), chosen.renew, validity, chosen.host)
    if there and not chosen.force:
        raise Refused(
            f"{folder} has certificates:\n{read(folder).summary()}\n--renew server, client or ca "
            "makes new ones; --force makes everything anew, and no old client is trusted then"
        )
    return new(validity, chosen.host)


def publish(files: Mapping[str, bytes], folder: Path) -> None:
    """Puts the whole set in place at once; if that fails, what was there is there."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        made, before = aside / "new", aside / "before"
        made.mkdir()
        for name, content in files.items():
            path = made / name
            path.touch(SECRET if b"PRIVATE KEY" in content else PUBLIC)
            path.write_bytes(content)
        if folder.exists():
            os.rename(folder, before)
        try:
            os.rename(made, folder)
        except BaseException:
            if before.exists():
                os.rename(before, folder)
            raise
    finally:
        shutil.rmtree(aside)


def host(text: str) -> str:
    """A host's name or address, without a port."""
    try:
        return str(ip_address(text))
    except ValueError:
        if HOST_NAME.fullmatch(text):
            return text.lower()
    raise argparse.ArgumentTypeError(f"{text!r} is no host's name or IP address (without a port)")


def days(text: str) -> int:
    """From 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 1 on")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="certs",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--out", type=Path, default=Path("certs"), metavar="DIR", help="where to (default: certs)"
    )
    made.add_argument(
        "--days",
        type=days,
        default=DAYS,
        metavar="N",
        help="how long the server's and the client's are good for (default: %(default)s)",
    )
    made.add_argument(
        "--host",
        type=host,
        nargs="+",
        metavar="NAME",
        help="names and IP addresses that clients call the servers by (default: "
        f"{' '.join(HOSTS)}; with --renew those of before)",
    )
    what = made.add_mutually_exclusive_group()
    what.add_argument(
        "--renew",
        nargs="+",
        choices=("server", "client", "ca"),
        help="make these anew and keep the rest",
    )
    what.add_argument("--drop-old-ca", action="store_true", help="trust the newest authority only")
    what.add_argument("--force", action="store_true", help="make everything anew")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the files; gives back the exit code."""
    chosen = parser().parse_args(arguments)
    try:
        certificates = wanted(chosen)
        publish(certificates.files(), chosen.out)
    except (Refused, TooLong) as error:
        print(f"certs: {error}", file=sys.stderr)
        return NOTHING_DONE
    except OSError as error:
        print(f"certs: cannot write {chosen.out}: {error.strerror}", file=sys.stderr)
        return NOTHING_DONE
    print(f"{chosen.out}\n{certificates.summary()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
