"""Turns the text of RFC 8448 into `rfc8448.json`: `python from_rfc8448.py rfc8448.txt > rfc8448.json`.

Run only to make the data again; the tests read the JSON. The RFC prints each trace as steps,
`{side}  what is done:`, each followed by named values in hexadecimal with their length. This keeps the
values, under the names of RFC 9846, and drops what the RFC repeats for the other side. Lengths that the RFC
states are checked here, so that a page break in the middle of a value cannot lose a byte.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TRACES = {
    "3": "simple_1rtt",
    "4": "resumed_0rtt",
    "5": "hello_retry_request",
    "6": "client_authentication",
    "7": "compatibility_mode",
}
SECRETS = {
    "c e traffic": "client_early_traffic_secret",
    "e exp master": "early_exporter_secret",
    "c hs traffic": "client_handshake_traffic_secret",
    "s hs traffic": "server_handshake_traffic_secret",
    "c ap traffic": "client_application_traffic_secret_0",
    "s ap traffic": "server_application_traffic_secret_0",
    "exp master": "exporter_secret",
    "res master": "resumption_secret",
    "resumption": "resumption_psk",
}
EXTRACTED = {"early": "early_secret", "handshake": "handshake_secret", "master": "main_secret"}
HELLO_RETRY_REQUEST_RANDOM = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
OTHER = {"client": "server", "server": "client"}

VALUE = re.compile(r"^ {6}([A-Za-z][A-Za-z ]*?)(?: \((\d+) octets\))?: +(.*)$")
MORE = re.compile(r"^ {9}((?:[0-9a-f]{2} ?)+)$")
STEP = re.compile(r"^ {3}\{(client|server)\}  (.*)$")
KEY_PART = re.compile(r"^ {3}([a-z0-9 ]+?)(?: \(public\))?:  (.*)$")


@dataclass
class Step:
    """One step of a trace: who does what, and the values (hex) shown with it."""

    side: str
    title: str
    values: dict[str, str] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)


def lines_of(text: str) -> list[str]:
    """The lines without the page headers and footers."""
    furniture = re.compile(r"^(Thomson .*\[Page \d+\]|RFC 8448 .* 2019|\f.*)$")
    return [line for line in text.splitlines() if not furniture.match(line)]


def steps_of(lines: list[str]) -> list[Step]:
    steps: list[Step] = []
    name = ""
    in_title = False
    for line in lines:
        if start := STEP.match(line):
            steps.append(Step(start[1], start[2]))
            in_title = True
        elif in_title and line.strip():
            steps[-1].title += " " + line.strip()
        elif value := VALUE.match(line):
            name = value[1]
            steps[-1].lengths[name] = int(value[2] or 32)
            steps[-1].values[name] = value[3] if re.match("[0-9a-f]{2}( |$)", value[3]) else ""
            if value[3].startswith("0 (all zero"):
                steps[-1].values[name] = "00" * 32
        elif (more := MORE.match(line)) and steps:
            steps[-1].values[name] += more[1]
        in_title = in_title and bool(line.strip())
    for step in steps:
        for name, text in step.values.items():
            step.values[name] = text.replace(" ", "")
            if len(step.values[name]) != 2 * step.lengths[name]:
                raise ValueError(f"{step.title}: {name} is not {step.lengths[name]} octets long")
    return steps


def label_of(step: Step) -> str:
    quoted = re.search(r'"(?:tls13 )?([^"]+)"', step.title)
    if quoted is None:
        raise ValueError(f"{step.title}: no label")
    return quoted[1]


def secret_of(step: Step) -> dict[str, str]:
    """The record of one HKDF-Extract or HKDF-Expand-Label."""
    value, label = step.values, label_of(step)
    if step.title.startswith("extract"):
        return {
            "name": EXTRACTED[label], "operation": "HKDF-Extract",
            "salt": value["salt"], "ikm": value["IKM"], "value": value["secret"],
        }  # fmt: skip
    derived = "derived_for_main" if "for master" in step.title else "derived_for_handshake"
    return {
        "name": SECRETS.get(label, derived), "operation": "HKDF-Expand-Label", "secret": value["PRK"],
        "label": label, "context": value["hash"], "hkdf_label": value["info"], "value": value["expanded"],
    }  # fmt: skip


def message_name(name: str, raw: str) -> str:
    is_retry = name == "ServerHello" and raw[12:76] == HELLO_RETRY_REQUEST_RANDOM
    return "HelloRetryRequest" if is_retry else name


def trace_of(name: str, section: str, steps: list[Step]) -> dict[str, Any]:
    lists = ("key_shares", "messages", "records", "secrets", "traffic_keys", "finished", "binders")
    trace: dict[str, Any] = {"name": name, "section": section} | {key: [] for key in lists}
    for step in steps:
        value, title, side = step.values, step.title, step.side
        if not value:
            continue  # the other side's "(same as ...)"
        if pair := re.match(r"create an ephemeral (\S+) key pair", title):
            group = {"P-256": "secp256r1"}.get(pair[1], pair[1])
            trace["key_shares"].append(
                {"side": side, "group": group, "private_key": value["private key"],
                 "key_exchange": value["public key"]}
            )  # fmt: skip
        elif made := re.match(r"construct an? (\S+) handshake message", title):
            raw = value[made[1]]
            trace["messages"].append({"sender": side, "name": message_name(made[1], raw), "raw": raw})
        elif sent := re.match(r"send (\S+) record", title):
            trace["records"].append(
                {"sender": side, "content_type": sent[1], "content": value["payload"],
                 "record": value["complete record"]}
            )  # fmt: skip
            complete_client_hello(trace, value["payload"])
        elif keys := re.match(r"derive (read|write) traffic keys for (early|handshake|application)", title):
            sender = side if keys[1] == "write" else OTHER[side]
            trace["traffic_keys"].append(
                {"sender": sender, "epoch": keys[2], "secret": value["PRK"],
                 "key": value["key expanded"], "iv": value["iv expanded"]}
            )  # fmt: skip
        elif title.startswith("calculate PSK binder"):
            trace["binders"].append(
                {"truncated_client_hello": value["ClientHello prefix"],
                 "transcript_hash": value["binder hash"], "binder_key": value["PRK"],
                 "finished_key": value["expanded"], "binder": value["finished"]}
            )  # fmt: skip
        elif title.startswith("calculate finished"):
            trace["finished"].append(
                {"sender": side, "secret": value["PRK"], "finished_key": value["expanded"],
                 "verify_data": value["finished"]}
            )  # fmt: skip
        else:
            known = secret_of(step)
            if known not in trace["secrets"]:
                trace["secrets"].append(known)
    return trace


def complete_client_hello(trace: dict[str, Any], payload: str) -> None:
    """A ClientHello with a PSK is printed without its binders at first: take it as it was sent."""
    for message in trace["messages"]:
        if message["name"] == "ClientHello" and payload.startswith(message["raw"]):
            message["raw"] = payload


def key_of(lines: list[str]) -> dict[str, str]:
    """Section 2: the RSA key that the server of most traces uses (big-endian numbers)."""
    parts: dict[str, str] = {}
    name = ""
    for line in lines:
        if part := KEY_PART.match(line):
            name = part[1].strip().replace(" ", "_")
            parts[name] = part[2]
        elif name and re.match(r"^ {6}(?:[0-9a-f]{2} ?)+$", line):
            parts[name] += line
    return {name: text.replace(" ", "") for name, text in parts.items() if re.match("[0-9a-f]{2}", text)}


def first_certificate(message: bytes) -> bytes:
    """The first cert_data of a Certificate message whose certificate_request_context is empty."""
    start = 4 + 1 + 3 + 3
    return message[start : start + int.from_bytes(message[start - 3 : start], "big")]


def main() -> None:
    lines = lines_of(Path(sys.argv[1]).read_text(encoding="utf-8"))
    at = {match[1]: index for index, line in enumerate(lines) if (match := re.match(r"^(\d)\.  \S", line))}
    document: dict[str, Any] = {"source": "RFC 8448", "rsa_private_key": key_of(lines[at["2"] : at["3"]])}
    document["traces"] = [
        trace_of(name, section, steps_of(lines[at[section] : at[str(int(section) + 1)]]))
        for section, name in TRACES.items()
    ]
    document["rsa_certificate"] = next(
        first_certificate(bytes.fromhex(message["raw"])).hex()
        for trace in document["traces"]
        for message in trace["messages"]
        if message["name"] == "Certificate" and message["sender"] == "server"
    )
    json.dump(document, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
