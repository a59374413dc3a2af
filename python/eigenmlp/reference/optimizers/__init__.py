"""One file per optimizer: its state and its update rule."""
