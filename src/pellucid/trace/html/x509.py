"""Certificates, names and ECDSA signatures as nodes of a field tree, with the names of RFC 5280.

The size of what is shown is bounded by the message that it is in; how many nodes it makes, and how deep they
are, here. What is not DER makes none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from pellucid.trace.html.der import (
    BOOLEAN,
    OCTET_STRING,
    Element,
    NotDer,
    element_at,
    elements_in,
    told,
    type_name,
)
from pellucid.trace.html.values import Json

__all__ = ["CERTIFICATE", "ECDSA_SIGNATURE", "KEY_INFO", "NAME", "OTHER", "der_nodes"]

CERTIFICATE, ECDSA_SIGNATURE, NAME, OTHER = "Certificate", "ECDSA signature", "Name", ""
KEY_INFO = "KeyInfo"
# Of shapes that are called otherwise where they stand alone.
_NAMED = {KEY_INFO: "subjectPublicKeyInfo"}

# A certificate nests ten deep and has some 80 elements; one with hundreds of names has hundreds more.
_DEEPEST = 24
_MOST_NODES = 4000

# A shape: the names of its members, and their shapes. "name[n]" stands there only with the tag [n], "name?"
# only as a BOOLEAN; "..." repeats the one before it.
_Shape: TypeAlias = tuple[tuple[str, str], ...]
_SHAPES: dict[str, _Shape] = {
    CERTIFICATE: (("tbsCertificate", "TBS"), ("signatureAlgorithm", "Algorithm"), ("signatureValue", "")),
    "TBS": (
        ("version[0]", "Version"), ("serialNumber", ""), ("signature", "Algorithm"), ("issuer", NAME),
        ("validity", "Validity"), ("subject", NAME), ("subjectPublicKeyInfo", KEY_INFO),
        ("issuerUniqueID[1]", ""), ("subjectUniqueID[2]", ""), ("extensions[3]", "Explicit"),
    ),
    "Version": (("version", ""),),
    "Algorithm": (("algorithm", ""), ("parameters", "")),
    "Validity": (("notBefore", ""), ("notAfter", "")),
    KEY_INFO: (("algorithm", "Algorithm"), ("subjectPublicKey", "")),
    "Explicit": (("extensions", "Extensions"),),
    "Extensions": (("extension", "Extension"), ("...", "")),
    "Extension": (("extnID", ""), ("critical?", ""), ("extnValue", "")),
    NAME: (("relative name", "RDN"), ("...", "")),
    "RDN": (("attribute", "Attribute"), ("...", "")),
    "Attribute": (("type", ""), ("value", "")),
    ECDSA_SIGNATURE: (("ECDSA r", ""), ("ECDSA s", "")),
    # What the values of extensions hold, by the names of these.
    "basicConstraints": (("cA?", ""), ("pathLenConstraint", "")),
    "extKeyUsage": (("purpose", ""), ("...", "")),
    "subjectAltName": (("name", ""), ("...", "")),
    "authorityKeyIdentifier": (
        ("keyIdentifier[0]", ""), ("authorityCertIssuer[1]", ""), ("authorityCertSerialNumber[2]", ""),
    ),
}  # fmt: skip

# Shapes that mean what their members do, one after another.
_LISTS = frozenset({NAME, "RDN", "extKeyUsage", "subjectAltName"})
# RFC 5280 4.2.1.3: the bits of keyUsage, from the first.
_KEY_USAGES = (
    *("digitalSignature", "contentCommitment", "keyEncipherment", "dataEncipherment", "keyAgreement"),
    *("keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"),
)

# Names that are used elsewhere too, or have none of their own, and where they are explained.
_ABOUT = {
    "version": "x509/version", "signature": "x509/signature", "extensions": "x509/extensions",
    "tag and length": "x509/header", "Certificate": "cert_data",
}  # fmt: skip
_EXPLAINED = frozenset({
    "tbsCertificate", "serialNumber", "issuer", "validity", "notBefore", "notAfter", "subject",
    "subjectPublicKeyInfo", "subjectPublicKey", "signatureAlgorithm", "signatureValue", "critical",
    "subjectAltName", "basicConstraints", "keyUsage", "extKeyUsage", "subjectKeyIdentifier",
    "authorityKeyIdentifier", "nameConstraints", "certificatePolicies", "cRLDistributionPoints",
    "authorityInfoAccess", "signedCertificateTimestampList", "ECDSA r", "ECDSA s",
})  # fmt: skip


def der_nodes(raw: bytes, start: int, end: int, shape: str) -> list[Json]:
    """One node for the element that fills ``raw[start:end]``, its parts within; [] if that is not DER."""
    try:
        element = element_at(raw, start, end)
        return (
            [_Reader(raw).node(element, _NAMED.get(shape, shape) or type_name(element.tag), shape, 0)]
            if element.end == end
            else []
        )
    except NotDer:
        return []


class _Reader:
    """Makes the nodes of one value, and counts them."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.made = 0

    def node(self, element: Element, name: str, shape: str, depth: int) -> Json:
        self.made += 1
        if depth > _DEEPEST or self.made > _MOST_NODES:
            raise NotDer
        members = self.members(element, shape, depth)
        if members is None:
            value, meaning = told(self.raw, element)
            meaning = meaning or (_key_usage(self.raw, element) if shape == "keyUsage" else "")
        else:
            value, meaning = f"{type_name(element.tag)} of {len(members)}", _summary(shape, members)
            if shape == "Extension" and members:
                name = str(members[0].get("meaning", name))
        made: Json = {"name": name, "at": element.at, "size": element.end - element.at, "value": value}
        if meaning:
            made["meaning"] = meaning
        if about := _ABOUT.get(name, name if name in _EXPLAINED else ""):
            made["about"] = about
        return made if members is None else made | {"parts": [_header(self.raw, element), *members]}

    def members(self, element: Element, shape: str, depth: int) -> list[Json] | None:
        """The nodes within an element; None if there are only bytes."""
        if element.tag == OCTET_STRING:
            return self.wrapped(element, shape, depth)
        if not element.constructed:
            return None
        names = list(_SHAPES.get(shape, ()))
        nodes: list[Json] = []
        for member in elements_in(self.raw, element.start, element.end):
            name, inner = _next_name(names, member)
            if name == "extnValue" and nodes:
                inner = str(nodes[0].get("meaning", ""))
            nodes.append(self.node(member, name or type_name(member.tag), inner, depth + 1))
        return nodes

    def wrapped(self, element: Element, shape: str, depth: int) -> list[Json] | None:
        """The value of an extension is DER within an OCTET STRING. Other octets are left alone."""
        if not shape:
            return None
        try:
            inner = element_at(self.raw, element.start, element.end)
            if inner.end != element.end:
                return None
            # The name of the extension stands above it already.
            return [
                self.node(inner, type_name(inner.tag), shape if inner.tag != OCTET_STRING else "", depth + 1)
            ]
        except NotDer:
            return None


def _header(raw: bytes, element: Element) -> Json:
    count = element.end - element.start
    return {
        "name": "tag and length", "at": element.at, "size": element.start - element.at,
        "value": raw[element.at : element.start].hex(), "about": _ABOUT["tag and length"],
        "meaning": f"{type_name(element.tag)}, {count} byte{'' if count == 1 else 's'}",
    }  # fmt: skip


def _next_name(names: list[tuple[str, str]], element: Element) -> tuple[str, str]:
    """The name and shape of the next member; those that are optional and not there are passed over."""
    while names:
        name, shape = names[0]
        base, bracket, number = name.partition("[")
        if len(names) > 1 and names[1][0] == "...":
            return name, shape
        names.pop(0)
        if bracket and element.context != int(number[:-1]):
            continue
        if name.endswith("?") and element.tag != BOOLEAN:
            continue
        return base.removesuffix("?"), shape
    return "", ""


def _said(node: Json) -> str:
    return str(node.get("meaning") or node["value"])


def _summary(shape: str, members: Sequence[Json]) -> str:
    """What a known shape comes to, in a few words."""
    if not members:
        return {"basicConstraints": "no authority"}.get(shape, "")
    if shape in _LISTS:
        return ", ".join(_said(member) for member in members)
    match shape:
        case "Algorithm" | "KeyInfo":
            return ", ".join(
                _said(member) for member in members if member["name"] in ("algorithm", "parameters")
            )
        case "Attribute":
            return "=".join(_said(member) for member in members)
        case "Validity":
            return " to ".join(_said(member) for member in members)
        case "Extension":
            inner = members[-1].get("parts", ())
            return str(inner[-1].get("meaning", "")) if inner else ""
        case "basicConstraints":
            limit = [f"at most {member['value']} below it" for member in members[1:]]
            return ", ".join(
                ["an authority" if members[0].get("meaning") == "yes" else "no authority", *limit]
            )
        case "Certificate":
            subjects = [part for part in members[0].get("parts", ()) if part["name"] == "subject"]
            return _said(subjects[0]) if subjects else ""
    return ""


def _key_usage(raw: bytes, element: Element) -> str:
    """The names of the bits of a BIT STRING, whose first byte says how many at its end do not count."""
    bits = "".join(f"{byte:08b}" for byte in raw[element.start + 1 : element.end])
    return ", ".join(name for name, bit in zip(_KEY_USAGES, bits, strict=False) if bit == "1")
