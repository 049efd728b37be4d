"""Detectors: one per file, each a pure score of how unusual a value is for its own entity."""
