"""Models of an organisation's own traffic: whether there is enough to learn from, whether a new model is better than
the one that serves, what takes its place, and whether it still fits. Decisions alone: files and processes are others'.
"""
