"""CPU time per proxied request: foregate beside nginx, haproxy and Go's ReverseProxy, in one run."""
