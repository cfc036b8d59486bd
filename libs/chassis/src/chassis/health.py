"""What others may ask about this process: does it live, can it serve, what is not as it should be."""

import asyncio
from dataclasses import dataclass

from chassis.metrics import Metrics
from chassis.migrations import revision_of
from events.bus.runtime import Bus
from events.refolder import Refolder
from events.scheduler import Scheduler
from events.store.database import Database
from events.store.port import OutcomeUnknown, Unavailable
from events.store.writer import Writer

PATIENCE_SECONDS = 2.0
SILENCE_SECONDS = 10.0


@dataclass
class Health:
    """`unready` is what keeps requests from being served; `degraded` is everything else that somebody must see to."""

    database: Database
    writer: Writer
    scheduler: Scheduler
    refolder: Refolder
    metrics: Metrics
    wanted_revision: str | None
    bus: Bus | None
    deaf: bool = False
    stopping: bool = False

    async def unready(self) -> list[str]:
        """Why this process cannot serve requests; empty when it can."""
        if self.stopping:
            return ["this process is shutting down"]
        reasons = [] if self.writer.alive else ["the writer has stopped"]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                revision = await revision_of(self.database)
        except (Unavailable, OutcomeUnknown, TimeoutError):
            reasons.append("the database does not answer")
        else:
            if revision is None or (self.wanted_revision and revision < self.wanted_revision):
                reasons.append(f"the database is at revision {revision}, this code needs {self.wanted_revision}")
        reasons += self.refolder.unready()
        self.metrics.ready.set(not reasons)
        return reasons

    def degraded(self) -> list[str]:
        """What does not work as it should, in words. It asks nobody, so it is also known when nobody answers."""
        found = (
            list(self.bus.status().degraded) if self.bus else ["no NATS is configured: nothing is announced or heard"]
        )
        if self.deaf:
            found.append("CLOSELOOP_CONSUME is off: nothing is heard")
        if self.writer.trouble:
            found.append(f"commands cannot be written: {self.writer.trouble}")
        if self.scheduler.silent_for > SILENCE_SECONDS:
            found.append(f"no deadline was looked at for {self.scheduler.silent_for:.0f} s")
        if self.scheduler.parked:
            found.append(f"{self.scheduler.parked} deadlines are parked: they did not move on when they were due")
        if self.scheduler.held_up:
            found.append(f"{self.scheduler.held_up} deadlines are held up: something keeps their objects from changing")
        return found + self.refolder.complaints()

    def measure(self) -> None:
        """Bring the gauges up to date."""
        of = self.metrics
        of.degraded.set(len(self.degraded()))
        of.scheduler_silence.set(self.scheduler.silent_for)
        of.deadlines_parked.set(self.scheduler.parked)
        of.deadlines_held_up.set(self.scheduler.held_up)
        of.states_stuck.set(self.refolder.stuck)
        for kind, rows in self.refolder.older.items():
            of.states_older.labels(kind).set(rows)
        of.commands_waiting.set(self.writer.waiting)
        if self.bus:
            status = self.bus.status()
            of.bus_connected.set(status.connected)
            of.relay_leads.set(status.leads)
            of.relay_halted.set(status.halted)
            of.relay_lag.set(status.lag)
            of.relay_oldest.set(status.oldest_unpublished)
            of.dead_letters.set(status.parked)
            of.gaps.set(len(status.gaps))
            for source, pending in status.pending.items():
                of.pending.labels(source).set(pending)
