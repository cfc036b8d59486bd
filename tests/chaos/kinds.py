"""What a kind of fault is, and the list of all kinds: one module per subject in `faults/`, each with its `KINDS`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from stack.cluster import SERVICE_PORTS

if TYPE_CHECKING:
    from arena import Arena

SERVICES = tuple(SERVICE_PORTS)
FAULTS = Path(__file__).resolve().parent / "faults"


class Missed(Exception):
    """The fault met no work under way: the round does not count, and is repeated."""


class Impossible(Exception):
    """This machine cannot do it (no loop devices, for example); the message says what is missing. Never passes."""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """How a stack must be furnished. Kinds with equal needs share one running stack, one after the other."""

    proxies: bool = False
    """The services reach PostgreSQL and NATS through `arena.proxies["postgres"]` and `arena.proxies["nats"]`."""
    durable: bool = False
    """PostgreSQL with fsync, as in production; otherwise a killed server keeps all it wrote, a cut machine does not."""
    disks: bool = False
    """PostgreSQL and NATS have disks of their own: `arena.disks["postgres"]`, `arena.disks["nats"]`."""
    supervised: bool = False
    """Whatever ends by itself is started again, as by `./closeloop up`."""
    replicas: int = 1
    """So many processes of each service, side by side."""
    upgrades: bool = False
    """The services change to later releases, round by round: nobody else's round may find them there."""
    fresh: bool = False
    """A new stack for each round: for kinds after which a stack is not fit for others."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way to break something under load."""

    name: str
    """Short and hyphenated: "w4-published", "postgres-killed"."""
    says: str
    """One sentence, for the table and for `--list`."""
    strike: Callable[["Arena", Random], None]
    """Break something under load, hold it, heal it, return. Raises Missed when it met no work under way."""
    rounds: int = 20
    """Hits in the long set."""
    short: int = 1
    """Hits with `--short`; 0: left out there."""
    needs: Needs = field(default_factory=Needs)
    forgives: bool = False
    """Whether an operator's decision may give something up: the strike names it in `arena.forgiven`."""


def all_kinds() -> list[Kind]:
    """Every kind, in the order of their modules and of their lists."""
    found = list(_declared())
    names = [kind.name for kind in found]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"two kinds of the same name: {', '.join(sorted(twice))}")
    return found


def _declared() -> Iterator[Kind]:
    for file in sorted(FAULTS.glob("[a-z]*.py")):
        yield from import_module(f"faults.{file.stem}").KINDS
