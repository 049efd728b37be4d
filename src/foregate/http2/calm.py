"""How much a client may ask of us without wanting an answer: frames that only cost, streams it takes back. Pure.

Whoever speaks HTTP/2 may send frames that are answered by frames (PING, SETTINGS), that cut an answer into crumbs
(WINDOW_UPDATE), and streams that are cancelled as soon as work has begun for them (CVE-2019-9511 to 9518,
CVE-2023-44487, CVE-2025-8671). Each costs less to send than to serve. So they are paid from a purse that fills with
time and with honest work.
"""


class Purse:
    """Holds `burst` at most and at first; fills by `per_s`, and by what is earned."""

    __slots__ = ("_burst", "_earned", "_held", "_per_s", "_since_s")

    def __init__(self, burst: float, per_s: float, now_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._held = burst
        self._earned = 0.0
        self._since_s = now_s

    def earn(self, amount: float) -> None:
        """Honest work was done. It is added when next something is paid, so that it costs nearly nothing here."""
        self._earned += amount

    def pay(self, amount: float, now_s: float) -> bool:
        """False when there is not enough: the client has gone too far."""
        held = self._held + self._earned + (now_s - self._since_s) * self._per_s - amount
        self._held = min(self._burst, held)
        self._earned = 0.0
        self._since_s = now_s
        return held >= 0.0
