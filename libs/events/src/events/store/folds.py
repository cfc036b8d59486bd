"""What folding anew asks of the database: which rows are of an older shape, which streams there are, put this in place.

Every question is one short statement by keyset; every change is one call of the function `refold`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, TextClause, bindparam, text

from events.failpoints import failpoint
from events.folding import Fold
from events.store import tables as t
from events.store.database import Database, ask
from events.store.outgoing import LEASE, RELEASE
from events.store.port import StoredEvent
from events.store.postgres import stored_event

FIRST = UUID(int=0)
MOST_COUNTED = 100_000

OLDER = text("""
    SELECT tenant, kind, id AS stream, version, shape, version AS events FROM states
    WHERE kind = :kind AND shape < :shape AND (shape, tenant, id) > (:after_shape, :after_tenant, :after_stream)
    ORDER BY shape, tenant, id LIMIT :limit
""").bindparams(bindparam("after_stream", type_=t.states.c.id.type))

COUNT_OLDER = text("""
    SELECT k.kind, (SELECT count(*) FROM (
        SELECT 1 FROM states s WHERE s.kind = k.kind AND s.shape < k.shape LIMIT :most) o) AS older
    FROM unnest(CAST(:kinds AS text[]), CAST(:shapes AS integer[])) AS k(kind, shape)
""")

_TABLES = (("events", "stream"), ("states", "id"), ("claims", "stream"), ("side_rows", "stream"))
_KINDS = " UNION ALL ".join(
    f"(SELECT tenant, kind FROM {table} WHERE (tenant, kind) > (:tenant, :kind) ORDER BY tenant, kind LIMIT 1)"  # noqa: S608
    for table, _ in _TABLES
)
_STREAMS = " UNION ".join(
    f"(SELECT DISTINCT {id} AS stream FROM {table} WHERE tenant = :tenant AND kind = :kind AND {id} > :after "  # noqa: S608
    f"ORDER BY {id} LIMIT :limit)"
    for table, id in _TABLES
)
NEXT_KIND = text(f"SELECT a.tenant, a.kind FROM ({_KINDS}) a ORDER BY a.tenant, a.kind LIMIT 1")  # noqa: S608

_KEPT = """
    SELECT CAST(:tenant AS text) AS tenant, CAST(:kind AS text) AS kind, i.stream,
           coalesce(s.version, 0) AS version, coalesce(s.shape, 0) AS shape,
           (SELECT count(*) FROM events e WHERE e.tenant = :tenant AND e.kind = :kind AND e.stream = i.stream) AS events
    FROM ({}) i LEFT JOIN states s ON s.tenant = :tenant AND s.kind = :kind AND s.id = i.stream
    ORDER BY i.stream
"""
ALL = text(_KEPT.format(f"SELECT i.stream FROM ({_STREAMS}) i ORDER BY i.stream LIMIT :limit")).bindparams(  # noqa: S608
    bindparam("after", type_=t.states.c.id.type)
)
ONE = text(_KEPT.format("SELECT CAST(:stream AS uuid) AS stream"))

HISTORIES = text(f"""
    SELECT {t.columns_of(t.events, "e")}
    FROM unnest(CAST(:tenants AS text[]), CAST(:streams AS uuid[])) WITH ORDINALITY AS k(tenant, stream, place)
    CROSS JOIN LATERAL (
        SELECT * FROM events v
        WHERE v.tenant = k.tenant AND v.kind = :kind AND v.stream = k.stream AND v.version > :after
        ORDER BY v.version LIMIT :limit) e
    ORDER BY k.place, e.version
""")  # noqa: S608

REFOLD = text("SELECT r::text AS answer FROM refold(CAST(CAST(:batch AS text) AS jsonb)) AS r")

DECLARE = text("""
    INSERT INTO list_declarations AS d (kind, shape, declared) VALUES (:kind, :shape, :declared)
    ON CONFLICT (kind) DO UPDATE SET shape = excluded.shape, declared = excluded.declared
        WHERE d.shape <= excluded.shape
""")


class Became(StrEnum):
    """What became of a stream that was folded anew."""

    FOLDED = "folded"
    SAME = "same"
    REMOVED = "removed"
    """There is no event of it: row and claims are gone."""
    MOVED = "moved"
    """Somebody was faster; what is there now is theirs."""
    NEWER = "newer"
    """Newer code wrote it, and this code leaves it alone."""
    CLAIMED = "claim"
    """Another stream holds what it claims by today's code."""
    FAILED = "failed"
    """It cannot be folded by today's code: a bug."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a stream: version and shape of its row (0: there is none), and how many events it has."""

    tenant: str
    kind: str
    stream: UUID
    version: int
    shape: int
    events: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one stream, and why."""

    kept: Kept
    became: Became
    why: str = ""


class Folds:
    """On the database of one service. Raises Unavailable, OutcomeUnknown or Unstorable."""

    def __init__(self, database: Database) -> None:
        """On these connections."""
        self._db = database

    async def older(self, kind: str, shape: int, after: Kept | None, limit: int) -> list[Kept]:
        """Rows of a kind whose shape is lower than this one, page by page."""
        last = (after.shape, after.tenant, after.stream) if after else (-1, "", FIRST)
        parameters = dict(zip(("after_shape", "after_tenant", "after_stream"), last, strict=True))
        return await self._kept(OLDER, {"kind": kind, "shape": shape, "limit": limit, **parameters})

    async def count_older(self, shapes: Mapping[str, int]) -> dict[str, int]:
        """How many rows of each kind are of an older shape than this; counted up to a hundred thousand."""
        parameters = {"kinds": list(shapes), "shapes": list(shapes.values()), "most": MOST_COUNTED}
        return {row["kind"]: row["older"] for row in await ask(self._db.reads, COUNT_OLDER, parameters)}

    async def one(self, tenant: str, kind: str, stream: UUID) -> Kept:
        """What is kept of one stream now."""
        (kept,) = await self._kept(ONE, {"tenant": tenant, "kind": kind, "stream": stream})
        return kept

    async def next_kind(self, tenant: str, kind: str) -> tuple[str, str] | None:
        """The tenant and kind that follow these, of all that events, rows, claims or side rows tell of."""
        rows = await ask(self._db.reads, NEXT_KIND, {"tenant": tenant, "kind": kind})
        return (rows[0]["tenant"], rows[0]["kind"]) if rows else None

    async def all(self, tenant: str, kind: str, after: UUID, limit: int) -> list[Kept]:
        """Every stream of a tenant and kind, with or without events, with or without a row, page by page."""
        return await self._kept(ALL, {"tenant": tenant, "kind": kind, "after": after, "limit": limit})

    async def histories(self, kind: str, streams: Sequence[Kept], after: int, limit: int) -> list[StoredEvent]:
        """Of each stream the events after a version, at most so many of each, stream by stream in their order."""
        parameters = {
            "kind": kind,
            "tenants": [each.tenant for each in streams],
            "streams": [each.stream for each in streams],
            "after": after,
            "limit": limit,
        }
        return [stored_event(row) for row in await ask(self._db.reads, HISTORIES, parameters)]

    async def put(self, folds: Sequence[tuple[Kept, Fold]]) -> list[Result]:
        """Put folds in place of what was kept, where that is still there; each has its own answer."""
        await failpoint("W9-refold")
        batch = json.dumps([_as_json(kept, fold) for kept, fold in folds], ensure_ascii=False)
        answers = [json.loads(row["answer"]) for row in await ask(self._db.writes, REFOLD, {"batch": batch})]
        return [_result(kept, said) for (kept, _), said in zip(folds, answers, strict=True)]

    async def lease(self, name: str, holder: str, seconds: float) -> bool:
        """Whether this process is the one that does it, for so many seconds."""
        await failpoint("W9-lease")
        return bool(await ask(self._db.writes, LEASE, {"name": name, "holder": holder, "seconds": seconds}))

    async def release(self, name: str, holder: str) -> None:
        """Let somebody else do it at once."""
        await ask(self._db.writes, RELEASE, {"name": name, "holder": holder})

    async def declarations(self) -> dict[str, str]:
        """By which fields the rows of each kind can be listed."""
        rows = await ask(self._db.reads, text("SELECT kind, declared FROM list_declarations"))
        return {row["kind"]: row["declared"] for row in rows}

    async def declare(self, kind: str, shape: int, declared: str) -> None:
        """All rows of a kind can be listed so; newer code that says otherwise keeps its word."""
        await ask(self._db.writes, DECLARE, {"kind": kind, "shape": shape, "declared": declared})

    async def _kept(self, statement: TextClause, parameters: Mapping[str, Any]) -> list[Kept]:
        return [_kept(row) for row in await ask(self._db.reads, statement, parameters)]


def _kept(row: RowMapping) -> Kept:
    return Kept(row["tenant"], row["kind"], row["stream"], row["version"], row["shape"], row["events"])


def _as_json(kept: Kept, fold: Fold) -> dict[str, Any]:
    return {
        "tenant": kept.tenant,
        "kind": kept.kind,
        "stream": str(kept.stream),
        "seen_version": kept.version,
        "seen_shape": kept.shape,
        "version": fold.version,
        "public_version": fold.public_version,
        "shape": fold.shape,
        "state": fold.state,
        "deadline": fold.deadline.isoformat() if fold.deadline else None,
        "claims": list(fold.claims),
    }


def _result(kept: Kept, said: Mapping[str, Any]) -> Result:
    became = Became(said["is"])
    if became is Became.CLAIMED:
        return Result(kept, became, f"{said['key']} is held by {said['kind']} {said['stream']}")
    return Result(kept, became)
