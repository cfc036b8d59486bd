"""The core schema as it was released: frozen SQL that migrations run; `tables.metadata` describes what results."""

from importlib.resources import files

from sqlalchemy import Connection

SHAPES_INDEX = ("ix_states_shape", "states (kind, shape, tenant, id)")
"""By which rows of an older shape are found; a migration of its own builds it beside readers and writers."""


def statements(name: str) -> list[str]:
    """The statements of a schema script beside this module; they are separated by lines of `-- //`."""
    script = files("events.store").joinpath(name).read_text()
    return [part.strip() for part in script.split("-- //") if part.strip()]


def create_core(connection: Connection) -> None:
    """Version 0001 of the core: its tables, the function `append`, and what keeps facts from being altered."""
    _run(connection, "core_0001.sql", "append.sql")


def upgrade_core_to_0002(connection: Connection) -> None:
    """Version 0002: the declarations of lists, and the function `refold`. `SHAPES_INDEX` follows."""
    _run(connection, "core_0002.sql", "refold.sql")


def upgrade_core_to_0003(connection: Connection) -> None:
    """Version 0003: what is remembered when an older database is restored."""
    _run(connection, "core_0003.sql")


def upgrade_core_to_0004(connection: Connection) -> None:
    """Version 0004: commands that belong together."""
    _run(connection, "core_0004.sql")


def create_latest(connection: Connection) -> None:
    """All of it on an empty database, for tests and benchmarks."""
    create_core(connection)
    upgrade_core_to_0002(connection)
    connection.exec_driver_sql("CREATE INDEX {} ON {}".format(*SHAPES_INDEX))
    upgrade_core_to_0003(connection)
    upgrade_core_to_0004(connection)


def _run(connection: Connection, *scripts: str) -> None:
    for script in scripts:
        for statement in statements(script):
            connection.exec_driver_sql(statement)
