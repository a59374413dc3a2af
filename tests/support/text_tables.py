"""Tables of several kinds of columns as text."""

import random

HEADER = ["key", "size", "color", "when", "open", "kind"]


def shop_rows(count=120, seed=0):
    """Rows of cells: kind (3, 5 or 8) follows size; some cells are missing."""
    rng = random.Random(seed)
    rows = []
    for i in range(count):
        k = i % 3
        size = f"{rng.gauss(4 * k, 1):.3f}" if rng.random() > 0.05 else "NA"
        color = ["red", "green", "blue", ""][rng.randrange(4)]
        when = f"2024-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
        is_open = ["true", "false"][rng.randrange(2)]
        rows.append([f"s{i}", size, color, when, is_open, str([3, 5, 8][k])])
    return rows


def csv_text(rows, header=HEADER, separator=","):
    lines = [separator.join(cells) for cells in ([header] if header else []) + rows]
    return "\n".join(lines) + "\n"


def columns_of(rows, header, wanted):
    """The rows with these columns, in this order."""
    places = [header.index(name) for name in wanted]
    return [[row[place] for place in places] for row in rows]
