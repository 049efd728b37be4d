"""Open-loop traffic: who asks what, how often, and how they behave when the answer is slow or bad."""
