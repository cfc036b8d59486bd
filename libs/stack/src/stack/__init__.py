"""Closeloop on one machine: PostgreSQL, NATS and the four services as processes that start, stop and die together."""
