"""Standard output for programs to read: results alone."""

import os
import sys


def results_alone() -> None:
    """From here on we print results; what our children print to standard output goes to standard error."""
    sys.stdout = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), 1)
