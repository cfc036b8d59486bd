"""What the checker finds broken: facts that are lost, there twice, or there without anybody's doing, and all else."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Verdict:
    """Each entry is one sentence; empty is what was promised."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    phantom: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Any other promise that is not kept."""

    @property
    def broken(self) -> bool:
        return any(self.sentences())

    def sentences(self) -> Iterable[str]:
        """All of it, each with what it counts as."""
        for name in ("lost", "duplicated", "phantom", "wrong"):
            yield from (f"{name}: {each}" for each in getattr(self, name))

    def add(self, other: "Verdict") -> None:
        """Take over what another look has found."""
        self.lost += other.lost
        self.duplicated += other.duplicated
        self.phantom += other.phantom
        self.wrong += other.wrong
