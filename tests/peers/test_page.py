"""The page in headless Chromium: what a reader does with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import client_config, credential, server_config
from pages import converse

from browser import CHROMIUM, Browser
from pellucid.trace import Trace
from pellucid.trace.html import page
from support import DEADLINE_SECONDS

pytestmark = pytest.mark.peer("Chromium", CHROMIUM)

DESKTOP, PHONE = (1400, 900), (390, 844)
PANE, PINNED, HOT = "#pane article", "#pane .b.pinned", "#pane .b.hot"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


def written(folder: Path, *options: str) -> str:
    """The address of the page of a demonstration."""
    file = folder / "page.html"
    command = [sys.executable, "-m", "pellucid", "demo", "--seed", "5", "--html", file, *options]
    subprocess.run(command, check=True, capture_output=True, timeout=DEADLINE_SECONDS)
    return file.as_uri()


@pytest.fixture(scope="module")
def tls13(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("tls13"), "--mutual")


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("resumed"), "--resume")


@pytest.fixture(scope="module")
def tls12(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("tls12"), "--tls", "1.2", "--key-exchange", "rsa")


@pytest.fixture
def show(browser: Browser) -> Iterator[Browser]:
    """A browser that shows nothing yet; afterwards nothing may have gone wrong in it."""
    browser.pretend()
    browser.resize(*DESKTOP)
    browser.open("about:blank")
    browser.errors.clear()
    browser.requests.clear()
    yield browser
    assert browser.errors == []
    beyond = [one for one in browser.requests if not one.startswith(("file:", "data:", "about:"))]
    assert beyond == []


def count(browser: Browser, selector: str) -> int:
    return int(browser.run(f"document.querySelectorAll({selector!r}).length"))


def address(browser: Browser) -> str:
    return str(browser.run("location.hash"))


@pytest.mark.parametrize("kind", ["tls13", "resumed", "tls12"])
def test_it_opens_and_asks_for_nothing_else(show: Browser, request: pytest.FixtureRequest, kind: str) -> None:
    show.open(request.getfixturevalue(kind))
    assert "step by step" in show.text("h1")
    assert "ClientHello" in show.text(PANE)
    assert [one for one in show.requests if one.startswith("file:")] == [request.getfixturevalue(kind)]
    assert count(show, ".step") > 15


STORIES = {
    "retried": ["--group", "secp384r1"],
    "dhe": ["--tls", "1.2", "--key-exchange", "dhe", "--mutual"],
    "large": ["--certificate", "mldsa65"],
}


@pytest.mark.parametrize("options", STORIES.values(), ids=STORIES.keys())
def test_other_stories_open_as_well(show: Browser, tmp_path: Path, options: list[str]) -> None:
    show.open(written(tmp_path, *options))
    show.press("o")
    steps = count(show, ".step")
    show.wait_for(f"document.querySelectorAll('.inline article').length === {steps}")


def test_hidden_secrets_leave_recipes(show: Browser, tmp_path: Path) -> None:
    file = tmp_path / "hidden.html"
    file.write_text(page([converse(client_config(), server_config(), reveal=False)], heading="Hidden"))
    show.open(f"{file.as_uri()}#key-main-secret")
    assert "not shown" in show.text("#key-pane")
    show.click("#key-pane .recompute summary")
    assert "hexsalt:DERIVED_HANDSHAKE_SECRET" in show.text("#key-pane .recompute")


def test_a_trace_of_nothing_makes_a_page_of_nothing(show: Browser, tmp_path: Path) -> None:
    file = tmp_path / "empty.html"
    file.write_text(page([Trace()], heading="Nothing"))
    show.open(file.as_uri())
    show.press("ArrowRight")
    show.press("End")
    assert "0 steps" in show.text("#sequence")


def test_keys_and_buttons_step_through(show: Browser, tls13: str) -> None:
    show.open(tls13)
    show.press("ArrowRight")
    show.wait_for("location.hash === '#step-2'")
    show.wait_for("document.querySelector('#step-2').getAttribute('aria-current') === 'step'")
    assert show.text(f"{PANE} h3") == "2. The server chooses"
    show.click(f"{PANE} .turn button:last-child")
    show.wait_for("location.hash === '#step-3'")
    show.press("ArrowLeft")
    show.wait_for("location.hash === '#step-2'")
    show.press("End")
    last = count(show, ".step")
    show.wait_for(f"location.hash === '#step-{last}'")
    assert show.run(f"document.querySelector('{PANE} .turn button:last-child').disabled")
    show.press("Home")
    show.wait_for("location.hash === '#step-1'")
    assert count(show, "[aria-current=step]") == 1


def test_pointing_at_a_field_lights_up_its_bytes(show: Browser, tls13: str) -> None:
    show.open(tls13)
    show.hover("#pane .tree > div > div:nth-child(4) .name")
    show.wait_for(f"document.querySelectorAll('{HOT}').length === 32")
    assert "bytes 6\u201337 (32 bytes): random" in show.text("#pane .readout")
    assert show.run(f"document.querySelector('{HOT}').dataset.at") == "6"


def test_pointing_at_a_byte_lights_up_its_field(show: Browser, tls13: str) -> None:
    show.open(tls13)
    show.hover('#pane .b[data-at="5"]')
    show.wait_for(f"document.querySelectorAll('{HOT}').length === 2")
    assert "legacy_version" in show.text("#pane .field.hot")
    assert "bytes 4\u20135" in show.text("#pane .readout")


def test_a_click_keeps_the_field_and_puts_it_into_the_address(show: Browser, tls13: str) -> None:
    show.open(tls13)
    show.click('#pane .b[data-at="40"]')
    show.wait_for("location.hash === '#step-1:39-70'")
    assert count(show, PINNED) == 32
    assert "middleboxes" in show.text("#pane .about")


def test_a_deep_link_leads_to_the_bytes(show: Browser, tls13: str) -> None:
    show.open(f"{tls13}#step-4:6-37")
    assert show.text(f"{PANE} h3") == "4. ServerHello"
    assert count(show, PINNED) == 32
    assert "fresh bytes from the server" in show.text("#pane .about")


def test_a_deep_link_opens_what_is_folded(show: Browser, tls13: str) -> None:
    show.open(f"{tls13}#certificates")
    link = show.run("document.querySelector('#certificates .rows a').getAttribute('href')")
    show.open(tls13 + link)
    first, last = (int(number) for number in link.partition(":")[2].split("-"))
    assert count(show, PINNED) == last - first + 1
    assert "Certificate" in show.text("#pane .field.pinned")
    assert "CN=localhost" in show.text("#pane .field.pinned")


def test_an_address_that_leads_nowhere_shows_the_beginning(show: Browser, tls13: str) -> None:
    for nowhere in (
        "#step-999",
        "#record-0:1-2",
        "#key-none",
        "#connection-7/step-1",
        "#%00",
        "#step-1:9999-10000",
    ):
        show.open("about:blank")
        show.open(tls13 + nowhere)
        assert "ClientHello" in show.text(PANE)


def test_search_finds_fields_values_and_bytes(show: Browser, tls13: str) -> None:
    show.open(tls13)
    show.press("/")
    show.type("supported_groups secp384r1")
    show.wait_for("document.querySelectorAll('.found a').length > 0")
    show.press("ArrowDown")
    show.press("Enter")
    show.wait_for("location.hash.startsWith('#step-1:')")
    show.wait_for("document.querySelector('#pane .field.pinned')?.textContent.includes('supported_groups')")
    show.run("document.getElementById('search').value = ''")
    show.run("document.getElementById('search').focus()")
    show.type("11ec 001d")
    show.wait_for("document.querySelector('.found .what')?.textContent.startsWith('bytes ')")
    show.press("Enter")
    show.wait_for("location.hash !== ''")
    show.run("document.getElementById('search').value = ''")
    show.type("no such thing at all")
    show.wait_for("document.querySelector('.found p')?.textContent === 'Nothing found.'")
    show.press("Escape")
    assert show.run("document.querySelector('.found').hidden")


def test_the_network_sees_records_and_nothing_in_them(show: Browser, tls13: str) -> None:
    show.open(tls13)
    assert "EncryptedExtensions" in show.text("#sequence ol")
    show.press("w")
    show.wait_for("document.getElementById('wire').getAttribute('aria-pressed') === 'true'")
    seen = show.text("#sequence ol")
    assert "EncryptedExtensions" not in seen
    assert "Finished" not in seen
    assert "derives" not in seen
    assert "looks like application_data" in seen
    show.press("w")
    assert "EncryptedExtensions" in show.text("#sequence ol")


def test_an_encrypted_record_opens_and_shuts(show: Browser, tls13: str) -> None:
    show.open(tls13)
    show.click(".frame .toggle")
    assert show.run("document.querySelector('.frame .toggle').getAttribute('aria-expanded')") == "false"
    assert show.run("document.querySelector('.frame > ol').offsetHeight") == 0
    show.click(".frame-head .pick")
    show.wait_for("location.hash.startsWith('#record-')")
    assert "This is all that the network sees" in show.text(PANE)
    assert "EncryptedExtensions (step 7)" in show.text(PANE)
    show.click(f"{PANE} p a")
    show.wait_for("document.querySelector('.frame > ol').offsetHeight > 0")
    assert address(show) == "#step-7"


def test_a_secret_shows_where_it_comes_from_and_where_it_goes(show: Browser, tls13: str) -> None:
    show.open(f"{tls13}#key-shared-secret")
    card = "#key-pane article"
    assert show.text(f"{card} h3") == "shared_secret"
    show.click(f"{card} .inputs a")
    show.wait_for("/^#step-\\d+:\\d+-\\d+$/.test(location.hash)")
    show.wait_for("document.querySelector('#pane .field.pinned')?.textContent.includes('key_exchange')")
    show.open(f"{tls13}#key-handshake-secret")
    assert count(show, ".secret.related") == 5
    assert count(show, ".wires path.hot") == 5
    show.click(f"{card} summary")
    assert "openssl kdf" in show.text(f"{card} .recompute")
    show.click("#key-main-secret")
    show.wait_for("location.hash === '#key-main-secret'")
    assert show.text(f"{card} h3") == "main_secret"


def test_an_earlier_connection_is_a_link_away(show: Browser, resumed: str) -> None:
    show.open(f"{resumed}#key-early-secret")
    show.click("#key-pane .inputs a")
    show.wait_for("location.hash === '#connection-1/key-resumption-psk'")
    show.wait_for("document.querySelector('#key-pane h3').textContent === 'resumption_psk'")
    assert "Connection 1" in show.text(".tabs [aria-current=true]")
    assert "CertificateVerify" in show.text("#sequence ol")
    show.click(".tabs a:last-child")
    show.wait_for("!document.querySelector('#sequence ol').textContent.includes('CertificateVerify')")
    assert address(show) == "#sequence"


def test_everything_opens_at_once(show: Browser, tls12: str) -> None:
    show.open(tls12)
    show.press("o")
    show.wait_for("document.getElementById('open-all').getAttribute('aria-pressed') === 'true'")
    steps = count(show, ".step")
    assert count(show, ".inline article") == steps
    assert count(show, ".all-secrets article") == count(show, ".graph .secret")
    assert count(show, "details:not([open])") == 0
    assert "client_write_key" in show.text(".all-secrets")
    show.press("o")
    assert count(show, ".inline article") == 0
    assert count(show, PANE) == 1


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


def test_every_step_and_every_secret_can_be_shown(show: Browser, tls13: str) -> None:
    show.open(tls13)
    for number in range(1, count(show, ".step") + 1):
        show.open(f"{tls13}#step-{number}")
        assert show.text(f"{PANE} h3").startswith(f"{number}. ")
    for key in show.run("[...document.querySelectorAll('.graph .secret')].map((one) => one.id)"):
        show.open(f"{tls13}#{key}")
        assert show.run("document.querySelector('#key-pane article') !== null")
    for record in show.run("[...document.querySelectorAll('.frame')].map((one) => one.dataset.record)"):
        show.open(f"{tls13}#record-{record}")
        assert f"record {record}" in show.text(f"{PANE} h3").lower()


def test_a_failure_leads(show: Browser, tmp_path: Path) -> None:
    file = tmp_path / "failed.html"
    trace = converse(client_config(), server_config(credentials=[credential(names=("example.org",))]))
    file.write_text(page([trace], heading="localhost port 4433", place=("localhost", 4433)))
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
