"""Every test may use the real servers of `stack.testing`."""

pytest_plugins = ["stack.testing"]
