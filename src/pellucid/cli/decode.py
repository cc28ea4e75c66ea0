"""``pellucid decode``: the connections of a capture as a list, and one of them told step by step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import SHOWN, readable_file, showing
from pellucid.printable import escaped, printable

if TYPE_CHECKING:
    from pellucid.cli.findings import Findings
    from pellucid.cli.listing import Listing
    from pellucid.cli.output import Output
    from pellucid.decode import Decoded, Decoder

__all__ = ["decode"]

_LONGEST_TITLE = 50

_HELP = """Explain a capture: list its connections, and tell one of them step by step.

FILE is a capture, pcap or pcapng, as tcpdump, Wireshark and --pcapng of the other commands write it; - is
standard input. First comes the list: when, to which server, which version, how it ended, and whether it
could be decrypted. Then, if only one connection has TLS, or --connection chooses one, its story.

What is encrypted is opened with secrets. They stand in the capture itself (pcapng can have them), or in a
key log: most clients write one to the file that SSLKEYLOGFILE names, if it is set when they start. TLS 1.2
with RSA key exchange is opened by the server's private key, too. Without any, what is in the clear is told.

Of certificates the signatures are checked, and with --cafile also path, names and dates, as of the time of
the connection: which roots the client trusts, a capture does not tell.

The data that was sent is counted and not shown. To read it as well, here and with a key log beside it:
tshark -r FILE -q -z follow,tls,ascii,0 (-o tls.keylog_file:KEYS).

\b
Examples:
  pellucid decode trace.pcapng
  pellucid decode trace.pcap --keylog keys.txt
  pellucid decode trace.pcap --keylog keys.txt --connection 3 -v
  pellucid decode old.pcap --key server-key.pem          RSA key exchange
  pellucid decode trace.pcapng --json - | jq '.connections[0].outcome'
  tcpdump -w - tcp port 443 | pellucid decode -   until Ctrl-C

\b
To have secrets, record both while the client runs:
  tcpdump -w trace.pcap tcp port 443
  SSLKEYLOGFILE=keys.txt curl https://example.org/

Exit codes: 0 the capture was read, whatever became of its connections, and also where it ends early, which
standard error and the JSON tell; 2 it is no capture, or nothing can be read of it, or an option is wrong.
"""


@dataclass(frozen=True)
class Request:
    """What to read, with what to open it, and which connection to tell."""

    file: str
    keylogs: tuple[Path, ...] = ()
    keys: tuple[Path, ...] = ()
    cafile: Path | None = None
    connection: int | None = None


@click.command(help=_HELP)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--keylog",
    "keylogs",
    type=readable_file(),
    multiple=True,
    metavar="FILE",
    help="Read secrets from this key log (RFC 9850); can be repeated. Default: SSLKEYLOGFILE, if set.",
)
@click.option(
    "--key",
    "keys",
    type=readable_file(),
    multiple=True,
    metavar="FILE",
    help="A server's private RSA key (PEM), for RSA key exchange; can be repeated.",
)
@click.option(
    "--cafile",
    type=readable_file(),
    metavar="FILE",
    help="Judge certificates by these roots (PEM), such as the system's /etc/ssl/certs/ca-certificates.crt."
    " Default: by none.",
)
@click.option(
    "--connection",
    type=click.IntRange(min=1),
    metavar="N",
    help="Tell this connection, by its number in the list, and no other.",
)
@showing
@click.pass_context
def decode(context: click.Context, /, **options: Any) -> None:
    """The command; its help is ``_HELP``."""
    from pellucid.cli.output import Output

    shown = {name: options.pop(name) for name in SHOWN}
    output = context.with_resource(Output(**shown, writes_keys=False))
    run(Request(**options), output)


def run(request: Request, output: Output) -> None:
    """Read the capture, write what is to be written of it while it is read, then show it."""
    from pellucid.cli.findings import Findings, where
    from pellucid.cli.opening import key_material, trust_store
    from pellucid.cli.source import Unreadable, named, opened
    from pellucid.decode import Decoder

    _keep_what_is_read(request, output)
    name = named(request.file)
    findings = Findings(output, request.connection)
    keys = key_material(request.keylogs, request.keys, output)
    trust = trust_store(request.cafile)
    # With data on the terminal, a bar would stand in its way.
    with opened(request.file, bar=not output.data_on_terminal) as source:
        decoder = Decoder(
            source, keys=keys, trust=trust, wanted=findings.wants, reveal_secrets=output.reveal_secrets
        )
        problem = findings.read(decoder)
    if problem and not decoder.packets:
        raise Unreadable(f"{name}: {where(problem)}")
    if request.connection and findings.chosen is None:
        total = findings.listing.total
        there = f"it has {total:,}, counted from 1" if total else "it has none"
        early = f". It ends early: {where(problem)}" if problem else ""
        raise click.UsageError(f"there is no connection {request.connection} in {name}: {there}{early}")
    findings.finish(decoder, problem)
    _show(request, output, findings, decoder)
    if problem:
        output.warn(f"{name} ends early, and what comes before has been told: {where(problem)}")
    _write_page(request, output, findings)


def _keep_what_is_read(request: Request, output: Output) -> None:
    """No output may take the place of what is read: a slip would cost a capture."""
    given = [Path(request.file), *request.keylogs, *request.keys]
    for option, name in (("--json", output.json_file), ("--html", output.html_file)):
        if name is None or not Path(name).is_file():
            continue
        if any(one.is_file() and one.samefile(name) for one in given):
            raise click.UsageError(f"{option}: {escaped(name)} is to be read, and would be overwritten")


def _show(request: Request, output: Output, findings: Findings, decoder: Decoder) -> None:
    """The list, and the story of the one that was chosen or is the only one."""
    from pellucid.cli.table import show_list, show_reasons

    story, listing, chosen = output.story, findings.listing, findings.chosen
    if request.connection is None:
        story.heading(_title(request))
        for text in _overview(listing, decoder, verbose=story.verbosity > 0):
            story.paragraph(text, "", 0)
        if listing.total:
            story.line()
            show_list(story, listing)
        if chosen is None:
            show_reasons(story, listing)
            if listing.tls > 1:
                story.line()
                number = listing.failures.first if listing.failures else listing.lowest
                story.paragraph(
                    f"To see one of them step by step, add --connection {number} (or another).", "", 0
                )
            return
        story.line()
    if chosen:
        _tell(output, chosen)


def _title(request: Request) -> str:
    """The file's name, without the way to it."""
    from pellucid.cli.source import named

    return printable(Path(named(request.file)).name, _LONGEST_TITLE)


def _overview(listing: Listing, decoder: Decoder, *, verbose: bool) -> Iterable[str]:
    packets = f"{decoder.packets:,} packet{'' if decoder.packets == 1 else 's'}"
    if listing.first is None or listing.last is None:
        yield f"{packets}, and no TCP connection in them."
    else:
        begin, end = f"{listing.first:%Y-%m-%d %H:%M:%S}", f"{listing.last:%Y-%m-%d %H:%M:%S}"
        until = end.removeprefix(f"{listing.first:%Y-%m-%d} ")
        when = begin if begin == end else f"{begin} to {until}"
        tls = f"{listing.tls:,} of them" if listing.tls else "none"
        yield (
            f"{packets}, {when} UTC: {listing.total:,} TCP connection{'' if listing.total == 1 else 's'}, "
            f"{'' if listing.tls == listing.total else f'{tls} '}with TLS."
        )
    if decoder.skipped and (verbose or not decoder.segments):
        counts = sorted(decoder.skipped.items(), key=lambda item: -item[1])
        reasons = ", ".join(f"{reason} ({count:,})" for reason, count in counts)
        yield f"Packets passed over: {reasons}."
    known = decoder.keys.connections
    if known and (verbose or listing.sealed):
        yield f"There are secrets of {known:,} connection{'' if known == 1 else 's'}."


def _tell(output: Output, decoded: Decoded) -> None:
    """The story of one connection, to its end."""
    from pellucid.cli.report import show_failure, show_summary
    from pellucid.trace.narration import narrate
    from pellucid.trace.summary import summarise

    story = output.story
    story.heading(f"connection {decoded.number}: {_between(decoded)}")
    if decoded.trace is None:
        return
    steps = narrate(decoded.trace.events)
    story.steps(steps)
    if steps:
        story.line()
    summary = summarise(decoded.trace.events)
    show_summary(story, summary)
    outcome = summary.outcome
    if outcome and outcome.status == "connected":  # and yet not all was as it should be
        for step in (each for each in steps if not each.ok):
            story.row("look at", f"step {step.number}, which failed: {step.title}", style="bold red")
    if outcome and outcome.failure:
        show_failure(story, outcome.failure, place=decoded.trace.place, seen_on=outcome.side)
    if decoded.trace.dropped:
        story.paragraph(
            f"There was more than a story holds: {decoded.trace.dropped:,} records are not in it, nor in its "
            f"sizes. In all the client sent {decoded.bytes_from_client:,} bytes, and the server "
            f"{decoded.bytes_from_server:,}.",
            "dim",
        )


def _between(decoded: Decoded) -> str:
    name = f" ({printable(decoded.server_name)})" if decoded.server_name else ""
    return f"{decoded.client} → {decoded.server}{name}"


def _write_page(request: Request, output: Output, findings: Findings) -> None:
    if output.html_file is None:
        return
    shown, which = findings.for_page()
    traces = [one.trace for one in shown if one.trace]
    if not traces:
        output.warn("--html: there is no connection with TLS to show, so no page was written")
        return
    last = shown[-1]
    if which:
        output.warn(f"the page has {which}; --connection N makes one of any other")
        heading = _title(request)
        note = f"Here are {which} in the capture. The last of them is shown first."
    else:
        heading = f"{_title(request)}, connection {last.number}"
        note = _between(last)
    output.write_html(traces, heading=heading, note=note)
