"""What abuse detection sees of all clients together: written every few seconds, for the API."""

import msgspec


class Asking(msgspec.Struct, frozen=True):
    """Somebody who asks much: `subject` as in a block; `requests` lately, never too few."""

    subject: str
    requests: int


class AbuseOverview(msgspec.Struct, frozen=True):
    """As of `time_s` (Unix seconds).

    `visitors`: different addresses (IPv6: /64s) in this hour so far, and in the one before; 95 % within
    `visitors_error`. `top_addresses` and `top_keys` over the last five to ten minutes, each too high by at most
    `requests_error` (99 %). `growth`: how many times more than usual known clients ask, all together. `spared`: how
    often one was not blamed because others did the same, or because of our own failures. `skipped` events came too
    quickly to be looked at.
    """

    time_s: float
    mode: str
    events: int
    skipped: int
    clients: int
    visitors: int
    visitors_before: int
    visitors_error: float
    top_addresses: tuple[Asking, ...]
    top_keys: tuple[Asking, ...]
    requests_error: float
    growth: float
    spared: int


encode_overview = msgspec.json.Encoder().encode
decode_overview = msgspec.json.Decoder(AbuseOverview).decode
