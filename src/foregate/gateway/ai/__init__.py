"""Requests to language models: whom to ask, in which language, what it used and what it cost.

Consumes requests that have passed all other steps of a route with `ai` (`step`), and asks services through
`gateway.inner`. Promises: before a first token another model may answer and the client notices nothing (`conversation`,
`attempt`); after it a stream ends whole, with an error that the client's protocol knows; what an answer used is in the
event, in the limits (`token_limits`) and on the metrics page (`metering`, `page`), however it ended. Nothing of a
prompt or an answer is kept, but by `answer_cache` where a route wants it.

`models` says what a name means, `routing` and `health` who is asked first. `formats/` is pure: the languages of
providers and of their clients, their streams, their numbers; nothing in it does I/O. `sse` reads event streams,
`tokens` estimates, `usage` says what is billed.
"""
