"""One file per activation: its formula, its value and its derivative."""
