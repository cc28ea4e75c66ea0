"""Every fault is investigated: what is found is what is wrong, and never anything else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from investigating import found

from pellucid.config import ClientConfig
from pellucid.faults import FAULTS, Bench, Fault
from pellucid.trace.texts import Place, texts
from pellucid.why import MOST_PROBES, Effect, Factor, Finding, Probe
from pellucid.why.document import document
from pellucid.why.plan import NAMES_NO_CAUSE
from pellucid.why.telling import confirm, fix

PLACE = Place("example.org", 443)

#: What makes the difference, where something does; nothing in the ClientHello does for the others.
ISOLATED = {
    "no_shared_cipher_suite": Factor.CIPHER_SUITES,
    "no_shared_group": Factor.GROUPS,
    "no_shared_signature_scheme": Factor.SIGNATURE_SCHEMES,
    "client_certificate_missing": Factor.CLIENT_CERTIFICATE,
    "client_certificate_missing_tls12": Factor.CLIENT_CERTIFICATE,
    "client_certificate_untrusted": Factor.CLIENT_CERTIFICATE,
    "client_certificate_untrusted_tls12": Factor.CLIENT_CERTIFICATE,
    "alpn_mismatch": Factor.ALPN,
    "unrecognized_name": Factor.NAME,
    "silent_to_large_client_hello": Factor.HELLO_SIZE,
}
#: By what was tried, and not by the first connection alone.
PROVED = {*ISOLATED, "key_does_not_match_certificate"} - {"silent_to_large_client_hello"}

#: These need a client that goes on behind the handshake: for who only connects there is nothing wrong.
LATER = {name for name, fault in FAULTS.items() if fault.needs == "a client that sends a request"}

EVERY_FAULT = pytest.mark.parametrize(
    "fault", [fault for name, fault in FAULTS.items() if name not in LATER], ids=lambda fault: fault.id
)


def investigated(fault: Fault, bench: Bench) -> Finding:
    config = ClientConfig(trust=bench.laboratory.trust, **fault.client(bench))
    return found(fault.prepare(bench), config)


@EVERY_FAULT
def test_the_cause_is_found_and_no_other(fault: Fault, bench: Bench) -> None:
    finding = investigated(fault, bench)
    assert finding.first.failure == fault.diagnosis
    assert finding.cause == ("" if fault.cause in NAMES_NO_CAUSE else fault.cause)
    assert finding.isolated == ((ISOLATED[fault.id],) if fault.id in ISOLATED else ())
    assert finding.proved == (fault.id in PROVED)
    assert finding.steady is not False
    assert finding.untried == ()


@EVERY_FAULT
def test_what_made_a_difference_is_tried_again_and_the_same_unchanged(fault: Fault, bench: Bench) -> None:
    finding = investigated(fault, bench)
    assert len(finding.tried) <= MOST_PROBES
    unchanged = [one.effect for one in finding.tried if one.probe.factor is Factor.NOTHING]
    assert set(unchanged) <= {Effect.SAME}
    if finding.isolated:
        assert unchanged
        assert any(one.probe.repeats and one.differs for one in finding.tried)
        assert (finding.repeated, finding.steady) == (True, True)


CHANGES = {
    Factor.NAME: {"name"},
    Factor.ALPN: {"alpn"},
    Factor.VERSION: {"versions"},
    Factor.HELLO_SIZE: {"shares"},
    Factor.GROUPS: {"groups"},
    Factor.CIPHER_SUITES: {"suites"},
    Factor.SIGNATURE_SCHEMES: {"schemes"},
    Factor.CLIENT_CERTIFICATE: {"credentials"},
    Factor.NOTHING: set(),
}


@EVERY_FAULT
def test_a_probe_changes_one_thing_alone(fault: Fault, bench: Bench) -> None:
    config = ClientConfig(trust=bench.laboratory.trust, **fault.client(bench))
    before = hello_of(config)
    for probe in probes_of(fault, bench, config):
        after = hello_of(replace(config, **probe.settings))
        changed = {what for what, values in before.items() if after[what] != values}
        if probe.factor is Factor.VERSION:
            # What a version alone has goes with it, and nothing comes in its place.
            taken_along = changed - {"versions"}
            assert all(set(after[what]) < set(before[what]) for what in taken_along)
            changed -= {"suites", "groups", "shares"}
        assert changed == ({"groups", "shares"} if probe.counters else CHANGES[probe.factor])


def probes_of(fault: Fault, bench: Bench, config: ClientConfig) -> list[Probe]:
    probes: list[Probe] = []
    found(fault.prepare(bench), config, probes=probes)
    return probes


def hello_of(config: ClientConfig) -> dict[str, tuple[object, ...]]:
    """What a ClientHello depends on."""
    parameters = config.parameters
    return {
        "name": (config.send_server_name,),
        "alpn": tuple(config.alpn_protocols),
        "versions": parameters.protocols,
        "credentials": tuple(config.credentials),
        "schemes": parameters.signature_schemes,
        "suites": parameters.cipher_suites,
        "groups": parameters.groups,
        "shares": config.share_groups,
    }


@EVERY_FAULT
def test_it_is_told(fault: Fault, bench: Bench) -> None:
    finding = investigated(fault, bench)
    told = document(finding, PLACE)
    assert told["text"]
    assert [probe["connection"] for probe in told["probes"]] == [*range(2, len(finding.tried) + 2)]
    assert all(probe["showed"] and probe["change"] for probe in told["probes"])
    advice = fix(finding, PLACE) + confirm(finding, PLACE)
    assert bool(advice) == (finding.proved or bool(finding.isolated))
    assert "{" not in advice


def test_every_factor_has_its_words() -> None:
    known = texts("why.toml")
    assert set(known) == set(Factor)
    for words in known.values():
        assert set(words) == {"short", "label", "isolated", "fix"}
        assert len(words["short"]) <= len("cipher suites")
