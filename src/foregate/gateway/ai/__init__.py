"""Requests to language models: whom to ask, in which language, what it used and what it cost.

`formats/` is pure: the languages of providers and of their clients, their streams, their numbers; nothing in it does
I/O. `sse` reads event streams, `tokens` estimates, `usage` says what is billed.
"""
