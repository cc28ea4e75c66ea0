"""Chains over every rule of a path, for holding one verifier against another.

Each case is a function of the forge (tests/identity/conftest.py) that gives a ``Chain``. All certificates are
valid from 2024 to 2035 unless the case is about dates, so that verifiers with a clock of their own can judge
them, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pellucid.identity import Purpose

NOW = 1_800_000_000.0
NAME = "leaf.example"
LONG = (-1000, 3000)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


@dataclass(frozen=True)
class Chain:
    """What is sent, leaf first, and whom the other side trusts."""

    sent: tuple[Any, ...]
    trusted: tuple[Any, ...]
    name: str | None = NAME
    purpose: Purpose = Purpose.SERVER


@dataclass
class Maker:
    """The forge, with the long validity."""

    forge: Any
    usage: Callable[..., x509.KeyUsage] = field(init=False)

    def __post_init__(self) -> None:
        self.usage = self.forge.key_usage

    def ca(self, name: str = "Root", issuer: Any = None, kind: str = "ecdsa", **rest: Any) -> Any:
        return self.forge.ca(name, issuer, kind, **{"days": LONG, **rest})

    def leaf(self, issuer: Any, kind: str = "ecdsa", **rest: Any) -> Any:
        return self.forge.leaf(issuer, kind, **{"days": LONG, **rest})

    def three(self, *, root: Any = None, ca: Any = None, leaf: Any = None, **more: Any) -> Chain:
        """Root, intermediate and leaf, each with what is given for it."""
        top = self.ca(**(root or {}))
        middle = self.ca("Intermediate", top, **(ca or {}))
        return Chain((self.leaf(middle, **(leaf or {})), middle), (top,), **more)


Case = Callable[[Maker], Chain]
CASES: dict[str, Case] = {}


def case(function: Case) -> Case:
    CASES[function.__name__] = function
    return function


def _three(title: str, /, **given: Any) -> None:
    """A case of root, intermediate and leaf; functions among the values are called with the maker."""

    def build(maker: Maker) -> Chain:
        return maker.three(**{key: _called(value, maker) for key, value in given.items()})

    CASES[title] = build


def _called(value: Any, maker: Maker) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: one(maker) if callable(one) else one for key, one in value.items()}


def constraints(permitted: Any = None, excluded: Any = None, *, critical: bool = True) -> dict[str, Any]:
    return {"extensions": [(x509.NameConstraints(permitted, excluded), critical)]}


def eku(*usages: Any) -> dict[str, Any]:
    return {"extensions": [(x509.ExtendedKeyUsage(usages), False)]}


def directory(*attributes: tuple[Any, str]) -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes]))


_three("good")
for _kind in ("rsa_2048", "ecdsa_p384", "ecdsa_p521", "ed25519", "ed448"):
    _three(f"leaf_key_{_kind}", leaf={"kind": _kind})
    _three(f"ca_key_{_kind}", ca={"kind": _kind})
    _three(f"root_key_{_kind}", root={"kind": _kind})
_three("leaf_key_rsa_1024", leaf={"kind": "rsa_1024"})
_three("ca_key_rsa_1024", ca={"kind": "rsa_1024"})
_three("root_key_rsa_1024", root={"kind": "rsa_1024"})
_three("ca_key_brainpool", ca={"kind": "brainpool"})
for _title, _salt, _mgf in (("", 32, hashes.SHA256()), ("_short_salt", 20, hashes.SHA256()),
                            ("_two_hashes", 32, hashes.SHA512())):  # fmt: skip
    _padding = padding.PSS(padding.MGF1(_mgf), _salt)
    _three(f"leaf_signed_with_pss{_title}", ca={"kind": "rsa_2048"}, leaf={"rsa_padding": _padding})
    _three(f"ca_signed_with_pss{_title}", root={"kind": "rsa_2048"}, ca={"rsa_padding": _padding})
_three("leaf_signed_with_sha_224", leaf={"hash_algorithm": hashes.SHA224()})
_three("ca_signed_with_sha_224", ca={"hash_algorithm": hashes.SHA224()})
_three("root_signed_with_sha_224", root={"hash_algorithm": hashes.SHA224()})
for _who in ("leaf", "ca", "root"):
    _three(f"{_who}_expired", **{_who: {"days": (-1000, -800)}})
    _three(f"{_who}_not_yet_valid", **{_who: {"days": (2000, 3000)}})
    _three(f"{_who}_without_key_identifiers", **{_who: {"key_identifiers": False}})
    _three(f"{_who}_unknown_critical_extension", **{_who: {"extensions": [(UNKNOWN, True)]}})
    _three(f"{_who}_unknown_extension", **{_who: {"extensions": [(UNKNOWN, False)]}})
for _who in ("ca", "root"):
    _three(
        f"{_who}_basic_constraints_not_critical",
        **{_who: {"basic_constraints": (x509.BasicConstraints(True, None), False)}},
    )
    _three(f"{_who}_without_basic_constraints", **{_who: {"basic_constraints": None}})
    _three(
        f"{_who}_says_it_is_none", **{_who: {"basic_constraints": (x509.BasicConstraints(False, None), True)}}
    )
    _three(f"{_who}_without_key_usage", **{_who: {"usage": None}})
    _three(f"{_who}_without_key_cert_sign", **{_who: {"usage": lambda m: m.usage("digital_signature")}})
    _three(f"{_who}_for_servers", **{_who: eku(SERVER)})
    _three(f"{_who}_for_clients", **{_who: eku(CLIENT)})
    _three(f"{_who}_for_any_purpose", **{_who: eku(ANY)})
_three("root_without_basic_constraints_and_key_usage", root={"basic_constraints": None, "usage": None})
_three("leaf_for_clients", leaf={"purposes": [CLIENT]})
_three("leaf_for_any_purpose", leaf={"purposes": [ANY]})
_three("leaf_for_servers_and_any_purpose", leaf={"purposes": [SERVER, ANY]})
_three("leaf_without_purposes", leaf={"purposes": None})
_three("leaf_without_key_usage", leaf={"usage": None})
_three("leaf_that_only_enciphers", leaf={"usage": lambda m: m.usage("key_encipherment"), "kind": "rsa_2048"})
_three("leaf_that_only_agrees", leaf={"usage": lambda m: m.usage("key_agreement")})
_three("leaf_that_only_signs_lists", leaf={"usage": lambda m: m.usage("crl_sign")})
_three("leaf_that_may_issue", leaf={"usage": lambda m: m.usage("digital_signature", "key_cert_sign")})
_three(
    "leaf_that_is_a_ca",
    leaf={
        "basic_constraints": (x509.BasicConstraints(True, None), True),
        "usage": lambda m: m.usage("digital_signature", "key_cert_sign"),
    },
)
_three("leaf_without_basic_constraints", leaf={"basic_constraints": None})
_three("leaf_without_subject", leaf={"name": ""})
_three("leaf_for_another_name", leaf={"names": ("other.example",)})
_three("leaf_with_a_wildcard", leaf={"names": ("*.leaf.example",)}, name="www.leaf.example")
_three("leaf_with_a_wildcard_above_it", leaf={"names": ("*.leaf.example",)}, name="leaf.example")
_three("leaf_with_a_wildcard_of_a_top_level_domain", leaf={"names": ("*.example",)}, name="leaf.example")
_three("leaf_with_a_partial_wildcard", leaf={"names": ("w*.leaf.example",)}, name="www.leaf.example")
_three("leaf_with_an_address", leaf={"names": ("192.0.2.1",)}, name="192.0.2.1")
_three("leaf_with_another_address", leaf={"names": ("192.0.2.1",)}, name="192.0.2.2")
_three("leaf_with_an_address_as_common_name", leaf={"name": "192.0.2.1"}, name="192.0.2.1")
_three("leaf_with_a_common_name_only", leaf={"names": None})
_three("leaf_with_a_common_name_and_an_address", leaf={"names": ("192.0.2.1",), "name": NAME})
_three("leaf_with_a_common_name_and_another_host_name", leaf={"names": ("other.example",), "name": NAME})
_three("client", leaf={"purposes": [CLIENT]}, name=None, purpose=Purpose.CLIENT)
_three("client_without_names", leaf={"purposes": [CLIENT], "names": None}, name=None, purpose=Purpose.CLIENT)
_three("client_with_a_servers_certificate", name=None, purpose=Purpose.CLIENT)
_three("path_length_0_at_the_intermediate", ca={"path_length": 0})
_three("path_length_0_at_the_root", root={"path_length": 0})
_three("path_length_1_at_the_root", root={"path_length": 1})
_three("leaf_forged", leaf={"signed_by": lambda m: m.forge.key("ecdsa", "forger")})
_three("ca_forged", ca={"signed_by": lambda m: m.forge.key("ecdsa", "forger")})

_DNS, _IP = x509.DNSName, x509.IPAddress
for _who in ("ca", "root"):
    _three(f"{_who}_permits_the_name", **{_who: constraints([_DNS("leaf.example")])})
    _three(f"{_who}_permits_the_domain", **{_who: constraints([_DNS("example")])})
    _three(f"{_who}_permits_another_name", **{_who: constraints([_DNS("other.example")])})
    _three(f"{_who}_excludes_the_name", **{_who: constraints(None, [_DNS("leaf.example")])})
    _three(f"{_who}_excludes_another_name", **{_who: constraints(None, [_DNS("other.example")])})
_three("ca_permits_a_name_that_ends_alike", ca=constraints([_DNS("eaf.example")]))
_three("ca_permits_in_capitals", ca=constraints([_DNS("LEAF.Example")]))
_three("ca_permits_subdomains_with_a_dot", ca=constraints([_DNS(".example")]))
_three("ca_permits_all_names", ca=constraints([_DNS("")]))
_three("ca_excludes_all_names", ca=constraints(None, [_DNS("")]))
_three("ca_permits_and_excludes", ca=constraints([_DNS("example")], [_DNS("leaf.example")]))
_three(
    "ca_permits_one_of_two_names",
    ca=constraints([_DNS("leaf.example")]),
    leaf={"names": ("leaf.example", "other.example")},
)
_three("ca_permits_not_critically", ca=constraints([_DNS("other.example")], critical=False))
_three("ca_permits_addresses_only", ca=constraints([_IP(ip_network("192.0.2.0/24"))]))
_three(
    "ca_permits_the_address",
    ca=constraints([_IP(ip_network("192.0.2.0/24"))]),
    leaf={"names": ("192.0.2.1",)},
    name="192.0.2.1",
)
_three(
    "ca_permits_another_address",
    ca=constraints([_IP(ip_network("198.51.100.0/24"))]),
    leaf={"names": ("192.0.2.1",)},
    name="192.0.2.1",
)
_three(
    "ca_excludes_the_address",
    ca=constraints(None, [_IP(ip_network("192.0.2.1/32"))]),
    leaf={"names": ("192.0.2.1",)},
    name="192.0.2.1",
)
_three(
    "ca_permits_ipv6_to_ipv4",
    ca=constraints([_IP(ip_network("2001:db8::/32"))]),
    leaf={"names": ("192.0.2.1",)},
    name="192.0.2.1",
)
_three(
    "ca_permits_the_wildcard",
    ca=constraints([_DNS("leaf.example")]),
    leaf={"names": ("*.leaf.example",)},
    name="www.leaf.example",
)
_three(
    "ca_permits_less_than_the_wildcard",
    ca=constraints([_DNS("www.leaf.example")]),
    leaf={"names": ("*.leaf.example",)},
    name="www.leaf.example",
)
_three(
    "ca_excludes_what_the_wildcard_can_be",
    ca=constraints(None, [_DNS("www.leaf.example")]),
    leaf={"names": ("*.leaf.example",)},
    name="www.leaf.example",
)
_three("ca_permits_the_directory_name", ca=constraints([directory((NameOID.COMMON_NAME, "leaf.example"))]))
_three("ca_permits_another_directory_name", ca=constraints([directory((NameOID.COMMON_NAME, "other"))]))
_three(
    "ca_excludes_the_directory_name", ca=constraints(None, [directory((NameOID.COMMON_NAME, "LEAF.example"))])
)
_three("ca_permits_mail_only", ca=constraints([x509.RFC822Name("example.com")]))
_three("ca_excludes_uris", ca=constraints(None, [x509.UniformResourceIdentifier("example.com")]))


def with_names(*names: x509.GeneralName) -> dict[str, Any]:
    """A leaf with these names besides its own."""
    alternative = x509.SubjectAlternativeName([x509.DNSName(NAME), *names])
    return {"names": None, "extensions": [(alternative, False)]}


_MAIL, _URI = x509.RFC822Name, x509.UniformResourceIdentifier
_ID = x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))
for _critical in (True, False):
    _how = "" if _critical else "_not_critically"
    for _title, _base, _right, _wrong in (
        ("mail", _MAIL("example.com"), _MAIL("a@Example.com"), _MAIL("a@sub.example.com")),
        ("mail_domain", _MAIL(".example.com"), _MAIL("a@sub.example.com"), _MAIL("a@example.com")),
        ("mailbox", _MAIL("a@example.com"), _MAIL("a@Example.com"), _MAIL("A@example.com")),
        ("uri", _URI("a.example"), _URI("spiffe://A.example/x"), _URI("spiffe://b.a.example/x")),
        ("uri_domain", _URI(".a.example"), _URI("spiffe://b.a.example/x"), _URI("spiffe://a.example/x")),
    ):
        _given = constraints([_base], critical=_critical)
        _three(f"ca_permits_{_title}{_how}", ca=_given, leaf=with_names(_right))
        _three(f"ca_permits_other_{_title}{_how}", ca=_given, leaf=with_names(_wrong))
        _three(
            f"ca_excludes_{_title}{_how}",
            ca=constraints(None, [_base], critical=_critical),
            leaf=with_names(_right),
        )
_three(
    "ca_excludes_mail_of_a_host_with_a_dot",
    ca=constraints(None, [_MAIL("example.com.")]),
    leaf=with_names(_MAIL("a@example.org")),
)
_three(
    "ca_excludes_mail_of_a_host_with_a_dot_and_there_is_none", ca=constraints(None, [_MAIL("example.com.")])
)
_three("ca_permits_no_such_uri", ca=constraints([_URI("a.example")]), leaf=with_names(_URI("urn:a:b")))
_three("ca_permits_registered_ids", ca=constraints([_ID]), leaf=with_names(_ID))
_three("ca_permits_registered_ids_that_are_not_there", ca=constraints([_ID]))
_three(
    "ca_excludes_uris_and_one_has_an_address",
    ca=constraints(None, [_URI("a.example")]),
    leaf=with_names(_URI("https://192.0.2.1/")),
)
_three(
    "ca_permits_the_directory_name_not_critically",
    ca=constraints([directory((NameOID.COMMON_NAME, "leaf.example"))], critical=False),
)
_three(
    "ca_permits_another_directory_name_not_critically",
    ca=constraints([directory((NameOID.COMMON_NAME, "other"))], critical=False),
)
_three(
    "ca_permits_other_names_than_the_common_name",
    ca=constraints([_DNS("example")]),
    leaf={"name": "leaf.test"},
)
_three(
    "ca_permits_other_names_and_there_is_only_a_common_name",
    ca=constraints([_DNS("other.example")]),
    leaf={"names": None},
)
_three(
    "ca_constrains_names_and_one_is_no_host_name",
    ca=constraints([_DNS("example")]),
    leaf={"names": (NAME, "a_b.example")},
)


@case
def straight_to_the_root(m: Maker) -> Chain:
    root = m.ca()
    return Chain((m.leaf(root),), (root,))


@case
def with_the_root_sent(m: Maker) -> Chain:
    chain = m.three()
    return Chain((*chain.sent, *chain.trusted), chain.trusted)


@case
def out_of_order_with_a_stranger(m: Maker) -> Chain:
    root = m.ca()
    upper = m.ca("Upper", root)
    lower = m.ca("Lower", upper)
    return Chain((m.leaf(lower), upper, m.ca("Stranger"), lower), (root,))


@case
def without_the_intermediate(m: Maker) -> Chain:
    chain = m.three()
    return Chain(chain.sent[:1], chain.trusted)


@case
def to_an_unknown_root(m: Maker) -> Chain:
    return Chain(m.three().sent, (m.ca("Other root"),))


@case
def to_an_unknown_root_that_is_sent(m: Maker) -> Chain:
    chain = m.three()
    return Chain((*chain.sent, *chain.trusted), (m.ca("Other root"),))


@case
def to_a_root_with_the_same_name_and_another_key(m: Maker) -> Chain:
    return Chain(m.three().sent, (m.ca("Root", key_label="another"),))


@case
def nobody_is_trusted(m: Maker) -> Chain:
    return Chain(m.three().sent, ())


@case
def self_signed(m: Maker) -> Chain:
    return Chain((m.leaf(None),), (m.ca(),))


@case
def self_signed_and_trusted(m: Maker) -> Chain:
    leaf = m.leaf(None)
    return Chain((leaf,), (leaf,))


@case
def self_signed_ca_that_is_trusted_as_a_leaf(m: Maker) -> Chain:
    constraints = (x509.BasicConstraints(True, None), True)
    leaf = m.leaf(None, basic_constraints=constraints, usage=None, purposes=None)
    return Chain((leaf,), (leaf,))


@case
def leaf_trusted_without_its_issuers(m: Maker) -> Chain:
    leaf = m.three().sent[0]
    return Chain((leaf,), (leaf,))


@case
def leaf_trusted_and_sent_with_its_issuers(m: Maker) -> Chain:
    chain = m.three()
    return Chain(chain.sent, chain.sent[:1])


@case
def leaf_trusted_and_sent_with_an_expired_issuer(m: Maker) -> Chain:
    chain = m.three(ca={"days": (-1000, -800)})
    return Chain(chain.sent, chain.sent[:1])


@case
def issuer_of_the_right_name_with_a_key_of_another_kind_first(m: Maker) -> Chain:
    root = m.ca()
    other = m.ca("Intermediate", root, "rsa_2048", key_identifiers=False)
    right = m.ca("Intermediate", root, key_identifiers=False)
    return Chain((m.leaf(right), other, right), (root,))


@case
def intermediate_trusted_without_its_root(m: Maker) -> Chain:
    chain = m.three()
    return Chain(chain.sent, (chain.sent[1],))


@case
def intermediate_trusted_beside_its_root(m: Maker) -> Chain:
    chain = m.three()
    return Chain(chain.sent[:1], (*chain.trusted, chain.sent[1]))


@case
def leaf_that_issues(m: Maker) -> Chain:
    root = m.ca()
    attacker = m.leaf(root, name="attacker.example", names=("attacker.example",))
    return Chain((m.leaf(attacker), attacker), (root,))


@case
def path_length_exceeded_by_a_second_intermediate(m: Maker) -> Chain:
    root = m.ca()
    upper = m.ca("Upper", root, path_length=0)
    lower = m.ca("Lower", upper)
    return Chain((m.leaf(lower), lower, upper), (root,))


@case
def path_length_with_a_self_issued_intermediate(m: Maker) -> Chain:
    root = m.ca(path_length=0)
    renewed = m.ca("Root", root, key_label="renewed")
    return Chain((m.leaf(renewed), renewed), (root,))


@case
def cross_signed_with_the_right_one_first(m: Maker) -> Chain:
    root, stranger = m.ca(), m.ca("Stranger")
    right, wrong = m.ca("Intermediate", root), m.ca("Intermediate", stranger)
    return Chain((m.leaf(right), right, wrong, stranger), (root,))


@case
def cross_signed_with_the_wrong_one_first(m: Maker) -> Chain:
    root, stranger = m.ca(), m.ca("Stranger")
    right, wrong = m.ca("Intermediate", root), m.ca("Intermediate", stranger)
    return Chain((m.leaf(right), wrong, stranger, right), (root,))


@case
def two_intermediates_of_one_name_the_expired_first(m: Maker) -> Chain:
    root = m.ca()
    old, new = m.ca("Intermediate", root, days=(-1000, -800)), m.ca("Intermediate", root)
    return Chain((m.leaf(new), old, new), (root,))


@case
def two_intermediates_of_one_name_with_two_keys(m: Maker) -> Chain:
    root = m.ca()
    other, right = m.ca("Intermediate", root, key_label="other"), m.ca("Intermediate", root)
    return Chain((m.leaf(right), other, right), (root,))


@case
def two_intermediates_of_one_name_and_no_identifiers(m: Maker) -> Chain:
    root = m.ca()
    other = m.ca("Intermediate", root, key_label="other", key_identifiers=False)
    right = m.ca("Intermediate", root, key_identifiers=False)
    return Chain((m.leaf(right, key_identifiers=False), other, right), (root,))


@case
def two_intermediates_of_one_name_and_one_is_no_ca(m: Maker) -> Chain:
    root = m.ca()
    none = m.ca("Intermediate", root, basic_constraints=(x509.BasicConstraints(False, None), True))
    right = m.ca("Intermediate", root)
    return Chain((m.leaf(right), none, right), (root,))


@case
def constraints_and_a_self_issued_leaf(m: Maker) -> Chain:
    root = m.ca(**constraints([x509.DNSName("other.example")]))
    return Chain((m.leaf(root, name="Root"),), (root,))


@case
def trusted_intermediate_whose_issuer_is_only_sent(m: Maker) -> Chain:
    root = m.ca()
    upper = m.ca("Upper", root)
    lower = m.ca("Lower", upper)
    return Chain((m.leaf(lower), upper), (lower, root))


def _with_authority(m: Maker, serial: int, issuer: str) -> Chain:
    """A leaf that names its issuer by name and serial number, not by key."""
    root = m.ca()
    names = [directory((NameOID.COMMON_NAME, issuer))]
    authority = x509.AuthorityKeyIdentifier(None, names, serial)
    return Chain((m.leaf(root, key_identifiers=False, extensions=[(authority, False)]),), (root,))


@case
def issuer_named_by_serial_number(m: Maker) -> Chain:
    return _with_authority(m, 0x1234_5678, "Root")


@case
def issuer_named_by_another_serial_number(m: Maker) -> Chain:
    return _with_authority(m, 7, "Root")


@case
def issuer_named_by_another_issuer(m: Maker) -> Chain:
    return _with_authority(m, 0x1234_5678, "Stranger")


@case
def two_roots_of_one_name(m: Maker) -> Chain:
    root = m.ca()
    return Chain((m.leaf(root),), (m.ca("Root", key_label="another"), root))


@case
def loop_of_two_cas(m: Maker) -> Chain:
    one = m.ca("One")
    two = m.ca("Two", one)
    return Chain((m.leaf(two), two, m.ca("One", two)), (m.ca(),))


@case
def constraints_upon_the_subject_of_a_ca_below(m: Maker) -> Chain:
    root = m.ca(**constraints([directory((NameOID.COMMON_NAME, "leaf.example"))]))
    ca = m.ca("Intermediate", root)
    return Chain((m.leaf(ca), ca), (root,))


@case
def constraints_and_a_self_issued_ca_below(m: Maker) -> Chain:
    root = m.ca(**constraints([directory((NameOID.COMMON_NAME, "leaf.example"))]))
    renewed = m.ca("Root", root, key_label="renewed")
    return Chain((m.leaf(renewed), renewed), (root,))
