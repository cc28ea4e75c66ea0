"""Which of the policies offer which suite, group and signature scheme: for the glossary."""

from pellucid.policy import (
    POLICIES,
    SUPPORTED_CIPHER_SUITES,
    SUPPORTED_GROUPS,
    SUPPORTED_SIGNATURE_SCHEMES,
)

__all__ = ["standings"]


def standings() -> dict[str, tuple[str, ...]]:
    """The policies' names by IANA name; none for what is spoken when it is asked for, and not otherwise."""
    supported = (*SUPPORTED_CIPHER_SUITES, *SUPPORTED_GROUPS, *SUPPORTED_SIGNATURE_SCHEMES)
    # By name, since a suite and a group may have the same number.
    offers = {
        policy: {code.name for code in (*has.cipher_suites, *has.groups, *has.signature_schemes)}
        for policy, has in POLICIES.items()
    }
    names = (code.name for code in supported)
    return {name: tuple(policy for policy, offer in offers.items() if name in offer) for name in names}
