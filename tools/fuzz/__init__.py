"""Files that nobody vouches for, and random networks, by the thousand: `python -m tools.fuzz`.

`target` says what a kind of file is; `model_files`, `onnx_files`, `idx_files` and `tables` are
those kinds, each with the ways in which its files are altered. `seeded` alters them by a seeded
generator, `guided` by atheris, which prefers what reaches new lines. `calls` is no file: random
networks and calls on both backends.
"""
