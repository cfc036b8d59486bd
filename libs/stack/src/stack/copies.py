"""A copy of the sources, changed in places: another release of them, or a defect that is planted on purpose."""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
SOURCES = ("libs/*/src", "services/*/src", "services/*/migrations")
"""What runs; tests and documents are not needed for that."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One place in one file that reads otherwise."""

    file: str
    """Its path in the repository."""
    old: str
    new: str

    def made_in(self, text: str) -> str:
        """The file's text with the change in it: the place must be there, and only once."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} has {text.count(self.old)} times: {self.old}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Copy:
    """The sources in a folder of their own."""

    folder: Path

    @property
    def python_path(self) -> str:
        """For PYTHONPATH: it comes before the folders of the repository that the virtual environment names."""
        sources = (found for pattern in ("libs/*/src", "services/*/src") for found in self.folder.glob(pattern))
        return os.pathsep.join(map(str, sorted(sources)))

    @property
    def environment(self) -> Mapping[str, str]:
        """Runs a process on this copy. Migrations lie beside a service's code, so they come along."""
        return {"PYTHONPATH": self.python_path}

    def migrations(self, service: str) -> Path:
        """The folder of a service's migrations."""
        return self.folder / "services" / f"{service}-service" / "migrations"

    def change(self, changes: Iterable[Change]) -> None:
        """Make these changes, one after the other."""
        for change in changes:
            path = self.folder / change.file
            path.write_text(change.made_in(path.read_text()))


def copy_to(folder: Path, changes: Iterable[Change] = ()) -> Copy:
    """What runs, as it lies here now, with these changes; what was compiled comes along, so that it starts quickly."""
    for pattern in SOURCES:
        for source in ROOT.glob(pattern):
            shutil.copytree(source, folder / source.relative_to(ROOT), ignore=shutil.ignore_patterns("*.egg-info"))
    copied = Copy(folder)
    copied.change(changes)
    return copied
