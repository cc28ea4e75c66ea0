"""Which certificates are leaves, what would be sent with each, and whether it stands in the right order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cryptography import x509

from pellucid.errors import CertificateRejected
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.inspection.model import Finding, Found, note
from pellucid.identity.inspection.reading import Material
from pellucid.identity.rules import is_ca, look_at

_ORDER = "The leaf first, then each one's issuer. The root may be left out."


def leaves_of(material: Material) -> list[Found]:
    """The certificates that a server or client would present, each once.

    They are those that have one of the keys, and those that are no authority's; where there is neither, the
    only one that has issued none of the others, if a server could present it: a self-signed one often calls
    itself a CA.
    """
    everyone = material.certificates
    keys = {key.public for key in material.keys}
    leaves = [one for one in everyone if one.public in keys or not _is_ca(one)]
    if not leaves:
        issuers = {other.fields.issuer for other in everyone if not other.issued_by_itself}
        leaves = [one for one in everyone if one.fields.subject not in issuers and _is_presentable(one)]
        if len({one.der for one in leaves}) > 1:
            return []
    # A leaf is often in two files (cert.pem, fullchain.pem): the one with its chain counts.
    counts = _counts(everyone)
    best: dict[bytes, Found] = {}
    for leaf in leaves:
        known = best.setdefault(leaf.der, leaf)
        if counts[leaf.source] > counts[known.source]:
            best[leaf.der] = leaf
    return list(best.values())


def _is_ca(found: Found) -> bool:
    try:
        return is_ca(look_at(found.certificate, 0))
    except CertificateRejected:
        return False


def _is_presentable(authority: Found) -> bool:
    """Whether an authority's certificate may be that of a server as well: it names one, or its key may do
    anything, as with those that `openssl req -x509` makes.
    """
    try:
        extensions = authority.certificate.extensions
    except UNDECODABLE:
        return False
    kinds = {type(extension.value) for extension in extensions}
    return x509.SubjectAlternativeName in kinds or x509.KeyUsage not in kinds


def _counts(everyone: Iterable[Found]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in everyone:
        counts[one.source] = counts.get(one.source, 0) + 1
    return counts


def chain_of(leaf: Found, leaves: Sequence[Found], material: Material) -> tuple[Found, ...]:
    """What would be sent: the leaf, and what else its file has; if that is nothing, the files without a leaf,
    as servers have them that want leaf and chain apart.
    """
    others = [one for one in material.certificates if one.source == leaf.source and one.der != leaf.der]
    if not others:
        with_leaf = {one.source for one in leaves}
        apart = [one for one in material.certificates if one.source not in with_leaf and one.der != leaf.der]
        others = list({one.der: one for one in apart}.values())
    shown = {one.der for one in leaves}
    return (leaf, *(one for one in others if one.der not in shown))


def order_findings(chain: Sequence[Found]) -> Iterator[Finding]:
    """What is wrong with the order of a chain, and what is in it for nothing."""
    leaf, *rest = chain
    if leaf.number > 1:
        sentence = f"{leaf.where} is the leaf, and does not stand first: servers send the file as it is"
        yield Finding("leaf_not_first", sentence, fix=_ORDER)
    unique: dict[bytes, Found] = {}
    for one in rest:
        if one.der in unique:
            yield Finding("duplicate_certificate", f"{one.where} stands there twice", fix="Leave one out.")
        unique.setdefault(one.der, one)
    path = _path(leaf, list(unique.values()))
    ancestors = [one for one in unique.values() if one in path]
    if ancestors != path:
        wanted = ", ".join(f'"{one.subject}"' for one in (leaf, *path))
        # RFC 5246 7.4.2: "Each following certificate MUST directly certify the one preceding it."
        sentence = f"the chain of {leaf.where} is not in order, which TLS 1.2 demands; it should be {wanted}"
        yield Finding("chain_out_of_order", sentence, fix=_ORDER)
    everyone = (leaf, *unique.values())
    for one in unique.values():
        if one in path:
            if one.issued_by_itself:
                sentence = f"{one.where} is a root, which every client has or does not trust: {_BYTES}"
                yield note("root_sent", sentence)
        elif not any(one.issued(other) for other in everyone):
            sentence = f"{one.where} has issued none of the others: {_BYTES}"
            yield Finding("unrelated_certificate", sentence, fix="Leave it out, or find the one meant.")


_BYTES = "to send it costs bytes, and helps nobody"


def _path(leaf: Found, others: Sequence[Found]) -> list[Found]:
    """The issuers of ``leaf`` in order, the first of each name."""
    path: list[Found] = []
    following: Found | None = leaf
    while following is not None:
        child = following
        following = next((one for one in others if one.issued(child) and one not in path), None)
        if following is not None:
            path.append(following)
    return path
