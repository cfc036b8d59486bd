"""The core schema as it was released: frozen SQL that migrations run; `tables.metadata` describes what results."""

from importlib.resources import files

from sqlalchemy import Connection


def statements(name: str) -> list[str]:
    """The statements of a schema script beside this module; they are separated by lines of `-- //`."""
    script = files("events.store").joinpath(name).read_text()
    return [part.strip() for part in script.split("-- //") if part.strip()]


def create_core(connection: Connection) -> None:
    """Version 0001 of the core: its tables, the function `append`, and what keeps facts from being altered."""
    for statement in [*statements("core_0001.sql"), *statements("append.sql")]:
        connection.exec_driver_sql(statement)
