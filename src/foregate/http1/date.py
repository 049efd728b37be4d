"""The Date field and its format (RFC 9110 sections 6.6.1 and 5.6.7)."""

import time

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# The second that was asked for last, its date, and the line of a head.
_last: tuple[int, bytes, bytes] = (0, b"Thu, 01 Jan 1970 00:00:00 GMT", b"date: Thu, 01 Jan 1970 00:00:00 GMT\r\n")


def http_date(now_s: float) -> bytes:
    """`b"Sun, 06 Nov 1994 08:49:37 GMT"` for Unix seconds."""
    return _of(now_s)[1]


def date_line(now_s: float) -> bytes:
    """The field with its CRLF, for answers of our own and for those that came without one."""
    last = _last
    return last[2] if last[0] == int(now_s) else _of(now_s)[2]


def _of(now_s: float) -> tuple[int, bytes, bytes]:
    """Made once per second, however often it is asked for."""
    global _last  # a memory of one value, the same for whoever asks
    second = int(now_s)
    last = _last
    if last[0] != second:
        at = time.gmtime(second)
        text = (
            f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year} "
            f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
        )
        date = text.encode()
        _last = last = (second, date, b"date: %s\r\n" % date)
    return last
