"""What the services tell each other; importing this package registers every public event."""

from contracts import audit, improvement, risk, sla

__all__ = ["audit", "improvement", "risk", "sla"]
