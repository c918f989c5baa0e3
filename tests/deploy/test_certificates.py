"""`make certs`: what is in its files, how one set follows another, and what it refuses."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from deploy.tls_sets import NAMES, certs, contents, made, made_of, tool
from google.protobuf import text_format
from seq2sum_serving.configuration.ssl_pb2 import SSLConfig
from support.paths import ROOT

LEAVES = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
}


@pytest.fixture
def folder(tmp_path):
    """A set of its own."""
    return made(tmp_path / "certs")


def certificate(folder, name):
    return x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())


def extension(of, kind):
    found = of.extensions.get_extension_for_class(kind)
    return found.value, found.critical


def names(of):
    return [str(name.value) for name in extension(of, x509.SubjectAlternativeName)[0]]


def test_it_makes_the_whole_set_and_tells_until_when(tmp_path):
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


def test_whatever_holds_a_private_key_is_for_its_owner_alone(folder):
    for path in folder.iterdir():
        secret = b"PRIVATE KEY" in path.read_bytes()
        assert secret == (path.suffix in (".key", ".config"))
        assert not (secret and stat.S_IMODE(path.stat().st_mode) & 0o077), path


def test_the_authority_signs_certificates_and_no_further_authority(folder):
    ca = certificate(folder, "ca")
    assert extension(ca, x509.BasicConstraints) == (x509.BasicConstraints(True, 0), True)
    usage, critical = extension(ca, x509.KeyUsage)
    assert (usage.key_cert_sign, usage.digital_signature, critical) == (True, False, True)
    ca.verify_directly_issued_by(ca)


@pytest.mark.parametrize(("name", "purpose"), LEAVES.items(), ids=LEAVES)
def test_a_certificate_is_for_one_purpose_only(folder, name, purpose):
    ca, leaf = certificate(folder, "ca"), certificate(folder, name)
    leaf.verify_directly_issued_by(ca)
    assert isinstance(leaf.public_key().curve, ec.SECP256R1)
    assert extension(leaf, x509.BasicConstraints) == (x509.BasicConstraints(False, None), True)
    assert list(extension(leaf, x509.ExtendedKeyUsage)[0]) == [purpose]
    usage, critical = extension(leaf, x509.KeyUsage)
    assert (usage.digital_signature, usage.key_cert_sign, critical) == (True, False, True)
    signer, _ = extension(leaf, x509.AuthorityKeyIdentifier)
    assert signer.key_identifier == extension(ca, x509.SubjectKeyIdentifier)[0].digest
    assert leaf.not_valid_before_utc < datetime.now(UTC)


def test_the_server_has_the_names_that_it_is_called_by(folder, tmp_path):
    usual = ["localhost", "127.0.0.1", "::1", "serving", "serving-tls", "replica", "embedded"]
    assert set(names(certificate(folder, "server"))) == {*usual, "seq2sum-serving"}
    other = made(tmp_path / "other", "--host", "Sums.Example", "*.sums.example", "10.0.0.7")
    assert set(names(certificate(other, "server"))) == {
        "sums.example", "*.sums.example", "10.0.0.7",
    }  # fmt: skip


def test_ssl_config_is_what_the_server_reads_with_the_same_keys(folder):
    config = text_format.Parse((folder / "ssl.config").read_text(), SSLConfig())
    files = {"server_key": "server.key", "server_cert": "server.pem", "custom_ca": "ca.pem"}
    for field, name in files.items():
        assert getattr(config, field) == (folder / name).read_text()
    assert config.client_verify is True


@pytest.mark.parametrize("which", ["server", "client"])
def test_what_is_renewed_is_new_and_the_rest_is_as_before(folder, tmp_path, which):
    folder = made(tmp_path / "named", "--host", "sums.example")
    before = contents(folder)
    assert certs(folder, "--renew", which) == 0
    after = contents(folder)
    changed = {name for name in NAMES if before[name] != after[name]}
    assert changed - {"ssl.config"} == {f"{which}.pem", f"{which}.key"}
    assert ("ssl.config" in changed) == (which == "server")
    assert names(certificate(folder, "server")) == ["sums.example"]
    certificate(folder, which).verify_directly_issued_by(certificate(folder, "ca"))


def test_one_authority_follows_another_step_by_step(folder, capsys):
    def trusted():
        return x509.load_pem_x509_certificates((folder / "ca.pem").read_bytes())

    [old] = trusted()
    before = contents(folder)
    assert certs(folder, "--renew", "ca") == 0
    new, still = trusted()
    assert still == old
    assert new.subject != old.subject
    assert before["server.pem"] == contents(folder)["server.pem"]
    config = text_format.Parse((folder / "ssl.config").read_text(), SSLConfig())
    assert config.custom_ca == (folder / "ca.pem").read_text()

    assert certs(folder, "--drop-old-ca") == 2
    assert "first --renew server client, and hand the files" in capsys.readouterr().err
    assert certs(folder, "--renew", "server", "client") == 0
    for name in LEAVES:
        certificate(folder, name).verify_directly_issued_by(new)
    assert certs(folder, "--drop-old-ca") == 0
    assert trusted() == [new]
    assert certs(folder, "--drop-old-ca") == 2
    assert "there is no old one to drop" in capsys.readouterr().err


def test_what_is_there_is_not_overwritten_unasked(folder, capsys):
    before = contents(folder)
    capsys.readouterr()
    assert certs(folder) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"certs: {folder} has certificates:\n  ca      until ")
    assert "--renew server, client or ca makes new ones; --force makes everything anew" in told.err
    assert contents(folder) == before
    assert certs(folder, "--force") == 0
    assert not set(contents(folder).values()) & set(before.values())


def damaged(folder, name, content):
    path = folder / name
    path.unlink() if content is None else path.write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("notes.txt", b"", "notes.txt is not of this tool: name another folder with --out"),
        ("ca.key", None, "ca.key: No such file or directory"),
        ("client.pem", b"junk", "does not hold what `make certs` made"),
        ("server.key", "another", "server.key is not the key of server.pem"),
    ],
)
def test_a_folder_that_is_not_a_set_stays_as_it_is(folder, capsys, name, content, told):
    if content == "another":
        content = (folder / "client.key").read_bytes()
    before = contents(damaged(folder, name, content))
    assert certs(folder, "--renew", "server") == 2
    assert told in capsys.readouterr().err
    assert contents(folder) == before


def test_nothing_is_renewed_where_nothing_is(tmp_path, capsys):
    assert certs(tmp_path / "certs", "--renew", "server") == 2
    assert "ca.pem: No such file or directory" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_no_certificate_outlives_its_authority(folder, capsys):
    before = contents(folder)
    assert certs(folder, "--renew", "client", "--days", "4000") == 2
    told = capsys.readouterr().err
    assert "days left, and not 4000: name fewer with --days, or make its successor" in told
    assert contents(folder) == before


@pytest.mark.parametrize("wrong", [None, "rename"])
def test_a_set_that_cannot_be_finished_leaves_the_one_before(folder, monkeypatch, wrong):
    before, files = contents(folder), made_of.read(folder).files()
    if wrong == "rename":
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
    ("options", "told"),
    [
        (["--host", "localhost:8500"], "'localhost:8500' is no host's name or IP address (without"),
        (["--host", "https://a.example"], "'https://a.example' is no host's name"),
        (["--host", "-a"], "expected at least one argument"),
        (["--days", "0"], "'0' is no number of days from 1 on"),
        (["--days", "1.5"], "'1.5' is no number of days from 1 on"),
        (["--renew", "all"], "invalid choice: 'all'"),
        (["--renew", "server", "--force"], "not allowed with argument"),
    ],
)
def test_options_that_make_no_sense_are_told(tmp_path, capsys, options, told):
    with pytest.raises(SystemExit) as ended:
        certs(tmp_path / "certs", *options)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        certs(ROOT, "--help")
    told = capsys.readouterr().out
    for name in NAMES:
        assert name in told
    for line in ("--renew ca", "--renew server client", "--drop-old-ca"):
        assert f'make certs CERTS="{line}"' in told


def test_git_leaves_keys_alone():
    assert "/certs/" in (ROOT / ".gitignore").read_text().splitlines()
