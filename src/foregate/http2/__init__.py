"""The HTTP/2 engine (RFC 9113, 8441): both sides, on libnghttp2; no policy. What `http1` promises holds here too."""
