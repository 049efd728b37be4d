"""Training on an organisation's own traffic: minutes are collected day by day, learnt from, and judged."""
