"""WebSocket frames (RFC 6455): checked and passed on, both ways, without I/O and without policy.

Consumes the bytes of both sides, emits what each is to be sent. Promises: what is passed on is whole, well-formed
frames in an order that the RFC allows, or the beginning of one whose connection is cut; a Close frame of ours never
stands within another frame; nothing of a message is kept but the head of a frame that has not come whole.
"""

from foregate.websocket.frames import FrameReader
from foregate.websocket.handshake import Agreed, accept_of
from foregate.websocket.relay import Relay, Side

__all__ = ["Agreed", "FrameReader", "Relay", "Side", "accept_of"]
