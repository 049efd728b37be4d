"""The mechanisms that services are made of: pools, heaps, quotas, caches, instances. Nothing here scripts a latency;
what goes wrong emerges from a bound that is reached.
"""
