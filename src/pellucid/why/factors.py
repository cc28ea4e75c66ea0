"""The factors that can make a handshake fail, and what changes each of them alone in a ClientHello."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pellucid.codes import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme
from pellucid.config import ClientConfig
from pellucid.errors import Misuse
from pellucid.identity import ServerName
from pellucid.identity.lab import Laboratory
from pellucid.policy import (
    FINITE_FIELDS,
    POLICIES,
    SUPPORTED_CIPHER_SUITES,
    SUPPORTED_GROUPS,
    SUPPORTED_SIGNATURE_SCHEMES,
)
from pellucid.why.seen import Seen

__all__ = ["Factor", "Probe", "again", "as_long_without_hybrids", "once_more", "probes"]

_V13, _V12 = ProtocolVersion.TLSv1_3, ProtocolVersion.TLSv1_2

#: What most servers with HTTP inside know: offered where nothing was.
_USUAL_ALPN = ("h2", "http/1.1")

#: RFC 2606 2: a name that nobody has, for a certificate that nobody trusts.
_NOBODY = "pellucid.invalid"


class Factor(StrEnum):
    """What one further connection changes. The values are part of the JSON."""

    NAME = "name"
    ALPN = "alpn"
    VERSION = "version"
    HELLO_SIZE = "hello_size"
    GROUPS = "groups"
    CIPHER_SUITES = "cipher_suites"
    SIGNATURE_SCHEMES = "signature_schemes"
    CLIENT_CERTIFICATE = "client_certificate"
    #: The same again, to see whether the failure stays.
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One further connection.

    change      what is other than in the first connection, in a few words
    settings    of a ``ClientConfig``: all that a ClientHello depends on, so that nothing else changes
    widens      offers all that the first did and more, so that what the server then takes was lacking
    added       the names of what is offered more
    counters    a counterproof: it does without what is suspected in another way
    repeats     the same change was tried before, and made a difference
    """

    factor: Factor
    change: str
    settings: Mapping[str, Any] = field(repr=False)
    widens: bool = False
    added: tuple[str, ...] = ()
    counters: bool = False
    repeats: bool = False


def once_more(probe: Probe) -> Probe:
    """The same change again, to see whether what it showed was chance."""
    return replace(probe, change=f"the same change again ({probe.change})", repeats=True)


def again(config: ClientConfig) -> Probe:
    """The first connection once more."""
    return Probe(factor=Factor.NOTHING, change="the same again, unchanged", settings=_as_first(config))


def probes(factor: Factor, config: ClientConfig, name: ServerName | None, first: Seen) -> Iterator[Probe]:
    """What changes this factor alone, the most telling first; nothing where it cannot be changed.

    ``config`` and ``name`` are those of the first connection, ``first`` what it showed.
    """
    for probe in _MAKERS[factor](config, name, first):
        settings = _as_first(config) | dict(probe.settings)
        try:
            replace(config, trace=False, **settings)
        except Misuse:
            continue  # such as TLS 1.2 alone with a suite of TLS 1.3
        yield replace(probe, settings=settings)


def _as_first(config: ClientConfig) -> dict[str, Any]:
    """All that policies and defaults came to, by name: a change of one list must not move another."""
    return {
        "protocols": config.parameters.protocols,
        "cipher_suites": config.parameters.cipher_suites,
        "groups": config.parameters.groups,
        "signature_schemes": config.parameters.signature_schemes,
        "extended_master_secret": config.extended_master_secret,
        "key_shares": config.share_groups,
        "alpn_protocols": config.alpn_protocols,
        "credentials": config.credentials,
        "trust": config.trust,
    }


def _same_again(config: ClientConfig, _name: ServerName | None, _first: Seen) -> Iterator[Probe]:
    yield again(config)


def _name(config: ClientConfig, name: ServerName | None, _first: Seen) -> Iterator[Probe]:
    if name is not None and name.server_name is not None and config.send_server_name:
        settings = {"send_server_name": False}
        yield Probe(factor=Factor.NAME, change="does not say which name is meant (no SNI)", settings=settings)


def _alpn(config: ClientConfig, _name: ServerName | None, _first: Seen) -> Iterator[Probe]:
    if config.alpn_protocols:
        change = "offers no application protocol (no ALPN)"
        yield Probe(factor=Factor.ALPN, change=change, settings={"alpn_protocols": ()})
    else:
        change = f"offers the application protocols {' and '.join(_USUAL_ALPN)} (ALPN)"
        settings = {"alpn_protocols": _USUAL_ALPN}
        yield Probe(factor=Factor.ALPN, change=change, settings=settings, widens=True, added=_USUAL_ALPN)


def _version(config: ClientConfig, _name: ServerName | None, first: Seen) -> Iterator[Probe]:
    if len(config.parameters.protocols) > 1:
        for version in _alone(first):
            change = f"offers {_told(version)} alone"
            yield Probe(factor=Factor.VERSION, change=change, settings={"protocols": (version,)})
        return
    ours = _V13 if _V13 in config.parameters.protocols else _V12
    theirs = _V12 if ours is _V13 else _V13
    usual = POLICIES["default"]
    # Of the other version there is nothing in these lists; what has to come with it is the usual.
    settings = {
        "protocols": (_V13, _V12),
        "cipher_suites": _more(config.parameters.cipher_suites, usual.cipher_suites),
        "groups": _more(config.parameters.groups, usual.groups),
        "signature_schemes": _more(config.parameters.signature_schemes, usual.signature_schemes),
        "key_shares": config.share_groups or None,
    }
    yield Probe(
        factor=Factor.VERSION,
        change=f"offers {_told(theirs)} as well as {_told(ours)}",
        settings=settings,
        widens=True,
        added=(str(theirs),),
    )


def _alone(first: Seen) -> tuple[ProtocolVersion, ...]:
    """Which of two offered versions to offer alone: where one was chosen, the other."""
    if first.failure == "downgrade_detected":
        return (_V13,)  # that the server chose it under the other shows too late
    if first.protocol:
        return (_V13,) if first.protocol == str(_V12) else (_V12,)
    # Somebody who knows the newer one only says so; what does not say anything knows the older one.
    return (_V12, _V13) if first.direction == "received" else (_V12,)


def _told(version: ProtocolVersion) -> str:
    return str(version).replace("TLSv", "TLS ")


def _hello_size(config: ClientConfig, _name: ServerName | None, _first: Seen) -> Iterator[Probe]:
    if not any(map(_is_hybrid, config.share_groups)):
        return
    kept = tuple(group for group in config.share_groups if not _is_hybrid(group))
    classical = kept or tuple(group for group in config.parameters.groups if not _is_hybrid(group))[:1]
    change = "sends no post-quantum key share: a shorter ClientHello, with the same lists"
    yield Probe(factor=Factor.HELLO_SIZE, change=change, settings={"key_shares": classical})


def as_long_without_hybrids(config: ClientConfig) -> Probe:
    """The counterproof to a shorter hello: one that is as long, and has nothing post-quantum in it."""
    classical = tuple(group for group in config.parameters.groups if not _is_hybrid(group))
    fields = tuple(group for group in SUPPORTED_GROUPS if group in FINITE_FIELDS)
    # Of finite fields they are 256 to 512 bytes each; together they exceed the 1,216 of X25519MLKEM768.
    groups = _more(classical, fields)
    return Probe(
        factor=Factor.HELLO_SIZE,
        change="has nothing post-quantum, and is as long by key shares of finite fields",
        settings=_as_first(config) | {"groups": groups, "key_shares": groups},
        counters=True,
    )


def _groups(config: ClientConfig, _name: ServerName | None, _first: Seen) -> Iterator[Probe]:
    yield from _wider(Factor.GROUPS, "groups", config.parameters.groups, SUPPORTED_GROUPS)


def _suites(config: ClientConfig, _name: ServerName | None, first: Seen) -> Iterator[Probe]:
    if first.cipher_suite.startswith("TLS_DHE_"):
        # It came as far as that: what is offered decides, not what is lacking.
        rest = [suite for suite in config.parameters.cipher_suites if "_DHE_" not in suite.name]
        change = "offers no Diffie-Hellman in finite fields (DHE)"
        yield Probe(factor=Factor.CIPHER_SUITES, change=change, settings={"cipher_suites": rest})
        return
    yield from _wider(
        Factor.CIPHER_SUITES, "cipher suites", config.parameters.cipher_suites, SUPPORTED_CIPHER_SUITES
    )


def _schemes(config: ClientConfig, _name: ServerName | None, first: Seen) -> Iterator[Probe]:
    if first.leaf is not None:
        yield from _other_kind(config, first.leaf.key)
        return
    ours = config.parameters.signature_schemes
    yield from _wider(Factor.SIGNATURE_SCHEMES, "signature schemes", ours, SUPPORTED_SIGNATURE_SCHEMES)


def _other_kind(config: ClientConfig, key: str) -> Iterator[Probe]:
    """Without the signatures of this kind of key: many servers have two certificates, of two kinds."""
    kind = "rsa_" if key.startswith("RSA") else "ecdsa_" if key.startswith("EC ") else ""
    rest = (
        [scheme for scheme in config.parameters.signature_schemes if not scheme.name.startswith(kind)]
        if kind
        else []
    )
    if rest:
        signed = "RSA" if kind == "rsa_" else "ECDSA"
        change = f"takes no signature by {signed}: another certificate, if there is one"
        yield Probe(factor=Factor.SIGNATURE_SCHEMES, change=change, settings={"signature_schemes": rest})


def _certificate(config: ClientConfig, _name: ServerName | None, _first: Seen) -> Iterator[Probe]:
    if config.credentials:
        change = "shows no certificate of ours"
        yield Probe(factor=Factor.CLIENT_CERTIFICATE, change=change, settings={"credentials": ()})
        return
    change = "shows a certificate of ours that was made for this and that nobody trusts"
    made = Laboratory(None, config.clock()).credential("ecdsa", (_NOBODY,), "client")
    yield Probe(
        factor=Factor.CLIENT_CERTIFICATE, change=change, settings={"credentials": (made,)}, widens=True
    )


def _wider(
    factor: Factor,
    what: str,
    ours: Iterable[NamedGroup | CipherSuite | SignatureScheme | str],
    all_there_are: Iterable[NamedGroup | CipherSuite | SignatureScheme],
) -> Iterator[Probe]:
    wide = _more(ours, all_there_are)
    added = tuple(str(code) for code in wide if code not in tuple(ours))
    if added:
        change = f"offers {len(added)} more {what}, all that pellucid knows"
        setting = factor.value
        yield Probe(factor=factor, change=change, settings={setting: wide}, widens=True, added=added)


def _more(ours: Iterable[Any], others: Iterable[Any]) -> tuple[Any, ...]:
    """In order, each once."""
    return tuple(dict.fromkeys((*ours, *others)))


def _is_hybrid(group: NamedGroup | str) -> bool:
    return "MLKEM" in str(group)


_MAKERS = {
    Factor.NAME: _name,
    Factor.ALPN: _alpn,
    Factor.VERSION: _version,
    Factor.HELLO_SIZE: _hello_size,
    Factor.GROUPS: _groups,
    Factor.CIPHER_SUITES: _suites,
    Factor.SIGNATURE_SCHEMES: _schemes,
    Factor.CLIENT_CERTIFICATE: _certificate,
    Factor.NOTHING: _same_again,
}
