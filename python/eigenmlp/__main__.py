"""``python -m eigenmlp``: the same as the ``eigenmlp`` command."""

import sys

from eigenmlp.cli import main

if __name__ == "__main__":
    sys.exit(main())
