"""WebSocket frames (RFC 6455): checked and passed on, both ways; no policy."""
