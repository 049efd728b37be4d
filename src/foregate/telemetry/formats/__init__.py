"""What people send, read into wire messages: pure, without I/O or clock.

Consumes a body and who sent it (`Sender`); gives `Parsed`: the good items, and of the bad ones which and why. A
bad item never costs a good one; nothing a sender writes costs more memory than its bounds say.
`reading.read` is the way in, `unpack.unpack` goes before it; they have doors of their own, for what they import.
"""

from foregate.telemetry.formats.parsed import Parsed, Rejected, Sender

__all__ = ["Parsed", "Rejected", "Sender"]
