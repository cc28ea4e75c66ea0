"""Sizes and counts of the record layer, each with its reason."""

HEADER_LENGTH = 5

# RFC 9846 5.1: "The length MUST NOT exceed 2^14 bytes."
MAX_FRAGMENT = 2**14

# RFC 9846 5.2: "The length MUST NOT exceed 2^14 + 256 bytes."
MAX_CIPHERTEXT = MAX_FRAGMENT + 256

# RFC 5246 6.2.3, of TLS 1.2: "The length MUST NOT exceed 2^14 + 2048."
MAX_CIPHERTEXT12 = MAX_FRAGMENT + 2048

# How much is sealed or opened in one go: beyond it a fresh result costs more memory traffic than encryption.
MAX_RUN = 2**16

# RFC 9846 5.1 allows empty application data against traffic analysis. A peer that sends nothing else makes us
# work for nothing. OpenSSL and BoringSSL put up with 32 in a row too, so who meets them keeps within it.
MAX_EMPTY_RECORDS = 32

# The least that a caller of `RecordWriter.take` must have room for: a KeyUpdate or an alert fits many times.
MIN_TAKE = 512
