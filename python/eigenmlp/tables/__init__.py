"""Tables as people have them: ``pip install scikit-learn narwhals polars``.

`TableClassifier` and `TableRegressor` take frames of pandas, Polars and PyArrow, or arrays, with
numbers, booleans, texts, categories, dates and missing cells as they are, and choose the rest.

Parameters of both, beside those of one network: `members`, how many networks with drawn settings
are trained at once, of which the best are averaged (``"auto"``: as many as bring something within
`time_limit`, which is 60 then), and `time_limit`, the seconds that all of `fit` may take. Without
either it is one network. `members_` are what came of it, `validation_curve_` the loss of the mean
after each round of the selection.

>>> import pandas as pd
>>> from eigenmlp.tables import TableRegressor
>>> frame = pd.DataFrame({"rooms": [1, 2, 3, 4] * 30, "town": ["Ulm", "Bonn"] * 60})
>>> price = frame.rooms * 50 + (frame.town == "Bonn") * 100.0
>>> model = TableRegressor(random_state=0).fit(frame, price)
>>> bool(model.score(frame, price) > 0.9)
True
"""

try:
    import narwhals as _frames_of_all
    import sklearn as _installed
    from sklearn.utils.validation import validate_data as _needed
except ImportError as error:
    raise ImportError(
        "eigenmlp.tables needs scikit-learn 1.7 or newer and narwhals: "
        "pip install 'scikit-learn>=1.7' narwhals"
    ) from error

from ._classifier import TableClassifier
from ._regressor import TableRegressor

__all__ = ["TableClassifier", "TableRegressor"]

del _frames_of_all, _installed, _needed
