"""The handshakes as straight-line code: flows that yield effects and return what they proved.

``client`` and ``server`` begin; ``client13`` and ``server13`` are RFC 9846's figure 1; ``post`` is what
comes after. ``offer`` makes a ClientHello, ``client_hello`` reads one, ``choose`` decides,
``authenticate`` and ``psk`` verify. ``order`` says which messages may come when.
"""
