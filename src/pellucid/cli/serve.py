"""``pellucid serve``: a server that shows each visitor what it offered, and tells every connection."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import (
    CERTIFICATE_KINDS,
    OUTPUTS,
    common,
    crl_option,
    fault_options,
    group_option,
    only_with_faults,
    policy_option,
    readable_file,
    seconds_to_wait,
    suite_option,
    tls_option,
)
from pellucid.cli.raw_keys import raw_key_option, trusted_keys_option

if TYPE_CHECKING:
    from pellucid.cli.serving_settings import Wish

__all__ = ["serve"]

_HELP = """Serve a small page over TLS that shows each client what it offered and what was chosen.

Without --cert the server makes a little PKI of its own: a root, an intermediate and a certificate for
localhost. The root is written to a file, whose name is printed, for the client to trust. Ctrl-C ends it.
SIGHUP has it read the files of --cert, --key, --client-ca and --crl again, for new connections.

\b
Examples:
  pellucid serve --port 4433 --write-root root.pem
      curl --cacert root.pem https://localhost:4433/
      pellucid connect localhost:4433 --cafile root.pem
  pellucid serve --cert fullchain.pem --key key.pem --host 0.0.0.0
  pellucid serve --client-ca clients.pem -v
  pellucid serve --raw-key me.key --client-key device.pub    keys alone
  pellucid serve --tls 1.2 --policy compatible --certificate rsa
  pellucid serve --fault certificate_expired    what says your client to that?
  pellucid serve --fault all --port 5000    every fault, each on its own port
"""


@click.command(help=_HELP)
@tls_option("Accept this version alone. Default: both.")
@policy_option
@click.option("--host", default="localhost", show_default=True, help="Name or address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=4433,
    show_default=True,
    help="Port to listen on; 0 takes any free one, which is printed.",
)
@click.option("--cert", type=readable_file(), metavar="FILE", help="Certificate chain (PEM), leaf first.")
@click.option("--key", type=readable_file(), metavar="FILE", help="The private key of --cert (PEM).")
@click.option(
    "--ocsp",
    type=readable_file(),
    metavar="FILE",
    help="Staple this OCSP response (DER), such as one of openssl ocsp -respout, for --cert.",
)
@click.option(
    "--fetch-ocsp",
    is_flag=True,
    help="Ask the responder that --cert names, and staple its answers.",
)
@click.option(
    "--client-ca", type=readable_file(), metavar="FILE", help="Ask clients for a certificate of these (PEM)."
)
@raw_key_option("Show the public half of this private key (PEM), without a certificate (RFC 7250).")
@trusted_keys_option(
    "--client-key",
    "Ask clients for this key in place of a certificate (RFC 7250), or with --client-ca either.",
)
@crl_option("Refuse clients whose certificates are in this list.")
@click.option(
    "--certificate",
    type=click.Choice(CERTIFICATE_KINDS),
    default="ecdsa",
    show_default=True,
    metavar="KIND",
    help=f"Kind of the laboratory's certificate: {', '.join(CERTIFICATE_KINDS)}.",
)
@click.option(
    "--write-root",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Where to write the laboratory's root; default: a new temporary file.",
)
@group_option("Accept only this group.")
@suite_option("Accept only this cipher suite.")
@click.option(
    "--timeout",
    "timeout_seconds",
    type=seconds_to_wait(),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="What a handshake, and then a request, may take.",
)
@click.option("--connections", type=click.IntRange(min=1), metavar="N", help="End after so many connections.")
@fault_options
@common
@click.pass_context
def serve(context: click.Context, /, **options: Any) -> None:
    """The command; its help is ``_HELP``."""
    from pellucid.cli.output import Output
    from pellucid.cli.serving_settings import Wish

    outputs = {name: options.pop(name) for name in OUTPUTS}
    faults = options.pop("faults")
    wish = Wish(**options)
    _check(wish)
    if faults:
        only_with_faults(context, "host", "port", "write_root", "connections")
    output = context.with_resource(Output(**outputs))
    if threading.current_thread() is threading.main_thread():
        # A shell starts what runs in the background with SIGINT ignored; and SIGTERM ends in order, too.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
    if faults:
        from pellucid.cli.failing_on_purpose import serve_faults

        context.exit(serve_faults(faults, wish, output))
    from pellucid.cli.serving import run

    context.exit(run(wish, output))


def _check(wish: Wish) -> None:
    """``click.UsageError`` for options that do not go together."""
    if bool(wish.cert) != bool(wish.key):
        raise click.UsageError("--cert and --key go together")
    if wish.ocsp and wish.fetch_ocsp:
        raise click.UsageError("--ocsp and --fetch-ocsp: one response is enough")
    if (wish.ocsp or wish.fetch_ocsp) and not wish.cert:
        raise click.UsageError("--ocsp and --fetch-ocsp are about the certificate that --cert gives")
    if wish.crls and not wish.client_ca:
        raise click.UsageError("--crl is about clients' certificates, which --client-ca asks for")
    if (wish.cert or wish.raw_key) and wish.write_root:
        raise click.UsageError(
            "--write-root is for the laboratory's root, which --cert and --raw-key replace"
        )
