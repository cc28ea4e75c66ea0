"""How the page looks in headless Chromium: large, small, light, dark, on paper, and to who listens."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from loopback import client_config, credential, server_config
from pages import converse

from browser import CHROMIUM, Browser
from pellucid.capture import CaptureError
from pellucid.decode import Decoded, Decoder
from pellucid.trace.html import page
from pellucid.trace.pcapng import write_pcapng
from pellucid.trace.texts import Place
from showing import PANE, PHONE, count, written

pytestmark = pytest.mark.peer("Chromium", CHROMIUM)


def test_paper_shows_every_step(show: Browser, tls12: str) -> None:
    show.open(f"{tls12}#step-3")
    assert show.pdf().startswith(b"%PDF-")
    show.pretend(media="print")
    show.wait_for(
        "document.querySelectorAll('.inline article').length === document.querySelectorAll('.step').length"
    )
    assert not show.run("document.querySelector('.tools').offsetHeight")
    assert "ServerHelloDone" in show.text("#sequence")
    show.pretend()
    show.wait_for("document.querySelectorAll('.inline article').length === 0")
    assert show.text(f"{PANE} h3").startswith("3. ")


@pytest.mark.parametrize(
    "suite", ["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA"]
)
def test_the_longest_names_fit_a_phone(show: Browser, tmp_path: Path, suite: str) -> None:
    show.resize(*PHONE, mobile=True)
    show.open(written(tmp_path, "--tls", "1.2", "--suite", suite))
    assert show.run("document.documentElement.scrollWidth") <= PHONE[0]
    show.press("o")
    show.wait_for("document.querySelectorAll('.inline article').length > 0")
    assert show.run("document.documentElement.scrollWidth") <= PHONE[0]


def test_a_phone_shows_details_below_their_step(show: Browser, tls13: str) -> None:
    show.resize(*PHONE, mobile=True)
    show.open(f"{tls13}#step-9")
    assert show.run("document.documentElement.scrollWidth") <= PHONE[0]
    assert show.text("#step-9 + .inline h3") == "9. Certificate"
    assert count(show, PANE) == 0
    show.press("ArrowRight")
    show.wait_for("document.querySelector('#step-10 + .inline h3') !== null")
    assert count(show, ".inline article") == 1
    for section in ("keys", "certificates", "choices", "overview"):
        assert show.run(f"document.getElementById('{section}').scrollWidth") <= PHONE[0]


# Of every element with text of its own, how it stands out from what is behind it (WCAG 2.2, 1.4.3).
CONTRASTS = """
(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const parse = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color[3] > 200) return color;
    }
    return parse(getComputedStyle(document.documentElement).colorScheme.includes("dark") ? "#000" : "#fff");
  };
  const poor = [];
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !one.offsetParent || one.closest(".unseen, [disabled], script, style, noscript")) continue;
    const [a, b] = [light(parse(getComputedStyle(one).color)), light(behind(one))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const text = one.textContent.slice(0, 30);
    if (contrast < 4.5) poor.push(`${contrast.toFixed(1)}: ${one.tagName}.${one.className}: ${text}`);
  }
  return [...new Set(poor)];
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_in_dark(show: Browser, tls13: str, scheme: str) -> None:
    show.pretend(scheme=scheme)
    show.open(f"{tls13}#step-1:6-37")
    show.hover('#pane .b[data-at="5"]')
    dark = show.run("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)"
    assert dark is (scheme == "dark")
    assert show.run(CONTRASTS) == []


def test_it_has_landmarks_and_names_for_those_who_listen(show: Browser, tls13: str) -> None:
    show.open(tls13)
    for landmark in ("header", "main", "footer", "nav[aria-label]", "[role=search]", "[aria-live]", "h1"):
        assert count(show, landmark) >= 1
    assert show.run("document.documentElement.lang") == "en"
    nameless = show.run(
        "[...document.querySelectorAll('button, a[href], input')].filter((one) => one.ariaHidden !== 'true'"
        " && !(one.textContent.trim() || one.ariaLabel)).map((one) => one.outerHTML)"
    )
    assert nameless == []
    unlabelled = show.run(
        "[...document.querySelectorAll('#main > section')].filter((one) =>"
        " !document.getElementById(one.getAttribute('aria-labelledby'))).length"
    )
    assert unlabelled == 0
    twice = show.run(
        "(() => { const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);"
        "return ids.filter((id, at) => ids.indexOf(id) !== at); })()"
    )
    assert twice == []
    show.press("ArrowRight")
    show.wait_for("document.getElementById('status').textContent.includes('Step 2: server, chooses')")
    assert show.run("document.activeElement.id") == "step-2"


def test_a_failure_leads(show: Browser, tmp_path: Path) -> None:
    file = tmp_path / "failed.html"
    trace = converse(client_config(), server_config(credentials=[credential(names=("example.org",))]))
    trace.place = Place("localhost", 4433)
    file.write_text(page([trace], heading="localhost port 4433"))
    show.open(file.as_uri())
    assert show.text("h2") == "It failed: hostname mismatch"
    facts = show.text("#failure")
    for label in ("Observed", "Alert", "Inferred", "Possible", "Fix", "Confirm", "Where", "Read on"):
        assert label in facts
    assert "here it fails" in show.text(PANE)
    assert show.run("document.querySelector('.step.failed .pick').getAttribute('aria-current')") == "step"


def test_what_a_peer_says_stays_words(show: Browser, tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)>\"'&"
    file = tmp_path / "evil.html"
    trace = converse(client_config(alpn_protocols=["http/1.1", evil]), server_config())
    file.write_text(page([trace], heading=evil))
    show.open(file.as_uri())
    assert show.text("h1") == evil
    assert show.run("document.title") == evil
    assert count(show, "img") == 0
    show.press("o")
    assert evil in show.text("#sequence")


def closed(folder: Path) -> str:
    """The address of the page of a capture without secrets."""
    file = folder / "closed.html"
    capture = b"".join(write_pcapng([converse(client_config(), server_config())]))
    (found,) = Decoder(BytesIO(capture)).connections()
    assert found.trace is not None
    file.write_text(page([found.trace], heading="Closed"))
    return file.as_uri()


def test_what_stays_closed_is_said_first_and_where_it_begins(show: Browser, tmp_path: Path) -> None:
    show.open(closed(tmp_path))
    said = show.text(".closed-box")
    assert "no secrets" in said
    assert "--keylog" in said
    assert "not all of it could be opened" in show.text(".chips")
    show.click(".closed-box a")
    show.wait_for(f"document.querySelector('{PANE} h3').innerText.includes('stays closed from here')")
    assert show.run("location.hash").startswith("#step-")


def test_a_closed_record_has_its_place_and_its_reason(show: Browser, tmp_path: Path) -> None:
    show.open(closed(tmp_path))
    shut = "#sequence .frame:not(:has(.toggle))"
    assert count(show, shut) >= 4
    assert "closed: encrypted record" in show.text(shut)
    show.click(f"{shut} .pick")
    show.wait_for("/^#record-/.test(location.hash)")
    assert "stays closed from here: no secrets" in show.text(PANE)
    show.press("w")
    assert count(show, shut) >= 4
    show.press("o")
    show.wait_for("document.querySelectorAll('.inline article').length > 0")


def test_bytes_and_fields_stand_side_by_side_on_a_small_screen_too(show: Browser, tls13: str) -> None:
    show.resize(1280, 800)
    show.open(tls13)
    places = show.run(
        "['.hexdump', '.tree'].map((one) => document.querySelector(`#pane ${one}`).getBoundingClientRect())"
        ".map((box) => [box.left, box.right, box.top])"
    )
    (_, right, top), (left, _, other_top) = places
    assert right <= left
    assert abs(top - other_top) < 4
    assert show.run("document.documentElement.scrollWidth") <= 1280


def test_a_secret_is_shown_from_the_beginning(show: Browser, tls13: str) -> None:
    show.open(f"{tls13}#step-4")
    assert show.text("#key-pane h3") == "shared_secret"
    assert count(show, ".graph [aria-current]") == 1
    show.click("#key-pane .recompute summary")
    assert "MLKEM768PrivateKey" in show.text("#key-pane .recompute")


def test_a_client_hello_is_known_by_its_fingerprints(show: Browser, tls13: str) -> None:
    show.open(tls13)
    names = show.text("#pane .fingerprints summary")
    ja4 = names.split("JA4 ")[1].split(",")[0]
    show.press("/")
    show.type(ja4)
    show.wait_for("document.querySelectorAll('.found a').length > 0")
    show.press("Enter")
    show.wait_for("location.hash === '#step-1'")


def test_of_a_refused_path_the_certificate_at_fault_is_marked(show: Browser, tmp_path: Path) -> None:
    file = tmp_path / "refused.html"
    trace = converse(client_config(clock=lambda: 2_500_000_000.0), server_config())
    file.write_text(page([trace], heading="Later"))
    show.open(f"{file.as_uri()}#certificates")
    assert "the path does not hold" in show.text("#certificates")
    assert "expired" in show.text("#certificates .certificate.bad")
    verdicts = show.run(
        "[...document.querySelectorAll('#certificates .verdict')].map((one) => one.innerText)"
    )
    assert not any("_" in verdict for verdict in verdicts)


def test_nothing_moves_by_itself(show: Browser, tls13: str) -> None:
    show.open(tls13)
    show.press("o")
    show.wait_for("document.querySelectorAll('.inline article').length > 0")
    assert show.run("document.getAnimations().length") == 0
    moving = show.run(
        "[...document.querySelectorAll('*')].map((one) => getComputedStyle(one))"
        ".filter((one) => one.animationName !== 'none' || one.scrollBehavior !== 'auto'"
        " || one.transitionDuration.split(', ').some((time) => time !== '0s')).length"
    )
    assert moving == 0


def test_an_end_that_was_not_captured_is_said_not_to_be_known(show: Browser, tmp_path: Path) -> None:
    file = tmp_path / "cut.html"
    capture = b"".join(write_pcapng([converse(client_config(), server_config())]))
    (found,) = connections_until_cut(capture[: len(capture) // 3])
    assert found.trace is not None
    file.write_text(page([found.trace], heading="Cut"))
    show.open(file.as_uri())
    assert "how it ended is not known" in show.text(".chips")
    assert "does not show how it ended" in show.text(".intro")


def connections_until_cut(capture: bytes) -> list[Decoded]:
    found = []
    with pytest.raises(CaptureError):
        found.extend(Decoder(BytesIO(capture)).connections())
    return found
