"""The world without sockets: virtual time, and a simple front in the gateway's place that yields the same events."""
