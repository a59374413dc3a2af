"""What several tests need: names, problems, bounds of rounding, paths."""
