"""`make certs`: the contents of its files, renewal, and rejected requests."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import tls_files
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from deploy.tls_sets import NAMES, certs, contents, create, tool
from google.protobuf import text_format
from seq2sum_serving.configuration.ssl_pb2 import SSLConfig
from support.paths import ROOT

LEAVES = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
}


@pytest.fixture
def folder(tmp_path):
    """A folder with a set of certificates and keys."""
    return create(tmp_path / "certs")


def load(folder, name):
    return x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())


def extension(certificate, kind):
    found = certificate.extensions.get_extension_for_class(kind)
    return found.value, found.critical


def names(certificate):
    return [str(name.value) for name in extension(certificate, x509.SubjectAlternativeName)[0]]


def test_the_command_creates_a_set_and_prints_expiry_dates(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "certs.py", "--days", "30"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    [heading, *lines] = done.stdout.splitlines()
    assert heading == "certs"
    assert [line.split()[0] for line in lines] == ["ca", "server", "client"]
    end = datetime.now(UTC) + timedelta(days=30)
    for line in lines[1:]:
        assert f"until {end:%Y-%m-%d} " in line
    assert list(contents(tmp_path / "certs")) == NAMES
    assert [path.name for path in tmp_path.iterdir()] == ["certs"]


def test_private_keys_are_readable_by_the_owner_only(folder):
    for path in folder.iterdir():
        secret = b"PRIVATE KEY" in path.read_bytes()
        assert secret == (path.suffix in (".key", ".config"))
        assert not (secret and stat.S_IMODE(path.stat().st_mode) & 0o077), path


def test_the_authority_cannot_sign_other_authorities(folder):
    ca = load(folder, "ca")
    assert extension(ca, x509.BasicConstraints) == (x509.BasicConstraints(True, 0), True)
    usage, critical = extension(ca, x509.KeyUsage)
    assert (usage.key_cert_sign, usage.digital_signature, critical) == (True, False, True)
    ca.verify_directly_issued_by(ca)


@pytest.mark.parametrize(("name", "purpose"), LEAVES.items(), ids=LEAVES)
def test_a_certificate_has_one_purpose(folder, name, purpose):
    ca, leaf = load(folder, "ca"), load(folder, name)
    leaf.verify_directly_issued_by(ca)
    assert isinstance(leaf.public_key().curve, ec.SECP256R1)
    assert extension(leaf, x509.BasicConstraints) == (x509.BasicConstraints(False, None), True)
    assert list(extension(leaf, x509.ExtendedKeyUsage)[0]) == [purpose]
    usage, critical = extension(leaf, x509.KeyUsage)
    assert (usage.digital_signature, usage.key_cert_sign, critical) == (True, False, True)
    signer, _ = extension(leaf, x509.AuthorityKeyIdentifier)
    assert signer.key_identifier == extension(ca, x509.SubjectKeyIdentifier)[0].digest
    assert leaf.not_valid_before_utc < datetime.now(UTC)


def test_the_server_certificate_has_all_host_names(folder, tmp_path):
    default = ["localhost", "127.0.0.1", "::1", "serving", "serving-tls", "replica", "embedded"]
    assert set(names(load(folder, "server"))) == {*default, "seq2sum-serving"}
    other = create(tmp_path / "other", "--host", "Sums.Example", "*.sums.example", "10.0.0.7")
    assert set(names(load(other, "server"))) == {
        "sums.example", "*.sums.example", "10.0.0.7",
    }  # fmt: skip


def test_ssl_config_contains_the_pem_files(folder):
    config = text_format.Parse((folder / "ssl.config").read_text(), SSLConfig())
    files = {"server_key": "server.key", "server_cert": "server.pem", "custom_ca": "ca.pem"}
    for field, name in files.items():
        assert getattr(config, field) == (folder / name).read_text()
    assert config.client_verify is True


@pytest.mark.parametrize("which", ["server", "client"])
def test_renew_replaces_one_certificate_and_keeps_the_rest(folder, tmp_path, which):
    folder = create(tmp_path / "named", "--host", "sums.example")
    before = contents(folder)
    assert certs(folder, "--renew", which) == 0
    after = contents(folder)
    changed = {name for name in NAMES if before[name] != after[name]}
    assert changed - {"ssl.config"} == {f"{which}.pem", f"{which}.key"}
    assert ("ssl.config" in changed) == (which == "server")
    assert names(load(folder, "server")) == ["sums.example"]
    load(folder, which).verify_directly_issued_by(load(folder, "ca"))


def test_an_authority_is_replaced_in_three_steps(folder, capsys):
    def trusted():
        return x509.load_pem_x509_certificates((folder / "ca.pem").read_bytes())

    [old] = trusted()
    before = contents(folder)
    assert certs(folder, "--renew", "ca") == 0
    new, previous = trusted()
    assert previous == old
    assert new.subject != old.subject
    assert before["server.pem"] == contents(folder)["server.pem"]
    config = text_format.Parse((folder / "ssl.config").read_text(), SSLConfig())
    assert config.custom_ca == (folder / "ca.pem").read_text()

    assert certs(folder, "--drop-old-ca") == 2
    assert "first run --renew server client and distribute the files" in capsys.readouterr().err
    assert certs(folder, "--renew", "server", "client") == 0
    for name in LEAVES:
        load(folder, name).verify_directly_issued_by(new)
    assert certs(folder, "--drop-old-ca") == 0
    assert trusted() == [new]
    assert certs(folder, "--drop-old-ca") == 2
    assert "there is no previous one to drop" in capsys.readouterr().err


def test_existing_files_are_not_overwritten_without_force(folder, capsys):
    before = contents(folder)
    capsys.readouterr()
    assert certs(folder) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"certs: {folder} has certificates already:\n  ca      until ")
    assert "renew them with --renew server, client or ca" in captured.err
    assert contents(folder) == before
    assert certs(folder, "--force") == 0
    assert not set(contents(folder).values()) & set(before.values())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "notes.txt",
            b"",
            "notes.txt is not a file of this tool: choose another folder with --out",
        ),
        ("ca.key", None, "ca.key: No such file or directory"),
        ("client.pem", b"junk", "does not contain files of `make certs`"),
        ("server.key", "another", "server.key is not the key of server.pem"),
    ],
)
def test_a_folder_without_a_valid_set_is_not_changed(folder, capsys, name, content, message):
    if content == "another":
        content = (folder / "client.key").read_bytes()
    path = folder / name
    path.unlink() if content is None else path.write_bytes(content)
    before = contents(folder)
    assert certs(folder, "--renew", "server") == 2
    assert message in capsys.readouterr().err
    assert contents(folder) == before


def test_renew_without_a_set_fails(tmp_path, capsys):
    assert certs(tmp_path / "certs", "--renew", "server") == 2
    assert "ca.pem: No such file or directory" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_certificate_cannot_expire_after_its_authority(folder, capsys):
    before = contents(folder)
    assert certs(folder, "--renew", "client", "--days", "4000") == 2
    message = capsys.readouterr().err
    assert "before the certificate would in 4000: use fewer --days" in message
    assert contents(folder) == before


@pytest.mark.parametrize("failure", ["content", "rename"])
def test_a_failure_keeps_the_previous_set(folder, monkeypatch, failure):
    before, files = contents(folder), tls_files.read(folder).files()
    if failure == "rename":
        real = os.rename

        def rename(source, target):
            if source.name == "new":  # the last step
                raise OSError(28, "No space left on device")
            real(source, target)

        monkeypatch.setattr(os, "rename", rename)
    else:
        files["ssl.config"] = None
    with pytest.raises((OSError, TypeError)):
        tool.publish(files, folder)
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["certs"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--host", "localhost:8500"],
            "invalid host 'localhost:8500': expected a host name or an IP address",
        ),
        (["--host", "https://a.example"], "invalid host 'https://a.example'"),
        (["--host", "-a"], "expected at least one argument"),
        (["--days", "0"], "invalid number of days '0': expected 1 or more"),
        (["--days", "1.5"], "invalid number of days '1.5'"),
        (["--renew", "all"], "invalid choice: 'all'"),
        (["--renew", "server", "--force"], "not allowed with argument"),
    ],
)
def test_invalid_options_exit_with_2(tmp_path, capsys, options, message):
    with pytest.raises(SystemExit) as ended:
        certs(tmp_path / "certs", *options)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_help_lists_files_and_steps(capsys):
    with pytest.raises(SystemExit):
        certs(ROOT, "--help")
    out = capsys.readouterr().out
    for name in NAMES:
        assert name in out
    for line in ("--renew ca", "--renew server client", "--drop-old-ca"):
        assert f'make certs CERTS="{line}"' in out


def test_git_ignores_the_certificates():
    assert "/certs/" in (ROOT / ".gitignore").read_text().splitlines()


def test_folder_that_docker_created_instead_of_a_file_is_reported(tmp_path, capsys):
    """Docker creates one, as root, for the missing source of a mount in the short form."""
    folder = tmp_path / "certs"
    (folder / "ssl.config").mkdir(parents=True)
    assert certs(folder, "--force") == 2
    assert capsys.readouterr().err == (
        f"certs: {folder}/ssl.config is a folder, which a container engine creates instead of a "
        f"missing file: remove it with sudo rm -r {folder}/ssl.config\n"
    )
    assert (folder / "ssl.config").is_dir()
