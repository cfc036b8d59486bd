"""`./closeloop demo`: a story on real input, played over HTTP through all four services, and a report of it."""

from stack.demo.command import main

__all__ = ["main"]
