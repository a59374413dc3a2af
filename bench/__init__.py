"""Benchmarks: `python -m bench.peers`, `python -m bench.memory`, `python -m bench.growth`."""
