"""Limits shared by several machines: `take.lua` decides inside the server, `store.ValkeyLimits` asks it."""
