"""What a format and a translation are: the contract between the languages and whoever speaks them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Protocol

from foregate.gateway.ai.usage import Usage

Name = Literal["openai-chat", "openai-completions", "openai-embeddings", "openai-responses", "anthropic-messages"]
Document = dict[str, Any]
OUTPUT_TOKENS_DEFAULT = 4_096  # asked for where the provider must be told a bound and the client told none


class BadRequest(Exception):
    """The client's request cannot be read, or not be said in the provider's language: a sentence, and the parameter."""

    def __init__(self, sentence: str, param: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.param = param


class Malformed(Exception):
    """The provider's answer is not what its format promises. The sentence is for the log and the operator."""


class Told(NamedTuple):
    """An error as a provider told it. `code` is its own word for it (OpenAI's code or type, Anthropic's type)."""

    message: str
    code: str = ""
    param: str = ""


class Failure(NamedTuple):
    """Why a stream came to no good end. `told`: by the provider's own error event, in its words."""

    kind: Literal["malformed", "truncated", "told"]
    message: str
    code: str = ""


class Asked:
    """A request of a client, read. `document` is its whole body (to be read, not to be changed)."""

    __slots__ = (
        "_estimate",
        "choices",
        "created",
        "document",
        "format",
        "model",
        "output_tokens_max",
        "stream",
        "usage_wanted",
    )

    def __init__(
        self,
        spoken: Format,
        document: Document,
        *,
        stream: bool = False,
        usage_wanted: bool = False,
        output_tokens_max: int | None = None,
        choices: int = 1,
    ) -> None:
        self.format = spoken
        self.document = document
        self.model: str = document["model"]
        self.stream = stream
        self.usage_wanted = usage_wanted  # the client wants OpenAI's usage chunk at the end of the stream
        self.output_tokens_max = output_tokens_max  # per choice; None where the client named no bound
        self.created = 0  # Unix seconds, to be set by whoever has a clock: translated answers say when they were made
        self.choices = choices  # how many answers were asked for; output is at most choices * output_tokens_max
        self._estimate = -1

    @property
    def input_tokens(self) -> int:
        """Our own estimate of the whole prompt: system, messages, tools, images. Counted once, when first asked."""
        if self._estimate < 0:
            self._estimate = self.format.count_input(self.document)
        return self._estimate

    @property
    def tools(self) -> bool:
        return bool(self.document.get("tools"))


class Whole(NamedTuple):
    """A whole answer, in the client's format."""

    body: bytes
    usage: Usage
    finish_reason: str  # the provider's word; "" where there is none (embeddings)
    model: str  # the provider's name of it


class Format(Protocol):
    """A language that clients and providers speak."""

    name: Name
    path: bytes  # where it is spoken: b"/v1/messages"
    operation: str  # gen_ai.operation.name
    vendor: Literal["openai", "anthropic"]

    def read(self, body: bytes) -> Asked:
        """Raises BadRequest."""
        ...

    def count_input(self, document: Document) -> int:
        """An estimate of the prompt's tokens."""
        ...

    def error_body(self, status: int, message: str, code: str = "", param: str = "") -> bytes:
        """The body of an error answer."""
        ...

    def error_event(self, status: int, message: str, code: str = "") -> bytes:
        """Ends a stream that has begun: an error and the protocol's end."""
        ...

    def read_error(self, body: bytes) -> Told:
        """What a provider's error answer says; of an unreadable one its beginning."""
        ...


class Stream(Protocol):
    """A streamed answer on its way from a provider to a client. Nothing of it raises."""

    @property
    def begun(self) -> bool:
        """A first token (text, tool call, reasoning) was in what `feed` returned."""
        ...

    @property
    def ended(self) -> bool:
        """The answer came to its proper end; what may follow is not wanted."""
        ...

    @property
    def failure(self) -> Failure | None:
        """It came to none; what `feed` returned so far is right, nothing more comes."""
        ...

    @property
    def finish_reason(self) -> str:
        """The provider's word; "" until it is known."""
        ...

    @property
    def model(self) -> str:
        """The provider's name of it; "" until it is known."""
        ...

    @property
    def deltas(self) -> int:
        """Events with tokens in them, so far."""
        ...

    def feed(self, chunk: bytes) -> bytes:
        """Bytes of the provider, in any chunking → whole events for the client (perhaps none)."""
        ...

    def finish(self) -> bytes:
        """The provider has closed. What is still to be sent; sets `ended` or `failure`."""
        ...

    def usage(self) -> Usage:
        """Of all that was fed so far. Exact where the provider has said it, else our own count of what was returned."""
        ...

    def error_event(self, status: int, message: str, code: str = "") -> bytes:
        """`Format.error_event` of the client's format."""
        ...


class Translation(Protocol):
    """From a client's format to a provider's and back. The pair of a format with itself passes on what it can."""

    client: Format
    provider: Format

    def request(
        self,
        asked: Asked,
        model: str,
        output_tokens_default: int = OUTPUT_TOKENS_DEFAULT,
        compatible: bool = False,
    ) -> bytes:
        """The body for the provider, whose name of the model is `model`. Raises BadRequest for what cannot be said.

        `compatible`: the provider only resembles OpenAI, and is spoken to in the older words that all such know.
        """
        ...

    def answer(self, body: bytes, asked: Asked) -> Whole:
        """A whole answer (status 200). Raises Malformed."""
        ...

    def stream(self, asked: Asked) -> Stream:
        """For one streamed answer (status 200, `text/event-stream`)."""
        ...
