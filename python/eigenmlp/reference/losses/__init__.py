"""One file per loss: its value and its derivative for every row."""
