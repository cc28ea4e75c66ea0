"""What is said in the clear on a TCP connection before TLS begins: to a proxy, and for STARTTLS.

Each dialogue is a generator without sockets, which reads like the RFC's example: it yields bytes to be sent,
or None to be given what arrives, and ``pellucid.io`` runs it. ``talk`` has the few things that all of them
need; ``starttls`` and ``proxies`` know which there are.
"""

from pellucid.preamble.starttls import STARTTLS

__all__ = ["STARTTLS"]
