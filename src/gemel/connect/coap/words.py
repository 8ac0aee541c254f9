"""The numbers of CoAP: types, codes, options, content formats, and the times that hang together."""

from __future__ import annotations

from typing import Final

CON, NON, ACK, RST = range(4)
"""Types: to be confirmed, not to be, confirms, rejects."""

EMPTY: Final = 0x00
GET, POST, PUT, DELETE, FETCH, PATCH, IPATCH = range(1, 8)

CHANGED: Final = 0x44
CONTENT: Final = 0x45
CONTINUE: Final = 0x5F
BAD_REQUEST: Final = 0x80
UNAUTHORIZED: Final = 0x81
BAD_OPTION: Final = 0x82
FORBIDDEN: Final = 0x83
NOT_FOUND: Final = 0x84
METHOD_NOT_ALLOWED: Final = 0x85
NOT_ACCEPTABLE: Final = 0x86
INCOMPLETE: Final = 0x88
TOO_LARGE: Final = 0x8D
UNSUPPORTED_FORMAT: Final = 0x8F
INTERNAL_ERROR: Final = 0xA0
UNAVAILABLE: Final = 0xA3
NO_PROXY: Final = 0xA5


class Option:
    """Numbers of options; odd ones are critical: who does not know one must refuse."""

    IF_MATCH: Final = 1
    URI_HOST: Final = 3
    ETAG: Final = 4
    IF_NONE_MATCH: Final = 5
    OBSERVE: Final = 6
    URI_PORT: Final = 7
    URI_PATH: Final = 11
    CONTENT_FORMAT: Final = 12
    MAX_AGE: Final = 14
    URI_QUERY: Final = 15
    ACCEPT: Final = 17
    BLOCK2: Final = 23
    BLOCK1: Final = 27
    SIZE2: Final = 28
    PROXY_URI: Final = 35
    PROXY_SCHEME: Final = 39
    SIZE1: Final = 60


TEXT, LINKS, OCTETS, JSON, CBOR = 0, 40, 42, 50, 60
SENML_JSON, SENSML_JSON, SENML_CBOR, SENSML_CBOR = 110, 111, 112, 113
MEDIA_TYPES = {
    TEXT: "text/plain",
    OCTETS: "application/octet-stream",
    JSON: "application/json",
    CBOR: "application/cbor",
    SENML_JSON: "application/senml+json",
    SENSML_JSON: "application/sensml+json",
    SENML_CBOR: "application/senml+cbor",
    SENSML_CBOR: "application/sensml+cbor",
}
"""Content formats that payloads may have."""

ACK_TIMEOUT: Final = 2.0
ACK_RANDOM_FACTOR: Final = 1.5
MAX_RETRANSMIT: Final = 4
MAX_TRANSMIT_SPAN: Final = 45.0
"""Seconds after which a sender repeats nothing more; what comes later was held in the network."""
EXCHANGE_LIFETIME: Final = 247.0
"""Seconds for which a message number of a sender means one message."""
LARGEST_BLOCK: Final = 6
"""Exponent: 16 << 6 is 1,024 bytes."""
