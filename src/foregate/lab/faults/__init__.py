"""Faults: what each kind does to the mechanisms of the model, and the board that switches them on and off."""
