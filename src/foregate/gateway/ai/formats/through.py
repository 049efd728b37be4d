"""A translation by way of a third format: a pair that has no file of its own, from two that have."""

from __future__ import annotations

import copy

from foregate.gateway.ai.formats.format import (
    OUTPUT_TOKENS_DEFAULT,
    Asked,
    Failure,
    Stream,
    Translation,
    Whole,
)
from foregate.gateway.ai.usage import Usage


class Through:
    """`far` is the half towards the client, `near` the one towards the provider."""

    def __init__(self, far: Translation, near: Translation) -> None:
        self.client = far.client
        self.provider = near.provider
        self._far = far
        self._near = near

    def request(
        self,
        asked: Asked,
        model: str,
        output_tokens_default: int = OUTPUT_TOKENS_DEFAULT,
        compatible: bool = False,
    ) -> bytes:
        between = self._near.client.read(self._far.request(asked, model, output_tokens_default))
        return self._near.request(between, model, output_tokens_default, compatible)

    def answer(self, body: bytes, asked: Asked) -> Whole:
        whole = self._near.answer(body, asked)
        return whole._replace(body=self._far.answer(whole.body, asked).body)

    def stream(self, asked: Asked) -> Stream:
        between = copy.copy(asked)
        between.usage_wanted = True  # by the other half
        return _ThroughStream(self._far.stream(asked), self._near.stream(between))


class _ThroughStream:
    def __init__(self, far: Stream, near: Stream) -> None:
        self._far = far
        self._near = near

    @property
    def begun(self) -> bool:
        return self._far.begun

    @property
    def ended(self) -> bool:
        return self._far.ended

    @property
    def failure(self) -> Failure | None:
        return self._near.failure or self._far.failure

    @property
    def finish_reason(self) -> str:
        return self._near.finish_reason

    @property
    def model(self) -> str:
        return self._near.model

    @property
    def deltas(self) -> int:
        return self._far.deltas

    def feed(self, chunk: bytes) -> bytes:
        return self._far.feed(self._near.feed(chunk))

    def finish(self) -> bytes:
        return self._far.feed(self._near.finish()) + (b"" if self.failure else self._far.finish())

    def usage(self) -> Usage:
        """As the provider says it; the output, where it says none, as the client was sent it."""
        said = self._near.usage()
        return said._replace(output=self._far.usage().output) if said.estimated else said

    def error_event(self, status: int, message: str, code: str = "") -> bytes:
        return self._far.error_event(status, message, code)
