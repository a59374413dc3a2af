"""Ours beside the peers, in one run: `python -m bench.peers --help`.

`tasks` says what is measured, `peer_*` how each library does it, `worker` times one of them in a
process of its own, `host` lets the workers take turns, `report` makes the tables.
"""
