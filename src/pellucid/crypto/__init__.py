"""The only door to the algorithms of pyca/cryptography.

`kdf` hashes and derives, `suites` seals and opens, `groups` agrees on a shared secret, `signatures`
signs and verifies. TLS 1.2 adds `suites12` and `cbc`, and two ways to a secret: `dh12` and `rsa`. They know
TLS's code points and encodings, and nothing of messages or state.
Import from the modules: what is seldom used (ML-KEM, finite fields, X448, Ed448, ML-DSA) is loaded
when it is first asked for, and this package stays cheap to import.
"""
