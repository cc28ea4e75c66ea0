"""Drivers: what carries an engine's bytes over real sockets, blocking or under asyncio.

``pump`` is what both drivers share and knows no socket. Nothing is imported here, so that
``import pellucid`` costs neither ``socket`` nor ``asyncio`` until a connection is wanted.
"""
