"""Name constraints (RFC 5280 4.2.1.10), form by form, and what cannot be held against them."""

from __future__ import annotations

import time
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from chain_cases import LONG, NAME, NOW, constraints, directory
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity import TrustStore, verify_server
from pellucid.identity.reasoning.constraints import MAX_LOOKUPS
from pellucid.identity.reasoning.subtrees import Subtrees, Unreadable

DNS, MAIL, URI, IP = x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier, x509.IPAddress
CN, O, C = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.COUNTRY_NAME


def holds(base: x509.GeneralName, name: x509.GeneralName, *, any_of_it: bool = False) -> bool:
    return Subtrees([base]).hold(name, any_of_it=any_of_it)


@pytest.mark.parametrize(
    "base,name,inside",
    [
        # "www.host.example.com would satisfy the constraint but host1.example.com would not."
        ("host.example.com", "www.host.example.com", True),
        ("host.example.com", "host.example.com", True),
        ("host.example.com", "host1.example.com", False),
        ("host.example.com", "example.com", False),
        ("Example.COM", "www.example.com", True),
        ("example.com", "WWW.EXAMPLE.com", True),
        ("example.com", "badexample.com", False),
        ("example.com", "www.example.com.", True),
        ("", "anything.example", True),
        (".example.com", "www.example.com", True),
        (".example.com", "example.com", False),
        ("example.com", "*.example.com", True),
        ("www.example.com", "*.example.com", False),
    ],
)
def test_a_host_name_lies_below_its_constraint(base: str, name: str, inside: bool) -> None:
    assert holds(DNS(base), DNS(name)) is inside


@pytest.mark.parametrize(
    "base,name,touched",
    [
        ("www.example.com", "*.example.com", True),
        ("example.com", "*.example.com", True),
        ("a.www.example.com", "*.example.com", False),
        ("www.example.org", "*.example.com", False),
    ],
)
def test_a_wildcard_is_excluded_if_anything_that_it_stands_for_is(
    base: str, name: str, touched: bool
) -> None:
    assert holds(DNS(base), DNS(name), any_of_it=True) is touched


@pytest.mark.parametrize(
    "base,name,inside",
    [
        # RFC 5280's own examples: a mailbox, a host, a domain.
        ("root@example.com", "root@example.com", True),
        ("root@example.com", "root@EXAMPLE.com", True),
        ("root@example.com", "Root@example.com", False),
        ("root@example.com", "boot@example.com", False),
        ("example.com", "any@example.com", True),
        ("example.com", "any@host.example.com", False),
        (".example.com", "any@host.example.com", True),
        (".example.com", "any@example.com", False),
    ],
)
def test_a_mail_address_is_held_against_a_mailbox_a_host_or_a_domain(
    base: str, name: str, inside: bool
) -> None:
    assert holds(MAIL(base), MAIL(name)) is inside


@pytest.mark.parametrize(
    "base,name,inside",
    [
        # ".example.com" is satisfied by both of these, and not by "example.com".
        (".example.com", "https://host.example.com/", True),
        (".example.com", "https://my.host.example.com", True),
        (".example.com", "https://example.com/", False),
        ("host.example.com", "spiffe://host.example.com/a/b", True),
        ("host.example.com", "https://user@HOST.example.com:8443/?q#f", True),
        ("host.example.com", "https://a.host.example.com/", False),
        ("host.example.com", "https://evil.example/@host.example.com", False),
        ("host.example.com", "https://evil.example?@host.example.com/", False),
        ("host.example.com", "https://evil.example#@host.example.com/", False),
    ],
)
def test_a_uri_is_held_against_its_host(base: str, name: str, inside: bool) -> None:
    assert holds(URI(base), URI(name)) is inside


@pytest.mark.parametrize(
    "name",
    ["urn:example:a", "https://192.0.2.1/", "https://[2001:db8::1]/", "https:///path", "mailto:a@b.example",
     "https://a@b@host.example.com/", "host.example.com", "", "https://evil.example\\@host.example.com/",
     "https://evil.example \t@host.example.com/", "https://evil.example\x00@host.example.com/"],
)  # fmt: skip
def test_a_uri_without_a_host_name_cannot_be_held_against_anything(name: str) -> None:
    with pytest.raises(Unreadable):
        holds(URI("host.example.com"), URI(name))


@pytest.mark.parametrize(
    "network,address,inside",
    [
        ("192.0.2.0/24", "192.0.2.255", True),
        ("192.0.2.0/24", "192.0.3.0", False),
        ("192.0.2.1/32", "192.0.2.1", True),
        ("0.0.0.0/0", "203.0.113.9", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("2001:db8::/32", "2001:db8:ffff::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("::/0", "192.0.2.1", False),
    ],
)
def test_an_address_lies_in_its_network(network: str, address: str, inside: bool) -> None:
    assert holds(IP(ip_network(network)), IP(ip_address(address))) is inside


@settings(derandomize=True)
@given(st.ip_addresses(v=4), st.integers(0, 32), st.ip_addresses(v=4))
def test_an_address_lies_in_a_network_if_ipaddress_says_so(base: Any, length: int, address: Any) -> None:
    network = ip_network((base, length), strict=False)
    assert holds(IP(network), IP(address)) is (address in network)


@pytest.mark.parametrize(
    "base,name,inside",
    [
        ([(C, "DE")], [(C, "DE"), (O, "Example"), (CN, "a")], True),
        ([(C, "DE"), (O, "Example")], [(C, "DE"), (O, "Example"), (CN, "a")], True),
        ([(C, "DE"), (O, "Example")], [(C, "DE"), (O, "  EXAMPLE "), (CN, "a")], True),
        ([(O, "Example")], [(C, "DE"), (O, "Example")], False),
        ([(C, "DE"), (O, "Example")], [(C, "DE"), (O, "Examples")], False),
        ([(C, "DE"), (O, "Example")], [(C, "DE")], False),
        ([], [(CN, "anybody")], True),
        # RFC 4518 2.2 and 2.3: what is not seen does not count, nor does how wide it is written.
        ([(O, "Example")], [(O, "Exam\u00adple")], True),
        ([(O, "Example")], [(O, "Ex\u200bam\u034fple\ufeff")], True),
        ([(O, "Two Words")], [(O, "two\u00a0\u2003 words")], True),
        ([(O, "Example")], [(O, "\uff25\uff38\uff21\uff2d\uff30\uff2c\uff25")], True),
        ([(O, "Stra\u00dfe")], [(O, "STRASSE")], True),
    ],
)
def test_a_directory_name_begins_with_its_constraint(base: Any, name: Any, inside: bool) -> None:
    assert holds(directory(*base), directory(*name)) is inside


@pytest.mark.parametrize(
    "base",
    [
        DNS("https://leaf.example"),
        DNS("leaf..example"),
        DNS("..example"),
        DNS("leaf.example "),
        DNS("leaf.example:443"),
        MAIL("@example.com"),
        MAIL("*@example.com"),
        MAIL('"root"@example.com'),
        MAIL("root@.example.com"),
        MAIL("*.example.com"),
        URI("https://host.example.com/"),
        URI("host.example.com:443"),
        URI("spiffe://host.example.com"),
    ],
)
def test_a_constraint_that_could_hold_nothing_is_refused(base: x509.GeneralName) -> None:
    """As an exclusion it would let through all that it is meant to keep out."""
    with pytest.raises(Unreadable):
        Subtrees([base])


@pytest.mark.parametrize(
    "base,name",
    [
        (DNS("example.com."), DNS("www.example.com")),
        (DNS("_tcp.example.com"), DNS("a._tcp.example.com")),
        (MAIL("example.com."), MAIL("a@example.com")),
        (URI("host.example.com."), URI("https://host.example.com/")),
    ],
)
def test_a_dot_at_the_end_of_a_constraint_does_not_count(base: Any, name: Any) -> None:
    assert holds(base, name)


@pytest.mark.parametrize(
    "name", ['"root"@example.com', "ro\\ot@example.com", "a@example.com.", "*@example.com"]
)
def test_a_mailbox_that_can_be_written_otherwise_cannot_be_held_against_anything(name: str) -> None:
    """RFC 5321 4.1.2: "root"@example.com is root@example.com, and would slip past an exclusion of it."""
    with pytest.raises(Unreadable):
        holds(MAIL("root@example.com"), MAIL(name))


def smtp_utf8(mailbox: bytes) -> x509.OtherName:
    """RFC 9598 3: SmtpUTF8Mailbox."""
    return x509.OtherName(x509.ObjectIdentifier("1.3.6.1.5.5.7.8.9"), element(0x0C, mailbox))


def test_constraints_on_mail_hold_for_mailboxes_beyond_ascii(forge: Any) -> None:
    """RFC 9598 6 updates RFC 5280 4.2.1.10."""
    inside, outside = smtp_utf8("grüße@example.com".encode()), smtp_utf8("grüße@example.org".encode())
    mail = [MAIL("example.com")]
    assert verify(forge, constraints(mail), with_names(inside))
    assert verify(forge, constraints(None, mail), with_names(outside))
    assert "do not permit" in refusal(forge, constraints(mail), with_names(outside)).detail
    assert "exclude" in refusal(forge, constraints(None, mail), with_names(inside)).detail
    for broken in (smtp_utf8(b"\xff@example.com"), x509.OtherName(inside.type_id, b"\x05\x00")):
        error = refusal(forge, constraints(mail), with_names(broken))
        assert error.reason is Reason.UNSUPPORTED_CERTIFICATE


@pytest.mark.parametrize("profile", ["web", "private"])
def test_an_exclusion_that_is_no_name_is_not_passed_over(forge: Any, profile: Any) -> None:
    root = forge.ca("Root", days=LONG, **constraints(None, [MAIL("*@leaf.example")]))
    leaf = forge.leaf(root, days=LONG, **with_names(MAIL("a@leaf.example")))
    with pytest.raises(CertificateRejected, match="has a name constraint that") as caught:
        verify_server([leaf.der], NAME, root.trust, NOW, profile=profile)
    assert caught.value.reason is Reason.BAD_CERTIFICATE


@settings(derandomize=True)
@given(st.text("ab.*@:/-", max_size=30), st.text("ab.*@:/-", max_size=30))
def test_any_text_is_inside_outside_or_unreadable(base: str, name: str) -> None:
    for form in (DNS, URI):
        try:
            inside = holds(form(base), form(name))
        except Unreadable:
            continue
        same = form is DNS and base == name and not base.startswith(".") and not base.endswith(".")
        assert inside or not same


def verify(forge: Any, ca: dict[str, Any], leaf: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    top = forge.ca("Root", days=LONG, **(root or {}))
    middle = forge.ca("Intermediate", top, days=LONG, **ca)
    end = forge.leaf(middle, days=LONG, **leaf)
    trust = TrustStore.from_certificates([top.certificate])
    return verify_server([end.der, middle.der], NAME, trust, NOW, profile="private")


def with_names(*names: x509.GeneralName) -> dict[str, Any]:
    alternative = x509.SubjectAlternativeName([DNS(NAME), *names])
    return {"names": None, "extensions": [(alternative, False)]}


def refusal(forge: Any, ca: dict[str, Any], leaf: dict[str, Any], **more: Any) -> CertificateRejected:
    with pytest.raises(CertificateRejected) as caught:
        verify(forge, ca, leaf, **more)
    return caught.value


@pytest.mark.parametrize("critical", [True, False])
@pytest.mark.parametrize(
    "base,right,wrong",
    [
        (MAIL("example.com"), MAIL("a@example.com"), MAIL("a@example.org")),
        (URI("host.example"), URI("spiffe://host.example/a"), URI("spiffe://other.example/a")),
        (IP(ip_network("192.0.2.0/24")), IP(ip_address("192.0.2.1")), IP(ip_address("192.0.3.1"))),
    ],
)
def test_what_is_permitted_passes_and_the_rest_of_its_form_does_not(
    forge: Any, critical: bool, base: Any, right: Any, wrong: Any
) -> None:
    assert verify(forge, constraints([base], critical=critical), with_names(right))
    error = refusal(forge, constraints([base], critical=critical), with_names(right, wrong))
    assert error.reason is Reason.NAME_CONSTRAINT_VIOLATED
    assert 'which the name constraints of certificate 1 ("CN=Intermediate") do not permit' in error.detail
    assert verify(forge, constraints(None, [base], critical=critical), with_names(wrong))
    error = refusal(forge, constraints(None, [base], critical=critical), with_names(wrong, right))
    assert 'which the name constraints of certificate 1 ("CN=Intermediate") exclude' in error.detail


def test_forms_that_are_not_there_are_not_constrained(forge: Any) -> None:
    """RFC 5280 4.2.1.10: "If no name of the type is in the certificate, the certificate is acceptable"."""
    registered = x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))
    assert verify(forge, constraints([MAIL("example.com"), registered]), {})


@pytest.mark.parametrize(
    "name",
    [
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"),
    ],
)
def test_a_form_that_is_not_evaluated_is_not_passed_over(forge: Any, name: Any) -> None:
    error = refusal(forge, constraints(None, [name]), with_names(name))
    assert error.reason is Reason.UNSUPPORTED_CERTIFICATE


def test_a_mail_address_in_the_subject_counts(forge: Any) -> None:
    def with_mail(subject: str) -> x509.Name:
        mail = x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@example.org", x509.name._ASN1Type.IA5String)
        return x509.Name([x509.NameAttribute(CN, subject), mail])

    root = forge.ca("Root", days=LONG, **constraints([MAIL("example.com")]))
    leaf = forge.leaf(root, days=LONG)
    subject = with_mail("leaf.example").public_bytes()
    plain = leaf.certificate.subject.public_bytes()
    der = forge.altered(leaf, root, lambda fields: [*fields[:5], subject, *fields[6:]])
    assert plain != subject
    with pytest.raises(CertificateRejected, match=r"email:a@example\.org"):
        verify_server([der], NAME, root.trust, NOW)


def test_constraints_of_the_root_bind_the_intermediate_as_well(forge: Any) -> None:
    root = constraints([directory((CN, "leaf.example"))])
    error = refusal(forge, {}, {}, root=root)
    assert "certificate 1" in error.detail
    assert error.certificate == forge.ca("Intermediate", forge.ca("Root", days=LONG, **root), days=LONG).der


@pytest.mark.parametrize("constrained", [0, 1])
def test_a_way_around_constraints_that_pyca_does_not_know_is_looked_for(forge: Any, constrained: int) -> None:
    """The intermediate is cross-signed, and only one of its roots keeps the leaf's subject out."""
    excluded = constraints(None, [directory((CN, "leaf.example"))], critical=False)
    given = [excluded if number == constrained else {} for number in range(2)]
    roots = [forge.ca(f"Root {number}", days=LONG, **one) for number, one in enumerate(given)]
    both = [forge.ca("Intermediate", root, days=LONG) for root in roots]
    leaf = forge.leaf(both[0], days=LONG)
    chain = [leaf.der, *(one.der for one in both)]
    trust = TrustStore.from_certificates([root.certificate for root in roots])
    assert verify_server(chain, NAME, trust, NOW).path[-1] == roots[1 - constrained].certificate
    with pytest.raises(CertificateRejected, match="exclude"):
        verify_server(chain, NAME, roots[constrained].trust, NOW)


def test_minimum_and_maximum_are_not_passed_over(forge: Any) -> None:
    """pyca drops them, so nobody would see that the constraint says something else."""
    root = forge.ca("Root", days=LONG, **constraints([DNS("leaf.example")]))
    plain = b"\x30\x0e\x82\x0cleaf.example"
    limited = b"\x30\x11\x82\x0cleaf.example\x80\x01\x01"

    def alter(fields: list[bytes]) -> list[bytes]:
        value = x509.NameConstraints([DNS("leaf.example")], None).public_bytes()
        longer = value.replace(plain, limited)
        longer = bytes([0x30, longer[1] + 3, 0xA0, longer[3] + 3]) + longer[4:]
        start = fields[7].index(value)
        # The extension: SEQUENCE, OID (5), critical (3), OCTET STRING with the value.
        before, after = fields[7][: start - 12], fields[7][start + len(value) :]
        extension = fields[7][start - 10 : start - 2] + bytes([4, len(longer)]) + longer
        return [*fields[:7], resized(before, after, bytes([0x30, len(extension)]) + extension)]

    der = forge.altered(root, root, alter)
    certificate = x509.load_der_x509_certificate(der)
    extension = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert extension.value.permitted_subtrees == [DNS("leaf.example")]
    leaf = forge.leaf(root, days=LONG)
    trust = TrustStore.from_certificates([certificate])
    for profile in ("web", "private"):
        with pytest.raises(CertificateRejected, match="minimum or maximum") as caught:
            verify_server([leaf.der], NAME, trust, NOW, profile=profile)
        assert caught.value.reason is Reason.UNSUPPORTED_CERTIFICATE


def resized(before: bytes, after: bytes, middle: bytes) -> bytes:
    """Extensions [3] EXPLICIT SEQUENCE with one element replaced, their two lengths of one or two octets."""
    head = 2 if before[1] < 0x80 else 2 + (before[1] & 0x7F)
    inner_head = 2 if before[head + 1] < 0x80 else 2 + (before[head + 1] & 0x7F)
    content = before[head + inner_head :] + middle + after
    sequence = element(0x30, content)
    return element(0xA3, sequence)


def element(tag: int, content: bytes) -> bytes:
    octets = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    length = bytes([len(content)]) if len(content) < 0x80 else bytes([0x80 | len(octets)]) + octets
    return bytes([tag]) + length + content


def test_a_bomb_of_names_and_constraints_ends_soon(forge: Any) -> None:
    """Thousands of names under thousands of constraints, at each of several CAs."""
    many = [DNS(f"n{number}.test") for number in range(4200)]
    root = forge.ca("Root", days=LONG)
    chain = [root]
    for number in range(8):
        given = constraints(None, [DNS(f"x{number}-{index}.test") for index in range(2000)])
        chain.append(forge.ca(f"CA {number}", chain[-1], days=LONG, **given))
    alternative = x509.SubjectAlternativeName([DNS(NAME), *many])
    leaf = forge.leaf(chain[-1], days=LONG, names=None, extensions=[(alternative, False)])
    sent = [leaf.der, *(one.der for one in chain[:0:-1])]
    started = time.process_time()
    with pytest.raises(CertificateRejected, match="names under name constraints") as caught:
        verify_server(sent, NAME, root.trust, NOW, profile="private")
    assert caught.value.reason is Reason.CERTIFICATE_CHAIN_TOO_LONG
    assert time.process_time() - started < 2


def test_more_names_than_are_looked_up_are_refused(forge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_LOOKUPS > 10_000
    monkeypatch.setattr("pellucid.identity.reasoning.constraints.MAX_LOOKUPS", 2)
    names = with_names(DNS("a.example"), DNS("b.example"))
    error = refusal(forge, constraints([DNS("example")]), names)
    assert error.reason is Reason.CERTIFICATE_CHAIN_TOO_LONG


def test_a_name_of_many_labels_costs_nothing() -> None:
    with pytest.raises(Unreadable):
        holds(DNS("example"), DNS("a." * 30_000 + "example"))
