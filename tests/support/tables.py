"""Settings of a table's model that leave nothing to try, for tests that are not about accuracy."""

from typing import Any

ONE_CHOICE: dict[str, Any] = {
    "hidden_layer_sizes": 8,
    "bins": 4,
    "learning_rate": 0.01,
    "weight_decay": 0.1,
    "dropout": 0.0,
    "patience": 10,
}
