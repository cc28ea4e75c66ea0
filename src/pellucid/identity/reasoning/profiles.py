"""Which rules each profile has. A profile is a list of rules, and a path is good if all of them hold."""

from typing import Final

from pellucid.identity.reasoning import catalogue as c
from pellucid.identity.reasoning import strictness as s
from pellucid.identity.reasoning.view import Rule

#: RFC 5280 6.1 as private CAs need it: any key that TLS knows, identifiers and criticality as they may be.
PRIVATE: Final = (
    c.EXTENSIONS, c.DATES, c.LEAF_KEY, c.CA_KEY, c.SIGNATURE_ALGORITHM, c.SIGNATURE,
    c.VERSION, c.IS_CA, c.PATH_LENGTH, c.KEY_CERT_SIGN, c.KEY_USAGE, c.PURPOSE, c.NAME, c.NAME_CONSTRAINTS,
    c.ISSUER_NAME, c.CRITICAL_EXTENSIONS, c.ENCRYPTION_KEY,
)  # fmt: skip

_STRICT = (
    c.EXTENSIONS, c.DATES, c.KEY, c.SIGNATURE_ALGORITHM, c.SIGNATURE, c.VERSION,
    c.IS_CA, c.PATH_LENGTH_ALL, c.KEY_CERT_SIGN, c.KEY_USAGE, c.PURPOSE, c.NAME, c.NAME_CONSTRAINTS,
    c.ISSUER_NAME, c.LEAF_NO_CA, c.LEAF_SIGNS_NOTHING, c.CONSTRAINTS_CRITICAL, c.CA_KEY_USAGE,
    c.ENCRYPTION_KEY,
)  # fmt: skip

#: The web's chains through keys that pyca's verifier does not know: as strict with what a CA is.
WEB_OUTSIDE: Final = (*_STRICT, c.CRITICAL_EXTENSIONS)

#: The web's as pyca judges it, in words.
WEB: Final = (
    *_STRICT, s.SIGNATURE_PARAMETERS, s.CONSTRAINT_FORMS, s.UNKNOWN_CRITICAL, s.CRITICALITY,
    s.LEAF_EXTENSIONS, s.AUTHORITY_KEY_IDENTIFIER,
)  # fmt: skip

#: A leaf that is itself trusted. Somebody who trusts a self-signed certificate means this very one, so its
#: signature says nothing, and it may call itself a CA, as `openssl req -x509` makes it.
TRUSTED_LEAF: Final = (
    c.EXTENSIONS, c.VERSION, c.DATES, c.CRITICAL_EXTENSIONS, c.KEY_USAGE, c.PURPOSE, c.NAME, c.LEAF_KEY,
    c.ENCRYPTION_KEY,
)  # fmt: skip


def rules_of(profile: str, length: int, *, outside_pyca: bool) -> tuple[Rule, ...]:
    """The rules of ``web`` or ``private`` for a path of ``length`` certificates to a trusted one.

    ``outside_pyca``: an issuer in it has a key that pyca's verifier does not know.
    """
    if length == 1:
        return TRUSTED_LEAF
    if profile == "private":
        return PRIVATE
    return WEB_OUTSIDE if outside_pyca else WEB
