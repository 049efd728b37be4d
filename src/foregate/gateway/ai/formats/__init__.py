"""The languages of AI providers and of their clients: read, written and translated. Pure: bytes in, bytes out.

Consumes the bodies of requests and answers, and streams in any chunking. Emits bodies and whole events. Promises: what
cannot be said in the provider's language is refused by name (`BadRequest`), never dropped in silence; the client never
gets half an event; a stream either has `ended` or has a `failure`; usage is what the provider reported, else our own
count of what was returned, marked (`gateway.ai.usage`).

    format = FORMATS["openai-chat"]                      # by name; FORMAT_OF_PATH[b"/v1/chat/completions"] by path
    asked = format.read(body)                            # BadRequest → 400, format.error_body(…)
    asked.model, asked.stream, asked.output_tokens_max, asked.choices, asked.input_tokens

    way = translation(format, FORMATS["anthropic-messages"])      # None: this pair cannot be translated
    way.request(asked, "claude-sonnet-4-5")                       # to POST at way.provider.path; BadRequest
    whole = way.answer(body, asked)                               # status 200, not streamed; Malformed → next provider
    told = way.provider.read_error(body)                          # any other status
    format.error_body(status, told.message, told.code, told.param)  # … in the client's words

    stream = way.stream(asked)                                    # status 200, streamed
    out = stream.feed(chunk)                                      # hold what comes until stream.begun or stream.ended,
    if stream.failure: …                                          # so that the next provider can be asked in silence
    out = stream.finish()                                         # the provider has closed (or stream.ended)
    stream.error_event(502, "The provider …")                     # after the first token: the last bytes of the stream
    stream.usage(), stream.finish_reason, stream.model, stream.deltas

A stream in the same format is passed on byte for byte, in whole events; where we had to ask for usage that the client
did not want (`stream_options.include_usage`), that one event is left out. The answer's content type is
`application/json`, or `text/event-stream; charset=utf-8`. The Protocols `Format`, `Translation` and `Stream` are in
`format`.
"""

from foregate.gateway.ai.formats.format import Asked, BadRequest, Malformed, Stream
from foregate.gateway.ai.formats.pairs import FORMAT_OF_PATH, FORMATS, translation

__all__ = ["FORMATS", "FORMAT_OF_PATH", "Asked", "BadRequest", "Malformed", "Stream", "translation"]
