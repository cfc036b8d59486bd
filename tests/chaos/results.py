"""Standard output for programs to read: results alone."""

import os
import sys
from typing import TextIO


def results_alone() -> TextIO:
    """Where results go from here on; whatever else is printed, by us or by our children, goes to standard error."""
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return results
