"""Where the story is played: four services somewhere, people at their doors, and a clock that can be moved."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from stack.client import Caller, Object, Rejected, eventually, move_clock, settle
from stack.demo.cast import DIRECTOR, DUTIES, OKAFOR, Person
from stack.demo.timeline import Timeline


class Missing(Exception):
    """Something that must have happened has not; the message names all of it."""

    def __init__(self, what: Iterable[str]) -> None:
        self.what = tuple(what)
        super().__init__("; ".join(self.what))


@dataclass
class Stage:
    """What every scene needs."""

    addresses: Mapping[str, str]
    mint: Callable[[str, Sequence[str]], str]
    """(person, token roles) -> a token."""
    timeline: Timeline
    patience: float
    now: datetime
    _callers: dict[Person, Caller] = field(default_factory=dict)

    def caller(self, person: Person) -> Caller:
        """That person's own token, minted once."""
        if person not in self._callers:
            self._callers[person] = Caller(self.addresses, self.mint(person.id, person.roles))
        return self._callers[person]

    def make(self, person: Person, service: str, path: str, body: Object, saying: str = "") -> Object:
        """That person makes an object."""
        made: Object = self.caller(person).post(service, path, body)
        if saying:
            self.timeline.did(person, saying.format(**made))
        return made

    def act(self, person: Person, service: str, path: str, name: str, body: Object, saying: str = "") -> Object:
        """That person changes the object as it is now."""
        changed: Object = self.caller(person).act(service, path, name, body)
        if saying:
            self.timeline.did(person, saying.format(**changed))
        return changed

    def refused(self, person: Person, service: str, path: str, name: str, body: Object, trying: str, rule: str) -> None:
        """That person tries what the rules forbid; the story goes wrong if they let it pass."""
        try:
            self.caller(person).act(service, path, name, body)
        except Rejected as problem:
            if problem.problem.get("rule") != rule:
                raise
            self.timeline.refused(person, trying, f"{problem.problem.get('detail')} [{rule}]")
        else:
            raise Missing([f"rule {rule} did not refuse that {person.name} {trying}"])

    def get(self, service: str, path: str) -> Any:
        """Look as somebody who may only read."""
        return self.caller(DIRECTOR).get(service, path)

    def all(self, service: str, path: str, /, **query: Any) -> Iterator[Object]:
        """A whole list, page by page."""
        return self.caller(DIRECTOR).all(service, path, **query)

    def go_to(self, moment: datetime) -> None:
        """Business time goes on, and everything due by then is done."""
        self.now = moment
        self.timeline.now(moment)
        move_clock(self.caller(DIRECTOR), moment)

    def settle(self) -> None:
        """Wait until every effect that crosses services has arrived."""
        settle(self.caller(DIRECTOR))

    def appoint(self) -> None:
        """Who answers for what, as dated facts of the audit service; the token only opens doors."""
        for person, role in DUTIES.items():
            duty = {"person": person.id, "role": role, "since": "2016-01-01"}
            self.make(OKAFOR, "audit", "role-holders", duty, f"appoints {person.name}: {role}")
        self.settle()

    def action_for(self, source: str, named: str) -> Object:
        """The corrective action of a source; without one the story cannot go on."""

        def look() -> Object | None:
            actions = self.all("improvement", "corrective-actions")
            return next((each for each in actions if source in source_ids(each)), None)

        try:
            return eventually(look, named, self.patience)
        except AssertionError:
            raise Missing([f"{named} has no corrective action"]) from None


def source_ids(action: Object) -> set[str]:
    """The sources that an action has or had."""
    former = (entry["source"] for entry in action["former"])
    return {source["id"] for source in (*action["sources"], *former)}
