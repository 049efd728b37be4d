"""What libnghttp2 is told to hold on the server side, and the one frame that it leaves to us."""

import struct

import ngh2

from foregate.kernel import limits

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0x0, 0x1, 0x2, 0x7, 0x8, 0xB

_CONFIGURATION = ngh2.Configuration(
    auto_window_update=False,
    max_outbound_ack=limits.H2_ACKNOWLEDGEMENTS_MAX,
    # Beyond these a connection ends; between ours and these a request gets its 431.
    max_inbound_header_list_size=2 * limits.HEADER_BYTES_MAX,
    max_inbound_header_count=4 * limits.HEADER_COUNT_MAX,
    max_continuations=limits.H2_CONTINUATIONS_MAX,
    glitch_rate_limit=(limits.H2_GLITCHES_MAX, limits.H2_GLITCHES_PER_S),
    stream_reset_rate_limit=(2**32, 2**32),  # the server judges by what was answered, too
)


def server_session(streams_max: int) -> ngh2.Connection:
    """A session whose first frames are ready to be sent."""
    session = ngh2.Connection(ngh2.Role.SERVER, _CONFIGURATION)
    session.initiate_connection(
        {
            ngh2.Setting.MAX_CONCURRENT_STREAMS: streams_max,
            ngh2.Setting.INITIAL_WINDOW_SIZE: limits.H2_STREAM_WINDOW_BYTES,
            ngh2.Setting.MAX_HEADER_LIST_SIZE: limits.HEADER_BYTES_MAX,
            ngh2.Setting.ENABLE_CONNECT_PROTOCOL: 1,
        }
    )
    session.set_local_window_size(limits.H2_CONNECTION_WINDOW_BYTES)
    return session


def goaway(last: int, code: int) -> bytes:
    """The frame (RFC 9113 section 6.8), for a session that has failed and says nothing any more."""
    return struct.pack(">I", 8)[1:] + b"\x07\x00" + struct.pack(">III", 0, last, code)
