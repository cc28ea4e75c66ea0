"""RFC 5280 6.1 written out as it stands there, from the anchor down, against the profile "private".

The algorithm keeps state on its way from the trust anchor to the leaf; ours holds rules against a path from
the leaf up. Both are asked about chains as Hypothesis draws them: self-issued CAs, path lengths, key usages,
dates, signatures, and name constraints at every CA.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from chain_cases import LONG, NAME, NOW, constraints, directory
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID
from hypothesis import event, given, settings
from hypothesis import strategies as st

from pellucid.errors import CertificateRejected
from pellucid.identity import verify_server

DNS, MAIL, URI, IP = x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier, x509.IPAddress


def find(certificate: x509.Certificate, kind: Any) -> Any:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def below(host: str, domain: str) -> bool:
    return host.endswith(f".{domain}")


def within(name: Any, base: Any) -> bool:
    """4.2.1.10, for names of the same form, in the letters that are drawn here."""
    if isinstance(name, x509.DirectoryName):
        ours, theirs = list(name.value), list(base.value)
        return [a.value.lower() for a in ours[: len(theirs)]] == [b.value.lower() for b in theirs]
    if isinstance(name, IP):
        return name.value in base.value
    if isinstance(name, DNS):
        return name.value == base.value or below(name.value, base.value.removeprefix("."))
    if isinstance(name, MAIL):
        if "@" in base.value:
            return bool(name.value == base.value)
        host = name.value.partition("@")[2]
    else:
        host = name.value.removeprefix("https://").partition("/")[0]
    if base.value.startswith("."):
        return below(host, base.value[1:])
    return bool(host == base.value)


def names_of(certificate: x509.Certificate) -> list[Any]:
    found = [x509.DirectoryName(certificate.subject)] if list(certificate.subject) else []
    return [*found, *(find(certificate, x509.SubjectAlternativeName) or ())]


@dataclass
class Validation:
    """6.1.2, with the state variables by their names; policies are not asked for."""

    working_issuer: x509.Certificate
    max_path_length: int
    #: What one CA permits is one set for each form; a name has to be in one of each.
    permitted_subtrees: list[list[Any]] = field(default_factory=list)
    excluded_subtrees: list[Any] = field(default_factory=list)

    def process(self, certificate: x509.Certificate, *, final: bool) -> bool:
        """6.1.3 (a) to (c)"""
        try:
            certificate.verify_directly_issued_by(self.working_issuer)
        except (InvalidSignature, ValueError, TypeError):
            return False
        now = dt.datetime.fromtimestamp(NOW, dt.UTC)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            return False
        if certificate.subject == certificate.issuer and not final:
            return True
        return all(self.allows(name) for name in names_of(certificate))

    def allows(self, name: Any) -> bool:
        for permitted in self.permitted_subtrees:
            same = [base for base in permitted if type(base) is type(name)]
            if same and not any(within(name, base) for base in same):
                return False
        excluded = [base for base in self.excluded_subtrees if type(base) is type(name)]
        return not any(within(name, base) for base in excluded)

    def prepare(self, certificate: x509.Certificate) -> bool:
        """6.1.4 (g), (k) to (n)"""
        self.take_constraints(certificate)
        basic = find(certificate, x509.BasicConstraints)
        if basic is None or not basic.ca:
            return False
        if certificate.subject != certificate.issuer:
            if self.max_path_length <= 0:
                return False
            self.max_path_length -= 1
        self.take_path_length(basic)
        usage = find(certificate, x509.KeyUsage)
        return usage is None or usage.key_cert_sign

    def take_constraints(self, certificate: x509.Certificate) -> None:
        found = find(certificate, x509.NameConstraints)
        if found is not None:
            self.permitted_subtrees.append(found.permitted_subtrees or [])
            self.excluded_subtrees += found.excluded_subtrees or []

    def take_path_length(self, basic: x509.BasicConstraints) -> None:
        if basic.path_length is not None:
            self.max_path_length = min(self.max_path_length, basic.path_length)


def is_valid(path: Iterable[x509.Certificate], anchor: x509.Certificate) -> bool:
    """6.1, for a path from below the anchor to the leaf.

    What the anchor's certificate says of itself binds here as well (RFC 5937).
    """
    *issuers, leaf = path
    state = Validation(anchor, len(issuers) + 1)
    basic = find(anchor, x509.BasicConstraints)
    state.take_constraints(anchor)
    state.take_path_length(basic)
    for certificate in issuers:
        if not (state.process(certificate, final=False) and state.prepare(certificate)):
            return False
        state.working_issuer = certificate
    return state.process(leaf, final=True)


CN = NameOID.COMMON_NAME
bases = st.sampled_from(
    [
        DNS("leaf.example"), DNS("example"), DNS(".example"), DNS("www.leaf.example"), DNS("other.test"),
        MAIL("a@leaf.example"), MAIL("leaf.example"), MAIL(".example"), MAIL("other.test"),
        URI("leaf.example"), URI(".example"), URI("other.test"),
        IP(ip_network("192.0.2.0/24")), IP(ip_network("198.51.100.0/24")), IP(ip_network("2001:db8::/32")),
        directory((CN, "leaf.example")), directory((CN, "CA A")), directory((CN, "ca b")),
    ]
)  # fmt: skip
names = st.sampled_from(
    [
        DNS("www.leaf.example"), DNS("other.test"), MAIL("a@leaf.example"), MAIL("b@www.leaf.example"),
        URI("https://leaf.example/x"), URI("https://www.leaf.example/"), IP(ip_address("192.0.2.7")),
        IP(ip_address("2001:db8::7")), directory((CN, "leaf.example")), directory((CN, "CA B")),
    ]
)  # fmt: skip
subtrees = st.lists(bases, min_size=1, max_size=4)
constrained = st.one_of(
    st.just({}),
    st.just({}),
    st.builds(constraints, subtrees, st.none()),
    st.builds(constraints, st.none(), subtrees),
    st.builds(constraints, subtrees, subtrees, critical=st.booleans()),
)
rarely = st.sampled_from([False] * 9 + [True])


@st.composite
def authority(draw: Any) -> dict[str, Any]:
    """What is given to the forge for one CA."""
    given_here = dict(draw(constrained))
    given_here["path_length"] = draw(st.sampled_from([None, None, None, 0, 1, 2]))
    if draw(rarely):
        given_here["days"] = (-1000, -800)
    if draw(rarely):
        given_here["basic_constraints"] = (x509.BasicConstraints(False, None), True)
    if draw(rarely):
        given_here["usage"] = None
    return {"name": draw(st.sampled_from(["CA A", "CA B", "CA C"])), "given": given_here}


@st.composite
def chains(draw: Any) -> dict[str, Any]:
    return {
        "root": draw(constrained) | {"path_length": draw(st.sampled_from([None, None, 0, 1, 2]))},
        "cas": draw(st.lists(authority(), max_size=3)),
        "names": draw(st.lists(names, max_size=2)),
        "leaf_name": draw(st.sampled_from(["leaf.example", "leaf.example", "CA A", ""])),
        "forged": draw(rarely),
    }


@settings(max_examples=300, deadline=None, derandomize=True)
@given(chain=chains())
def test_private_is_what_rfc_5280_6_1_says(forge: Any, chain: dict[str, Any]) -> None:
    issuers = [forge.ca("CA A", days=LONG, **chain["root"])]
    for depth, ca in enumerate(chain["cas"]):
        given_here = {"days": LONG, "key_label": f"{depth}"} | ca["given"]
        issuers.append(forge.ca(ca["name"], issuers[-1], **given_here))
    alternative = x509.SubjectAlternativeName([DNS(NAME), *chain["names"]])
    more = {"signed_by": forge.key("ecdsa", "forger")} if chain["forged"] else {}
    leaf = forge.leaf(
        issuers[-1], name=chain["leaf_name"], names=None, extensions=[(alternative, True)], days=LONG, **more
    )
    anchor, *rest = (one.certificate for one in (*issuers, leaf))
    sent = [one.der for one in (leaf, *issuers[:0:-1])]
    expected = is_valid(rest, anchor)
    event(f"valid: {expected}")
    if expected:
        path = verify_server(sent, NAME, issuers[0].trust, NOW, profile="private").path
        assert path == (*reversed(rest), anchor)
    else:
        with pytest.raises(CertificateRejected):
            verify_server(sent, NAME, issuers[0].trust, NOW, profile="private")
