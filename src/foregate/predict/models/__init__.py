"""Models: load, check, score. A model that cannot be trusted is refused, never guessed around."""
