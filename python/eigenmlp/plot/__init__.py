"""Pictures of networks and of their training, with Matplotlib: ``pip install matplotlib``.

Every function draws on the axes it is given as `ax`, or on a new figure, and returns the axes.
Nothing is shown or saved: ``ax.figure.savefig("loss.png")`` does. `codes` with a `method` other
than ``"pca"`` needs scikit-learn too: ``pip install scikit-learn``.

>>> import eigenmlp as em
>>> from matplotlib.figure import Figure
>>> axes = Figure().add_subplot()
>>> em.plot.loss_curve([0.9, 0.5, 0.3], ax=axes).get_xlabel()
'step'
"""

from ._common import STYLE
from .calibration import calibration_curve
from .codes import codes
from .curves import loss_curve
from .decisions import confusion_matrix, decision_regions
from .graph import digit_graph
from .tables import importance, leaderboard
from .weights import first_layer, weights

__all__ = [
    "STYLE",
    "calibration_curve",
    "codes",
    "confusion_matrix",
    "decision_regions",
    "digit_graph",
    "first_layer",
    "importance",
    "leaderboard",
    "loss_curve",
    "weights",
]
