"""What goes wrong between a process and the servers it stands on: at every await, as a seed will have it."""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, fields, replace
from random import Random

from events.bus.port import BrokerTrouble, Fate
from events.store.port import OutcomeUnknown, Unavailable
from simulation.database import Database, DoneLater, Pause

MOMENTS = (0.0, 0.001, 0.01, 0.1)
"""In which others go first."""
DELAYS = (0.001, 0.1, 1.0, 4.0, 10.0)
"""After which something arrives that nobody waits for any more."""


@dataclass(frozen=True, kw_only=True)
class Climate:
    """How likely each mishap is at each occasion; no two seeds have the same."""

    crash: float = 0.0
    """The process ends here, as by kill -9."""
    fail: float = 0.0
    """What was asked was not done, or (asked the other way round) was done and the answer is lost."""
    stall: float = 0.0
    """It takes seconds, longer than some are ready to wait."""
    slow: float = 0.3
    """It takes a moment, in which others go first."""
    done_late: float = 0.0
    """A statement takes effect when its sender has given up waiting, or is dead."""
    publish_lost: float = 0.0
    publish_hushed: float = 0.0
    """The message is stored, and its sender is not told."""
    publish_late: float = 0.0
    """The message is stored when its sender has given up waiting."""
    dropped: float = 0.0
    doubled: float = 0.0
    shuffled: float = 0.0
    word_lost: float = 0.0
    """An acknowledgement does not reach the broker."""
    hang_up: float = 0.0
    """An HTTP client does not wait for the answer, or does not get it."""

    @classmethod
    def of(cls, chance: Random) -> "Climate":
        """Some mishaps often, some seldom, some never: what always happens hides what seldom does."""
        rates = {each.name: _rate(chance, MOST[each.name]) for each in fields(cls)}
        return cls(**rates)


MOST = {
    "crash": 0.02,
    "fail": 0.2,
    "stall": 0.03,
    "slow": 0.6,
    "done_late": 0.15,
    "publish_lost": 0.5,
    "publish_hushed": 0.5,
    "publish_late": 0.5,
    "dropped": 0.5,
    "doubled": 0.5,
    "shuffled": 0.5,
    "word_lost": 0.5,
    "hang_up": 0.5,
}
CALM = Climate(slow=0.1)


def _rate(chance: Random, most: float) -> float:
    return most * chance.random() ** 2 if chance.random() < 0.6 else 0.0


class Weather:
    """The climate that everybody stands in; it can be changed for all at once."""

    def __init__(self, chance: Random, climate: Climate = CALM) -> None:
        self.chance = chance
        self.climate = climate

    def calm(self) -> None:
        """From now on nothing goes wrong by itself."""
        self.climate = replace(CALM, slow=self.climate.slow)

    def happens(self, rate: float) -> bool:
        """Toss for one mishap."""
        return rate > 0 and self.chance.random() < rate


class Mischief:
    """All lines of one process: those to its database, and (as `simulation.broker.Line`) the one to the broker."""

    def __init__(self, weather: Weather, crash: Callable[[], None], note: Callable[[str], None]) -> None:
        """`crash` ends the process; `note` writes down what was done to it."""
        self._weather = weather
        self._crash = crash
        self._note = note

    async def passes(self, moment: str, failure: Callable[[str], Exception]) -> None:
        """One moment in the life of the process."""
        climate, chance = self._weather.climate, self._weather.chance
        drawn = chance.random() - climate.crash
        if drawn < 0:
            self._note(f"dies: {moment}")
            self._crash()
            await asyncio.get_running_loop().create_future()
        if (drawn := drawn - climate.fail) < 0:
            self._note(f"gets no answer: {moment}")
            raise failure(moment)
        if (drawn := drawn - climate.stall) < 0:
            self._note(f"stalls: {moment}")
            await asyncio.sleep(chance.uniform(0.5, 9.0))
        elif drawn < climate.slow:
            await asyncio.sleep(chance.choice(MOMENTS))

    # --- to the database ----------------------------------------------------------------------------------------------

    def pause_at(self, database: Database) -> Pause:
        """For one connection to a database; it breaks when the database is restarted."""
        seen = database.identity

        def lost(moment: str) -> Exception:
            known = moment.endswith("asked") and self._weather.chance.random() < 0.5
            return (Unavailable if known else OutcomeUnknown)(f"{moment}: the database did not answer")

        async def pause(moment: str) -> None:
            nonlocal seen
            await self.passes(moment, lost)
            if moment.endswith("asked") and self._weather.happens(self._weather.climate.done_late):
                raise DoneLater(moment, self._weather.chance.choice(DELAYS))
            if seen != database.identity or not database.up:
                seen = database.identity
                raise lost(moment)

        return pause

    # --- to the broker ------------------------------------------------------------------------------------------------

    async def pause(self, moment: str) -> None:
        await self.passes(moment, lambda what: BrokerTrouble(f"{what}: NATS does not answer"))

    def send(self, deliver: Callable[[], Fate]) -> Fate | None:
        weather = self._weather
        if weather.happens(weather.climate.publish_lost):
            return None
        if weather.happens(weather.climate.publish_late):
            delay = weather.chance.choice(DELAYS)
            asyncio.get_running_loop().call_later(delay, deliver, context=Context())
            return None
        fate = deliver()
        return Fate.UNKNOWN if weather.happens(weather.climate.publish_hushed) else fate

    def hand_over(self, handed: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
        weather, climate = self._weather, self._weather.climate
        arrived = [each for each in handed if not weather.happens(climate.dropped)]
        arrived += [each for each in arrived if weather.happens(climate.doubled)]
        if len(arrived) > 1 and weather.happens(climate.shuffled):
            weather.chance.shuffle(arrived)
        return arrived

    def loses(self) -> bool:
        return self._weather.happens(self._weather.climate.word_lost)
