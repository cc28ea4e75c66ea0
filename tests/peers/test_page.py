"""The page in headless Chromium: what a reader does with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from loopback import client_config, connect_pair, pump, server_config
from pages import converse

from browser import CHROMIUM, Browser
from pellucid.trace import Trace
from pellucid.trace.html import page
from showing import HOT, PANE, PINNED, count, written

pytestmark = pytest.mark.peer("Chromium", CHROMIUM)


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
    assert show.run("document.querySelector('#sequence')") is None
    assert show.text(".chips") == "how it ended is not known"


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


def test_arrows_scroll_a_long_command_where_it_has_the_focus(show: Browser, tls13: str) -> None:
    show.open(f"{tls13}#key-main-secret")
    show.click("#key-pane .recompute summary")
    show.run("document.querySelector('#key-pane pre').focus()")
    show.press("ArrowRight")
    show.press("End")
    assert address(show) == "#key-main-secret"
    show.press("n")
    show.wait_for("location.hash === '#step-2'")


def test_steps_that_are_left_out_are_stepped_over(show: Browser, tmp_path: Path) -> None:
    file = tmp_path / "long.html"
    trace = Trace(limit=10_000, clock=lambda: 0.0)
    client, server = connect_pair(client_config(trace=trace), server_config(trace=trace))
    pump(client, server)
    for _ in range(250):
        client.send_data(b"x")
        pump(client, server)
        server.send_data(b"y")
        pump(client, server)
    file.write_text(page([trace], heading="Long"))
    show.open(file.as_uri())
    gap = "[...document.querySelectorAll('.pause')].find((one) => one.innerText.includes('not shown'))"
    assert "steps not shown" in show.run(f"{gap}.innerText")
    before, after = (
        int(show.run(f"{gap}.{way}ElementSibling.querySelector('.step .number').innerText"))
        for way in ("previous", "next")
    )
    assert after > before + 1
    show.open(f"{file.as_uri()}#step-{before}")
    show.press("ArrowRight")
    show.wait_for(f"location.hash === '#step-{after}'")
    show.press("ArrowLeft")
    show.wait_for(f"location.hash === '#step-{before}'")
