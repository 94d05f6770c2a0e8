"""`python -m cleanplate` is the command line."""

import sys

from cleanplate.cli import main

if __name__ == "__main__":
    sys.exit(main())
