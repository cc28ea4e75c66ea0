"""Four profiles against those whom they speak for: pyca's verifier, `openssl verify`, and Python's ssl.

The chains are those of tests/support/chain_cases.py; differences are listed, with their ground.
"""

from __future__ import annotations

import datetime as dt
import re
import ssl
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from chain_cases import CASES, NOW, Chain, Maker
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from openssl_verify import openssl_verify, written

from pellucid.identity import TrustStore, parse_server_name
from pellucid.identity.reasoning.explain import explain
from pellucid.identity.reasoning.model import PathReport

# What "private" takes and "web" does not, and the web's rule. Nothing is the other way round.
PRIVATE_ALONE = {
    "ca_excludes_mail_of_a_host_with_a_dot": "name_constraint_forms",
    "leaf_signed_with_pss_short_salt": "signature_parameters",
    "leaf_signed_with_pss_two_hashes": "signature_parameters",
    "ca_signed_with_pss_short_salt": "signature_parameters",
    "ca_signed_with_pss_two_hashes": "signature_parameters",
    "ca_key_brainpool": "key",
    "leaf_without_key_identifiers": "authority_key_identifier",
    "ca_basic_constraints_not_critical": "basic_constraints_critical",
    "ca_without_key_usage": "ca_key_usage",
    "root_basic_constraints_not_critical": "basic_constraints_critical",
    "root_without_key_usage": "ca_key_usage",
    "leaf_that_may_issue": "leaf_signs_no_certificates",
    "leaf_that_is_a_ca": "leaf_is_no_ca",
    "leaf_without_subject": "leaf_extensions",
    "ca_permits_subdomains_with_a_dot": "name_constraint_forms",
    "ca_permits_all_names": "name_constraint_forms",
    "ca_permits_the_directory_name": "name_constraint_forms",
    "path_length_with_a_self_issued_intermediate": "path_length",
    "two_intermediates_of_one_name_and_no_identifiers": "authority_key_identifier",
    "constraints_and_a_self_issued_ca_below": "name_constraint_forms",
    "ca_permits_uri": "name_constraint_forms",
    "ca_permits_uri_domain": "name_constraint_forms",
    "ca_permits_uri_not_critically": "name_constraint_forms",
    "ca_permits_uri_domain_not_critically": "name_constraint_forms",
    "ca_constrains_names_and_one_is_no_host_name": "name_constraint_forms",
}

_USAGE = "RFC 9846 4.5.1.2 asks for digitalSignature, where there is a keyUsage"
_KEYS = "searched by rules of ours: pyca knows no such key in a CA"
# Where "web" is not what pyca's verifier says by itself.
NOT_PYCA = {
    "ca_key_ed25519": _KEYS,
    "root_key_ed25519": _KEYS,
    "ca_key_ed448": _KEYS,
    "root_key_ed448": _KEYS,
    "leaf_key_rsa_1024": "pyca looks at the keys of issuers alone",
    "leaf_that_only_enciphers": _USAGE,
    "leaf_that_only_agrees": _USAGE,
    "leaf_that_only_signs_lists": _USAGE,
    "client_without_names": "a client's names are compared with none",
    "ca_permits_another_directory_name_not_critically": "pyca passes over those on directory names",
    "self_signed_ca_that_is_trusted_as_a_leaf": "who trusts a self-signed certificate means that one",
}

# Where OpenSSL says otherwise than our rules for it: accepted by OpenSSL, in all of these.
NOT_OPENSSL = {
    "ca_excludes_uris_and_one_has_an_address": "OpenSSL takes an address in a URI for a host name; RFC 5280 "
    "4.2.1.10 has such a URI rejected",
}

# By our rule, the errors of OpenSSL that say the same (X509_V_ERR_...). It goes on and lists several.
ERRORS = {
    "trust": {2, 18, 19, 20},
    "dates": {9, 10},
    "key": {66, 67},
    "critical_extensions": {34},
    "basic_constraints": {26, 79, 82},
    "key_cert_sign": {32},
    "key_usage": {26},
    "purpose": {26},
    "path_length": {25},
    "signature": {7},
    "name": {62, 64},
    "name_constraints": {47, 48, 51, 53},
    "key_identifiers": {85, 86},
    "strict_constraints": {82, 89, 92},
    "strict_names": {88},
}

_each = pytest.mark.parametrize("name", CASES)


@pytest.fixture(scope="module")
def maker(forge: Any) -> Maker:
    return Maker(forge)


@pytest.fixture(scope="module")
def report(maker: Maker) -> Any:
    @cache
    def of(name: str) -> tuple[Chain, PathReport]:
        chain = CASES[name](maker)
        return chain, explained(chain)

    return of


def explained(chain: Chain) -> PathReport:
    trust = TrustStore.from_certificates([one.certificate for one in chain.trusted])
    name = None if chain.name is None else parse_server_name(chain.name)
    return explain([one.der for one in chain.sent], trust, chain.purpose, name, NOW)


@_each
def test_web_and_private_agree_but_for_what_is_listed(report: Any, name: str) -> None:
    verdicts = report(name)[1].verdicts
    web, private = verdicts["web"], verdicts["private"]
    if name in PRIVATE_ALONE:
        assert (private.accepted, web.accepted, web.rule) == (True, False, PRIVATE_ALONE[name])
    else:
        assert private.accepted is web.accepted, (web, private)


@_each
def test_a_refusal_names_a_rule_and_not_just_a_verifier(report: Any, name: str) -> None:
    for verdict in report(name)[1].verdicts.values():
        assert (verdict.rule == "") is verdict.accepted
        assert verdict.rule not in ("verifier", "search"), verdict


@_each
def test_web_is_what_pyca_says_but_for_what_is_listed(report: Any, name: str) -> None:
    chain, found = report(name)
    assert (found.verdicts["web"].accepted is pyca_accepts(chain)) is (name not in NOT_PYCA)


def pyca_accepts(chain: Chain) -> bool:
    if not chain.trusted:
        return False
    store = Store([one.certificate for one in chain.trusted])
    builder = PolicyBuilder().store(store).time(dt.datetime.fromtimestamp(NOW, dt.UTC))
    leaf, *others = (one.certificate for one in chain.sent)
    try:
        if chain.name is None:
            builder.build_client_verifier().verify(leaf, others)
        else:
            subject = parse_server_name(chain.name).general_name
            builder.build_server_verifier(subject).verify(leaf, others)
    except VerificationError:
        return False
    return True


@pytest.mark.peer("openssl", "openssl")
@_each
def test_openssl_is_what_openssl_verify_says(report: Any, name: str, tmp_path: Path) -> None:
    chain, found = report(name)
    accepted, said = openssl_verify(chain, tmp_path)
    assert (found.verdicts["openssl"].accepted is accepted) is (name not in NOT_OPENSSL), said
    assert accepted or errors_in(said) & ERRORS[found.verdicts["openssl"].rule], said


# Only the ssl module refuses partial wildcards (X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS): the command cannot.
@pytest.mark.peer("openssl", "openssl")
@pytest.mark.parametrize("name", sorted(CASES.keys() - {"leaf_with_a_partial_wildcard"}))
def test_python_is_what_openssl_verify_says_with_its_flags(report: Any, name: str, tmp_path: Path) -> None:
    chain, found = report(name)
    accepted, said = openssl_verify(chain, tmp_path, "-x509_strict", "-partial_chain")
    assert (found.verdicts["python"].accepted is accepted) is (name not in NOT_OPENSSL), said
    assert accepted or errors_in(said) & ERRORS[found.verdicts["python"].rule], said


# What is tried is a client, and one that has roots.
_NO_SSL = {"client", "client_without_names", "client_with_a_servers_certificate", "nobody_is_trusted"}


@pytest.mark.parametrize("name", sorted(CASES.keys() - _NO_SSL))
def test_python_is_what_the_ssl_module_says(report: Any, name: str, tmp_path: Path) -> None:
    chain, found = report(name)
    accepted = ssl_accepts(chain, tmp_path)
    assert (found.verdicts["python"].accepted is accepted) is (name not in NOT_OPENSSL)


def errors_in(said: str) -> set[int]:
    return {int(number) for number in re.findall(r"error (\d+) at", said)}


def ssl_accepts(chain: Chain, directory: Path) -> bool:
    """A handshake in memory with CPython 3.13's default context as the client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(written(directory / "roots.pem", chain.trusted))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_ciphers("ALL:@SECLEVEL=0")
    key = directory / "key.pem"
    key.write_bytes(chain.sent[0].key_pem)
    server.load_cert_chain(written(directory / "chain.pem", chain.sent), key)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_side = context.wrap_bio(to_client, to_server, server_hostname=chain.name)
    server_side = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client_side, server_side):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
    assert client_side.cipher() is not None
    return True
