"""Paths to templates: `/users/42` → `/users/{id}`. Pure, and the same for everybody: no state, no learning.

A segment is judged after its percent-encoding is undone once, and never joined or split by that: `%2F` is no border.
What it may become, first rule first:

    {email}     a@b.c
    {date}      2026-11-21, 2026-11, 2026-11-21T22:56:51Z
    {id}        42, 4.2, UUID, ULID, hex of at least 8 digits, cus_NffrFeUfNV2Hib, ord-123, tokens as of base64, JWT
    {id}.json   any of those before a short extension
    {value}     what is longer than 64 characters, or holds what no name holds
    as it is    anything else, and what is a template already: {id}, :id
"""

import re
from functools import lru_cache
from itertools import pairwise
from urllib.parse import unquote

PLACEHOLDERS = frozenset({"{id}", "{date}", "{email}", "{value}", "{rest}"})
TEMPLATE_CHARS_MAX = 256  # of a template; beyond it, whole segments are cut off and "{rest}" stands for them
_SEGMENTS_MAX = 16  # the rest of a deeper path is "{rest}"
_LITERAL_CHARS_MAX = 64
_JUDGED_CHARS_MAX = 512  # a longer segment is a value without being looked at

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_TEMPLATE = re.compile(
    r"\{[A-Za-z_*][A-Za-z0-9_.*:-]{0,61}\}|<[A-Za-z_:]{1,62}>|[:$][A-Za-z_][A-Za-z0-9_]{0,62}|\*{1,2}"
)
_EMAIL = re.compile(r"[^@\s/]{1,64}@[^@\s/]{1,190}\.[A-Za-z]{2,24}")
_DATE = re.compile(r"[12]\d{3}-[01]\d(?:-[0-3]\d(?:[T ][\d:.]{4,18}(?:Z|[+-]\d\d:?\d\d)?)?)?")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,:]\d+)*")
_UUID = re.compile(r"\{?[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\}?")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}")
_HEX = re.compile(r"(?:0x)?[0-9A-Fa-f]{8,}")
_PREFIXED = re.compile(r"[A-Za-z]{1,12}(?:[_-][A-Za-z]{1,12}){0,2}[_-]([A-Za-z0-9]+)")
_TOKEN = re.compile(r"[A-Za-z0-9_+~-]{16,}={0,2}")
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_EXTENDED = re.compile(r"(.+)\.([A-Za-z][A-Za-z0-9]{1,4})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]+")  # RFC 3986 section 2.3: these mean the same, encoded or not
_ODD = re.compile(r"[\x00-\x1f\x7f\ufffd\s<>\"'`|\\^{}]")
_WORDS = re.compile(r"[A-Z][a-z]+|[a-z]{2,}")
_WORDS_SHARE = 0.85  # of a name in mixed case, such as findTop10ByOrderId; what is drawn by lot has some 0.6
_MIXED_CASE_TURNS, _ONE_CASE_TURNS = 0.4, 0.2  # by character, between kinds of characters: names have fewer


def template(path: str) -> str:
    """The template of a path, absolute URL or request target; "/" of an empty one. Gives templates back as they are."""
    path = path.partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        path = "/" + _ABSOLUTE.sub("", path, count=1).lstrip("/")
    segments = path[1:].split("/", _SEGMENTS_MAX)
    rest = segments[_SEGMENTS_MAX:]
    parts = [_segment(segment) for segment in segments[:_SEGMENTS_MAX] if segment]
    if rest and rest[0].strip("/"):
        parts.append("{rest}")
    return _within_bound("/" + "/".join(parts))


def _within_bound(whole: str) -> str:
    if len(whole) <= TEMPLATE_CHARS_MAX:
        return whole
    kept = whole[: TEMPLATE_CHARS_MAX - len("/{rest}")].rpartition("/")[0]
    return kept + "/{rest}"


def _segment(segment: str) -> str:
    return "{value}" if len(segment) > _JUDGED_CHARS_MAX else _judged(segment)


@lru_cache(maxsize=16_384)  # at most 512 characters each: names are found again and again
def _judged(raw: str) -> str:
    text = raw.partition(";")[0] or raw  # RFC 3986 section 3.3: what follows are parameters of the segment
    if _TEMPLATE.fullmatch(text) and not _UUID.fullmatch(text):
        return text
    if "%" in text:
        text = unquote(text, errors="replace")
    kind = _kind(text)
    if kind:
        return kind
    extended = _EXTENDED.fullmatch(text)
    if extended and (kind := _kind(extended[1])):
        return f"{kind}.{extended[2]}"
    if len(text) > _LITERAL_CHARS_MAX or _ODD.search(text) or "/" in text:
        return "{value}"
    return text if _UNRESERVED.fullmatch(text) else raw.partition(";")[0] or raw


def _kind(text: str) -> str:
    """The placeholder of a segment that identifies something; "" for a name."""
    if text.isalpha() and len(text) < 16:
        return ""
    if "@" in text and _EMAIL.fullmatch(text):
        return "{email}"
    if _DATE.fullmatch(text):
        return "{date}"
    return "{id}" if _identifies(text) else ""


def _identifies(text: str) -> bool:
    if _NUMBER.fullmatch(text) or _UUID.fullmatch(text) or _JWT.fullmatch(text):
        return True
    some_digit = any("0" <= char <= "9" for char in text)
    if _HEX.fullmatch(text):
        return some_digit or len(text) >= 16
    if some_digit and _ULID.fullmatch(text):
        return True
    prefixed = _PREFIXED.fullmatch(text)
    if prefixed and (prefixed[1].isdigit() or (len(prefixed[1]) >= 8 and _random(prefixed[1]))):
        return True
    return some_digit and _TOKEN.fullmatch(text) is not None and _random(text)


def _random(text: str) -> bool:
    """Whether upper case, lower case and digits take turns as in something drawn by lot."""
    kinds = ["d" if char.isdigit() else "u" if char.isupper() else "l" for char in text if char.isalnum()]
    turns = sum(1 for before, after in pairwise(kinds) if before != after)
    mixed = "u" in kinds and "l" in kinds
    if mixed and sum(len(word) for word in _WORDS.findall(text)) >= len(text) * _WORDS_SHARE:
        return False
    return "d" in kinds and turns >= len(text) * (_MIXED_CASE_TURNS if mixed else _ONE_CASE_TURNS)
