"""The tables of every service's database; the service's own migrations only add indexes for its lists.

Facts are `events`, and `side_rows` that an event vouches for. `states` is their current fold, `claims` what the folds
hold. `commands` remembers what was answered, `inbox` how far each stream of another service was heard.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()
Instant = DateTime(timezone=True)

head = Table(
    "head",
    metadata,
    Column("only_row", SmallInteger, CheckConstraint("only_row = 1"), primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    comment="The last position and its time. Appends lock this row first, so positions are dense, in commit order.",
)

events = Table(
    "events",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("stream", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("event_id", Uuid, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("data", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("public_type", Text),
    Column("public_schema", Integer),
    Column("public_body", Text),
    Column("public_version", Integer),
    UniqueConstraint("tenant", "kind", "stream", "version"),
    Index("ix_events_recorded_at", "recorded_at", "position"),
    Index("ix_events_feed", "tenant", "position", postgresql_where=text("public_body IS NOT NULL")),
    Index("ix_events_public", "position", postgresql_where=text("public_body IS NOT NULL")),
    comment="Facts. Kept byte for byte; a trigger forbids change and removal.",
)

states = Table(
    "states",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("public_version", Integer, nullable=False),
    Column("shape", Integer, nullable=False),
    Column("state", JSONB, nullable=False),
    Column("deadline", Instant),
    Index("ix_states_deadline", "deadline", postgresql_where=text("deadline IS NOT NULL")),
    Index("ix_states_shape", "kind", "shape", "tenant", "id"),
    comment="The current fold of each stream.",
)

list_declarations = Table(
    "list_declarations",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("shape", Integer, nullable=False),
    Column("declared", Text, nullable=False),
    comment="By which fields each kind can be listed: the declaration that all its rows were folded for.",
)

commands = Table(
    "commands",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("origin", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("stream", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("decided_at", Instant, nullable=False),
    comment="What each command came to: the first answer is the answer.",
)

claims = Table(
    "claims",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("stream", Uuid, nullable=False),
    Index("ix_claims_stream", "tenant", "kind", "stream"),
    comment="What only one stream may hold at a time; follows from the states.",
)

side_rows = Table(
    "side_rows",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("stream", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("place", Integer, nullable=False),
    Index("ix_side_rows_id", "tenant", "name", "source", "id"),
    comment="Evidence beside a stream, such as measurements. One id has one content in all streams.",
)

numbers = Table(
    "numbers",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("series", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
    comment="Counters of human numbers; they may have gaps and are never ids.",
)

business_clock = Table(
    "business_clock",
    metadata,
    Column("only_row", SmallInteger, CheckConstraint("only_row = 1"), primary_key=True, autoincrement=False),
    Column("ahead", Interval, nullable=False),
    comment="How far business time is ahead of real time; always zero outside throwaway stacks.",
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("expires_at", Instant, nullable=False),
    comment="Who leads. A lease only saves work: what it guards is also guarded by compare-and-set.",
)

relay = Table(
    "relay",
    metadata,
    Column("only_row", SmallInteger, CheckConstraint("only_row = 1"), primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("stream_created", Text, nullable=False, server_default=""),
    Column("sequence", BigInteger, nullable=False, server_default="0"),
    comment="Everything up to this position is on the bus.",
)

restores = Table(
    "restores",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("decided_at", Instant, nullable=False),
    Column("last_position", BigInteger, nullable=False),
    Column("goes_on_after", BigInteger, nullable=False),
    Column("lost", Integer, nullable=False),
    comment="Decisions to go on with an older database. Positions after last_position up to goes_on_after stay empty.",
)

lost_announcements = Table(
    "lost_announcements",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant", Text, nullable=False),
    Column("stream", Uuid, nullable=False),
    Column("public_version", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("restore", Integer, nullable=False),
    Index("ix_lost_announcements_place", "tenant", "stream", "public_version"),
    comment="What others have heard from us and our log does not have. It counts when its restore was decided.",
)

listeners = Table(
    "listeners",
    metadata,
    Column("source", Text, primary_key=True),
    Column("stream_created", Text, nullable=False),
    Column("handled", BigInteger, nullable=False),
    Column("identity", Text, nullable=False, server_default=""),
    comment="Per source service: which JetStream stream we heard, and the sequence up to which all is handled.",
)

inbox = Table(
    "inbox",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("stream", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    comment="The last public version of each foreign stream that was handled.",
)

waiting = Table(
    "waiting",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("stream", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("since", Instant, nullable=False),
    comment="Messages whose predecessor has not been handled yet.",
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("source", Text, nullable=False),
    Column("tenant", Text),
    Column("stream", Uuid),
    Column("version", Integer),
    Column("subject", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("parked_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Index("ix_dead_letters_parked", "source", "tenant", "stream", postgresql_where=text("status = 'parked'")),
    comment="Messages that could not be handled. A parked one holds back later ones of its own stream only.",
)

parked_deadlines = Table(
    "parked_deadlines",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("stream", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("shape", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("parked_at", Instant, nullable=False),
    comment="Deadlines that did not move on when they were due: a bug, parked until the stream or its code changes.",
)


def columns_of(table: Table, alias: str) -> str:
    """Its columns by name. Never `*`: when a migration adds a column, a prepared `*` fails once in every session."""
    return ", ".join(f"{alias}.{column.name}" for column in table.columns)
