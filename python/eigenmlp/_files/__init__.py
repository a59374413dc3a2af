"""Networks and runs in files: containers, what they hold, and how they are read back."""
