"""The Date field's format (RFC 9110 section 5.6.7)."""

import time

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_last: tuple[int, bytes] = (0, b"Thu, 01 Jan 1970 00:00:00 GMT")  # the second that was asked for last, and its date


def http_date(now_s: float) -> bytes:
    """`b"Sun, 06 Nov 1994 08:49:37 GMT"` for Unix seconds; made once per second, however often it is asked for.

    A proxy adds a Date to an answer that came without one (RFC 9110 section 6.6.1).
    """
    global _last  # a memory of one value, the same for whoever asks
    second = int(now_s)
    last = _last
    if last[0] != second:
        at = time.gmtime(second)
        text = (
            f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year} "
            f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
        )
        _last = last = (second, text.encode())
    return last[1]
