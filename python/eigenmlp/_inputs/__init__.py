"""What users pass, as the core takes it: checked numbers, names and arrays of every kind."""
