"""Alembic's entry: the same for every service."""

from chassis.migrations import run_env

run_env()
