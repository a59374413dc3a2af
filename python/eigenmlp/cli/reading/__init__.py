"""Tables in files: `source` opens, `text` finds rows, `numeric` and `frames` read cells."""
