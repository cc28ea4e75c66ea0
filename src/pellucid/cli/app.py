"""The group of all commands."""

import click

import pellucid
from pellucid.cli.check import check
from pellucid.cli.connect import connect
from pellucid.cli.decode import decode
from pellucid.cli.demo import demo
from pellucid.cli.explain import explain
from pellucid.cli.serve import serve

__all__ = ["app"]

_HELP = """TLS you can see through: every step of a handshake, told as it happens.

\b
Examples:
  pellucid demo                       a handshake on this machine, explained
  pellucid demo --group secp384r1     one that needs a HelloRetryRequest
  pellucid demo --tls 1.2 --key-exchange rsa    that of the textbooks
  pellucid connect example.org        what a real server says
  pellucid serve                      shows visitors what they offer
  pellucid check fullchain.pem key.pem    what is wrong with these files
  pellucid decode trace.pcapng        what is in a capture, decrypted
  pellucid explain handshake_failure  what a name, number or word means

\b
Exit codes: 0 done, 1 internal error, 2 usage, 3 name or TCP failure,
4 negotiation failed, 5 we rejected the peer's certificate,
6 the peer rejected ours, 7 timeout, 8 the peer does not speak TLS,
10 findings.
"""


@click.group(help=_HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(pellucid.__version__, "-V", "--version", prog_name="pellucid")
def app() -> None:
    """The group; its text is ``_HELP``."""


app.add_command(demo)
app.add_command(connect)
app.add_command(serve)
app.add_command(check)
app.add_command(decode)
app.add_command(explain)
