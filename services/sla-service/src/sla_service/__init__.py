"""The SLA service: which services we run, what was agreed about them, and whether it is kept."""
