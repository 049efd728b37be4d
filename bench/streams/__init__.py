"""Fifty concurrent streams through the gateway: what it adds to the first byte, and whether it gathers tokens."""
