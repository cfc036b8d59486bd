"""What an operator does about derived data, beside a running service: rebuild it, or compare it with the events."""

from collections.abc import Callable
from time import monotonic

from chassis.routes import Service
from chassis.service import aggregates_of
from chassis.settings import Settings
from events.kernel import Unacceptable
from events.rebuilding import Rebuild, Tally
from events.store.database import Database
from events.store.folds import Folds
from events.verifying import Findings, Verification

Say = Callable[[str], None]

SAY_EVERY = 1.0
NAMED = 20
EQUAL, DIFFERENT, NOT_ALL = 0, 1, 2
"""Exit codes of `verify`: all compared and equal; something differs; nothing differs, but not all can be compared."""


class Pace:
    """How far something is and how fast it goes, said once a second."""

    def __init__(self, say: Say) -> None:
        """It begins now."""
        self._say = say
        self._began = self._said = monotonic()

    def step(self, what: str, done: int) -> None:
        """So much is done."""
        if monotonic() - self._said >= SAY_EVERY:
            self._say(f"{what}: {done:,} streams so far, {self.rate(done):,.0f}/s")
            self._said = monotonic()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return monotonic() - self._began

    def rate(self, done: int) -> float:
        """A second."""
        return done / max(self.seconds, 0.001)


async def rebuild(service: Service, settings: Settings, kind: str | None, say: Say) -> bool:
    """Fold everything anew while others read and append; whether nothing was left as it was. Raises Refused."""
    aggregates = {aggregate.kind: aggregate for aggregate in aggregates_of(service)}
    if kind not in (None, *aggregates):
        raise Unacceptable(f"{service.name} has no kind {kind}; it has {', '.join(sorted(aggregates))}")
    database, pace = Database.at(settings.database), Pace(say)
    try:
        tally = await Rebuild(Folds(database), aggregates, pace.step).run(kind)
    finally:
        await database.close()
    _say_what_is_left(tally, say)
    say(
        f"{service.name}: {tally.streams:,} streams in {pace.seconds:.1f} s ({pace.rate(tally.streams):,.0f}/s): "
        f"{tally.right:,} were right, {tally.renewed:,} folded anew from an older shape, {tally.mended:,} mended, "
        f"{len(tally.left):,} left as they were"
    )
    return not (tally.left or tally.unknown or tally.unsettled)


def _say_what_is_left(tally: Tally, say: Say) -> None:
    for result in tally.left[:NAMED]:
        say(f"left: {result.kept.tenant} {result.kept.kind} {result.kept.stream}: {result.became} {result.why}")
    if len(tally.left) > NAMED:
        say(f"left: and {len(tally.left) - NAMED:,} more")
    if tally.unsettled:
        say(f"left: {tally.unsettled:,} streams that were wrong again at every pass")
    for kind in sorted(tally.unknown):
        say(f"left: {kind}, a kind that this code does not know")


async def verify(service: Service, settings: Settings, say: Say) -> int:
    """Compare everything that is derived with the events, and change nothing; the exit code."""
    aggregates = {aggregate.kind: aggregate for aggregate in aggregates_of(service)}
    database, pace = Database.at(settings.database), Pace(say)

    def progress(findings: Findings) -> None:
        pace.step(service.name, findings.streams)

    try:
        found = await Verification(
            database, aggregates, lambda difference: say(f"differs: {difference}"), progress
        ).run()
    finally:
        await database.close()
    for what in _not_compared(found):
        say(f"not compared: {what}")
    say(
        f"{service.name}: {found.streams:,} streams, {found.events:,} events and {found.commands:,} commands compared "
        f"in {pace.seconds:.1f} s ({pace.rate(found.streams):,.0f} streams/s): {found.differences:,} differences"
    )
    if found.differences:
        return DIFFERENT
    return NOT_ALL if found.newer or found.unknown else EQUAL


def _not_compared(found: Findings) -> list[str]:
    what = [f"{kind}, a kind that this code does not know" for kind in sorted(found.unknown)]
    if found.newer:
        what.append(f"{found.newer:,} streams that newer code has written")
    if found.older:
        what.append(f"the states of {found.older:,} rows of an older shape, which are folded anew before they are read")
    return what
