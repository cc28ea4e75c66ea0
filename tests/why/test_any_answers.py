"""Whatever the further connections show: it ends, stays within its bounds, and proves nothing by chance."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.config import ClientConfig
from pellucid.identity import TrustStore, parse_server_name
from pellucid.identity.lab import Laboratory
from pellucid.trace.texts import Place, texts
from pellucid.why import MOST_PROBES, Effect, Factor, Finding, Seen, Stage, investigate
from pellucid.why.document import document

LABORATORY = Laboratory(b"any answers", 1_767_225_600)
TRUST = TrustStore.from_certificates((LABORATORY.root,))
CONFIGS = [
    ClientConfig(trust=TRUST),
    ClientConfig(trust=TRUST, policy="modern", alpn_protocols=["h2"]),
    ClientConfig(trust=TRUST, protocols=["TLSv1.2"], cipher_suites=["TLS_RSA_WITH_AES_128_CBC_SHA"]),
    ClientConfig(trust=TRUST, policy="compatible", groups=["ffdhe2048"], key_shares=[]),
    ClientConfig(trust=TRUST, credentials=[LABORATORY.credential("ecdsa", ("me.example",), "client")]),
]
NAMES = [None, parse_server_name("localhost"), parse_server_name("192.0.2.1")]
SUITES = ["", "TLS_AES_128_GCM_SHA256", "TLS_AES_128_CCM_8_SHA256", "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"]

failures = st.sampled_from(sorted(texts("failures.toml")))


@st.composite
def answers(draw: st.DrawFn) -> Seen:
    stage = draw(st.sampled_from(Stage))
    failed: dict[str, Any] = {}
    if stage is not Stage.CONNECTED:
        direction = draw(st.sampled_from([None, "sent", "received"]))
        failed = {"failure": draw(failures), "direction": direction, "alert": direction and "internal_error"}
    return Seen(
        stage=stage,
        hello_length=draw(st.sampled_from([0, 240, 1460, 1578])),
        protocol=draw(st.sampled_from(["", "TLSv1.2", "TLSv1.3"])),
        cipher_suite=draw(st.sampled_from(SUITES)),
        group=draw(st.sampled_from(["", "x25519", "secp521r1"])),
        scheme=draw(st.sampled_from(["", "ed25519", "mldsa44"])),
        alpn=draw(st.sampled_from(["", "h2"])),
        asked=draw(st.booleans()),
        shown=draw(st.booleans()),
        **failed,
    )


@settings(max_examples=400, deadline=None)
@given(
    config=st.sampled_from(CONFIGS),
    name=st.sampled_from(NAMES),
    first=answers(),
    others=st.lists(st.none() | answers(), min_size=20, max_size=20),
)
def test_it_ends_within_its_bounds_and_proves_nothing_by_chance(
    config: ClientConfig, name: Any, first: Seen, others: list[Seen | None]
) -> None:
    made = 0
    investigation = investigate(config, name, first)
    finding: Finding | None = None
    try:
        for answer in [None, *others]:
            investigation.send(answer)
            made += 1
    except StopIteration as end:
        finding = end.value
    assert isinstance(finding, Finding)
    assert made <= MOST_PROBES
    assert len(finding.tried) <= made
    document(finding, Place("example.org", 443))
    assert Factor.NOTHING not in finding.isolated
    if finding.isolated:
        assert finding.steady is not False
        assert finding.decisive
    if finding.proved:
        assert finding.steady
        unchanged = [one.effect for one in finding.tried if one.probe.factor is Factor.NOTHING]
        assert Effect.SAME in unchanged
        assert finding.cause in texts("failures.toml")
        assert len(finding.isolated) == 1 or finding.by_other_key
        assert finding.repeated or finding.by_other_key
    else:
        assert finding.cause in ("", first.failure)
