"""Tables in files: `source` opens, `text` finds rows and names, `numeric` and `frames` read cells."""
