"""Name constraints along a path (RFC 5280 4.2.1.10, 6.1.3 and 6.1.4): what CAs allow those below them to be
called.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NoReturn

from cryptography import x509

from pellucid.errors import Reason
from pellucid.identity import rules
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.reasoning.subtrees import Subtrees, Unreadable, form_of, names_of
from pellucid.identity.rules import Seen
from pellucid.printable import printable

#: Names looked up in the constraints of one search. Real certificates have some hundred names under one or
#: two constrained CAs; each look-up takes a few microseconds.
MAX_LOOKUPS = 1 << 15


class NameConstraints:
    """Those of one case's certificates: read once, and with a bound on the work for all its paths."""

    __slots__ = ("_lookups", "_names", "_subtrees")

    def __init__(self) -> None:
        self._lookups = 0
        self._subtrees: dict[x509.Certificate, tuple[Subtrees | None, Subtrees | None]] = {}
        self._names: dict[x509.Certificate, list[x509.GeneralName]] = {}

    def check(
        self, seen: Seen, above: Seen, *, wildcards: bool = True, also: Sequence[x509.GeneralName] = ()
    ) -> None:
        """That ``above`` lets ``seen``, a certificate below it in its path, have its names.

        ``wildcards``: one is excluded already if any name that it stands for is. ``also``: further names that
        somebody takes for its own.

        Raises CertificateRejected: ``name_constraint_violated`` for a name that is not allowed,
        ``unsupported_certificate`` for what cannot be held against the constraints.
        """
        if above.find(x509.NameConstraints) is None:
            return
        # RFC 5280 4.2.1.10: "not applied to self-issued certificates (unless the certificate is the final
        # certificate in the path)"
        if seen.position and self_issued(seen.certificate):
            return
        permitted, excluded = self._constraints(above)
        if permitted is None and excluded is None:
            return
        owner = rules.where(above.certificate, above.position)
        for name in (*self._names_of(seen), *also):
            try:
                if excluded is not None and form_of(name) in excluded.forms:
                    self._count(seen)
                    if excluded.hold(name, any_of_it=wildcards):
                        _refuse(seen, name, f"which the name constraints of {owner} exclude")
                # "Restrictions apply only when the specified name form is present."
                if permitted is not None and form_of(name) in permitted.forms:
                    self._count(seen)
                    if not permitted.hold(name, any_of_it=False):
                        _refuse(seen, name, f"which the name constraints of {owner} do not permit")
            except Unreadable as error:
                what = f"has the name {_shown(name)}, which {error}"
                fault = f"{what}, under the name constraints of {owner}"
                seen.refuse(Reason.UNSUPPORTED_CERTIFICATE, fault)

    def _count(self, seen: Seen) -> None:
        self._lookups += 1
        if self._lookups > MAX_LOOKUPS:
            fault = f"has more names under name constraints than the {MAX_LOOKUPS} that are looked up"
            seen.refuse(Reason.CERTIFICATE_CHAIN_TOO_LONG, fault)

    def _constraints(self, seen: Seen) -> tuple[Subtrees | None, Subtrees | None]:
        found = self._subtrees.get(seen.certificate)
        if found is None:
            found = self._subtrees[seen.certificate] = _read(seen)
        return found

    def _names_of(self, seen: Seen) -> list[x509.GeneralName]:
        found = self._names.get(seen.certificate)
        if found is None:
            try:
                found = names_of(seen.certificate, seen.extensions)
            except UNDECODABLE as error:
                fault = f"has names that cannot be held against name constraints: {error}"
                seen.refuse(Reason.UNSUPPORTED_CERTIFICATE, fault)
            self._names[seen.certificate] = found
        return found


def self_issued(certificate: x509.Certificate) -> bool:
    """RFC 5280 6.1: "if the same DN appears in the subject and issuer fields"."""
    try:
        return certificate.issuer == certificate.subject
    except UNDECODABLE:
        return False


def _read(seen: Seen) -> tuple[Subtrees | None, Subtrees | None]:
    extension = seen.find(x509.NameConstraints)
    assert extension is not None
    # pyca drops "minimum" and "maximum". RFC 5280 4.2.1.10: "the application MUST either process these fields
    # or reject the certificate"
    if extension.value.public_bytes() not in seen.certificate.tbs_certificate_bytes:
        fault = "has name constraints with parts that are not understood (minimum or maximum)"
        seen.refuse(Reason.UNSUPPORTED_CERTIFICATE, fault)
    try:
        permitted, excluded = (
            None if subtrees is None else Subtrees(subtrees)
            for subtrees in (extension.value.permitted_subtrees, extension.value.excluded_subtrees)
        )
    except Unreadable as error:
        seen.refuse(Reason.BAD_CERTIFICATE, f"has a name constraint that {error}")
    return permitted, excluded


def _refuse(seen: Seen, name: x509.GeneralName, fault: str) -> NoReturn:
    seen.refuse(Reason.NAME_CONSTRAINT_VIOLATED, f"has the name {_shown(name)}, {fault}")


_FORMS: dict[type[x509.GeneralName], str] = {
    x509.DNSName: "DNS",
    x509.IPAddress: "IP",
    x509.RFC822Name: "email",
    x509.UniformResourceIdentifier: "URI",
    x509.DirectoryName: "directory",
    x509.RegisteredID: "registered ID",
    x509.OtherName: "other name",
}


def shown_names(names: Iterable[x509.GeneralName]) -> str:
    """Names for people, in one line: as many as fit."""
    return printable(", ".join(map(_shown, islice(names, 100))), 300)


def _shown(name: x509.GeneralName) -> str:
    value = name.value
    if isinstance(value, x509.Name):
        value = value.rfc4514_string()
    elif isinstance(value, x509.ObjectIdentifier):
        value = value.dotted_string
    elif isinstance(name, x509.OtherName):
        value = name.type_id.dotted_string
    return printable(f"{_FORMS.get(type(name), 'name')}:{value}", 200)
