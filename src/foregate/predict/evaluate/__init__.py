"""Evaluation: examples from recordings, the honest protocol, the baselines, and the report of a trained model."""
