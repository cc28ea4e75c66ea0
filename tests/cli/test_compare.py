"""``connect --compare``, ``--profile`` and ``--revocation``: how the server's certificates are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from jsonschema import Draft202012Validator
from responder import Authority, authority

from pellucid.identity import Credential
from pellucid.identity.lab import Laboratory
from pellucid.trace.json import schema

Pellucid = Callable[..., Any]
Serve = Callable[..., int]

ALL = "web,private,openssl,python"


def said(text: str) -> str:
    """Without line breaks."""
    return " ".join(text.split())


def comparison(text: str) -> str:
    """What stands at the end."""
    return said(text.partition("What verifiers say of the server's certificates:")[2])


class Internal:
    """A root and a leaf without keyUsage and key identifiers: OpenSSL takes them, strict verifiers do not."""

    def __init__(self, folder: Path) -> None:
        now = datetime.now(UTC)
        keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
        root_name, leaf_name = (
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
            for name in ("Internal CA", "localhost")
        )

        def begin(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
            builder = x509.CertificateBuilder(
                root_name, subject, key.public_key(), x509.random_serial_number()
            )
            day = timedelta(days=1)
            return builder.not_valid_before(now - day).not_valid_after(now + 30 * day)

        self.root = (
            begin(root_name, keys[0])
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(keys[0], hashes.SHA256())
        )
        leaf = (
            begin(leaf_name, keys[1])
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(keys[0], hashes.SHA256())
        )
        self.credential = Credential.from_objects([leaf], keys[1])
        self.root_file = folder / "internal.pem"
        self.root_file.write_bytes(self.root.public_bytes(serialization.Encoding.PEM))


@pytest.fixture(scope="module")
def internal(tmp_path_factory: pytest.TempPathFactory) -> Internal:
    return Internal(tmp_path_factory.mktemp("internal"))


# -- compare


@pytest.mark.parametrize("protocol", ["TLSv1.3", "TLSv1.2"])
def test_what_all_accept_exits_0(pellucid: Pellucid, server: Serve, files: Any, protocol: str) -> None:
    target = f"localhost:{server(protocols=[protocol])}"
    ran = pellucid("connect", target, "--cafile", files.root, "--compare", ALL)
    assert ran.code == 0
    told = comparison(ran.out)
    assert "web ✓ accepts it (3 certificates" in told
    assert "python ✓ accepts it (as web)" in told


def test_what_one_would_refuse_exits_10_though_it_is_connected(
    pellucid: Pellucid, server: Serve, internal: Internal
) -> None:
    target = f"localhost:{server(credentials=[internal.credential])}"
    arguments = ["connect", target, "--cafile", internal.root_file, "--profile", "private"]
    ran = pellucid(*arguments, "--compare", "openssl,python")
    assert ran.code == 10
    assert "✓ connected" in ran.out
    told = comparison(ran.out)
    assert "openssl ✓ accepts it" in told
    assert "python ✗ refuses it by strict_constraints" in told
    assert "web" not in told
    assert pellucid(*arguments, "--compare", "openssl").code == 0


def test_a_refusal_is_compared_and_keeps_its_exit_code(
    pellucid: Pellucid, server: Serve, internal: Internal
) -> None:
    target = f"localhost:{server(credentials=[internal.credential])}"
    ran = pellucid("connect", target, "--cafile", internal.root_file, "--compare", ALL)
    assert ran.code == 5
    told = comparison(ran.out)
    assert "private ✓ accepts it" in told
    assert "web ✗ refuses it" in told


def test_the_trace_has_the_paths_once(pellucid: Pellucid, server: Serve, files: Any) -> None:
    target = f"localhost:{server()}"
    for root in (files.root, files.stranger_root):
        ran = pellucid("connect", target, "--cafile", root, "--compare", ALL, "--json", "-")
        Draft202012Validator(schema()).validate(ran.document)
        (paths,) = [event for event in ran.document["events"] if event["kind"] == "paths"]
        assert [verdict["profile"] for verdict in paths["verdicts"]] == ALL.split(",")
        assert paths["whose"] == "server"
        assert paths["candidates"][0]["checks"]


def test_who_does_not_ask_gets_no_paths_of_what_went_well(
    pellucid: Pellucid, server: Serve, files: Any
) -> None:
    ran = pellucid("connect", f"localhost:{server()}", "--cafile", files.root, "--json", "-")
    assert not [event for event in ran.document["events"] if event["kind"] == "paths"]


def test_a_refusal_tells_the_paths_in_any_case(pellucid: Pellucid, server: Serve, files: Any) -> None:
    ran = pellucid("connect", f"localhost:{server()}", "--cafile", files.stranger_root)
    told = said(ran.out)
    assert "goes through the candidate paths" in told
    assert 'path "CN=localhost" > "CN=Pellucid Laboratory Intermediate"' in told
    assert "python refuses it by trust" in told


def test_without_certificates_there_is_nothing_to_compare(pellucid: Pellucid, peer: Any) -> None:
    port = peer(lambda connection: connection.recv(65536))
    ran = pellucid("connect", f"127.0.0.1:{port}", "--compare", ALL)
    assert ran.code == 4
    assert "No certificates came that could be compared." in ran.out


def test_rsa_key_exchange_is_compared_by_what_it_needs(
    pellucid: Pellucid, server: Serve, laboratory: Laboratory, files: Any
) -> None:
    suite = "TLS_RSA_WITH_AES_128_GCM_SHA256"
    port = server(credentials=[laboratory.credential("rsa")], cipher_suites=[suite])
    ran = pellucid(
        "connect", f"localhost:{port}", "--cafile", files.root, "--suite", suite, "--compare", "web", "-v"
    )
    assert ran.code == 0
    assert "encryption_key" in ran.out


@pytest.mark.parametrize("profiles", ["", "safari", "web,,openssl", "WEB"])
def test_a_profile_that_is_none_exits_2(pellucid: Pellucid, profiles: str) -> None:
    assert pellucid("connect", "localhost:1", "--compare", profiles).code == 2


# -- revocation


@pytest.fixture
def responding() -> Iterator[Authority]:
    with authority() as one:
        yield one


def test_a_list_that_has_the_certificate_exits_5(
    pellucid: Pellucid, server: Serve, laboratory: Laboratory, files: Any, tmp_path: Path
) -> None:
    issued = laboratory.issue(names=("localhost", "withdrawn.example"))
    target = f"localhost:{server(credentials=[issued.credential])}"
    crl = tmp_path / "one.crl"
    for revoked, code in (([issued.certificate], 5), ([], 0)):
        crl.write_bytes(laboratory.revocation_list(revoked))
        ran = pellucid("connect", target, "--cafile", files.root, "--crl", crl)
        assert ran.code == code
        assert ("certificate_revoked" in ran.out) == (code == 5)


@pytest.mark.parametrize("level, code", [("soft", 0), ("hard", 5), ("staple", 0), ("off", 0)])
def test_no_answer_is_one_for_those_who_insist(
    pellucid: Pellucid, server: Serve, files: Any, level: str, code: int
) -> None:
    ran = pellucid("connect", f"localhost:{server()}", "--cafile", files.root, "--revocation", level)
    assert ran.code == code


def test_authorities_are_asked_if_one_likes(
    pellucid: Pellucid, server: Serve, laboratory: Laboratory, files: Any, responding: Authority
) -> None:
    issued = laboratory.issue(names=("localhost",), ocsp_url=responding.url)
    target = f"localhost:{server(credentials=[issued.credential])}"
    arguments = ["connect", target, "--cafile", files.root]
    responding.answer = lambda _serial: laboratory.ocsp_response(issued.certificate, "revoked")
    assert pellucid(*arguments).code == 0
    assert responding.requests == []
    ran = pellucid(*arguments, "--fetch-status")
    assert ran.code == 5
    assert "id certificate_revoked" in ran.out
    assert len(responding.requests) == 1


@pytest.mark.parametrize("level", ["off", "staple"])
def test_what_nobody_would_ask_exits_2(pellucid: Pellucid, level: str) -> None:
    ran = pellucid("connect", "localhost:1", "--revocation", level, "--fetch-status")
    assert ran.code == 2
    assert f"--revocation {level}" in ran.err


def test_a_list_that_is_none_exits_2(pellucid: Pellucid, files: Any) -> None:
    ran = pellucid("connect", "localhost:1", "--crl", files.root)
    assert ran.code == 2
    assert "bad_certificate_file" in ran.out
