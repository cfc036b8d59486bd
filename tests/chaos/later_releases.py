"""The next releases of Closeloop: today's sources with the changes that a release may bring, one after the other.

Each release n knows everything that release n - 1 and today's code wrote, and writes some of it in another way:

- audit and improvement store `finding-raised` and `corrective-action-opened` in version n + 1, older ones climb;
- finding and corrective action have another state, of shape n + 1;
- what audit says of an issued finding, and sla of a listed service, has another optional field (release 1), then
  another version (from release 2 on);
- every database gets a column and an index (expand), and loses those of the release before (contract).
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stack.cluster import SERVICE_PORTS
from stack.copies import ROOT, Change, Copy, copy_to

ROLL_ORDER = ("improvement", "risk", "sla", "audit")
"""Consumers before producers: of the contracts, those of sla and audit change."""
STEPS = 4
"""Migrations per release: a column and an index come, an index and a column go."""
FINDINGS = "services/audit-service/src/audit_service/findings"
ACTIONS = "services/improvement-service/src/improvement_service/corrective_actions"
CATALOGUE = "services/sla-service/src/sla_service/services"

MIGRATION = '''"""{says}"""

from alembic import op

from chassis.migrations import build_index, drop_index

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    {does}
'''


@dataclass(frozen=True)
class Release:
    """A later release; `contracted`: nobody runs the one before any more, and its leftovers go, too."""

    number: int
    contracted: bool = False

    def __post_init__(self) -> None:
        """Today's is not a later one."""
        assert self.number >= 1

    def made_in(self, folder: Path) -> Copy:
        """A copy of the sources in this (new) folder, as of this release."""
        copied = copy_to(folder, self.changes())
        for service in SERVICE_PORTS:
            self._add_migrations(service, copied.migrations(service))
        return copied

    def migrations_in(self, folder: Path, service: str) -> Path:
        """The migrations of one service, in this (new) folder."""
        shutil.copytree(migrations_of(service), folder)
        self._add_migrations(service, folder)
        return folder

    def _add_migrations(self, service: str, folder: Path) -> None:
        for revision, text in self.migrations(service):
            (folder / "versions" / f"{revision}_release.py").write_text(text)

    def changes(self) -> Iterator[Change]:
        """What reads otherwise than today."""
        yield from self._finding()
        yield from self._corrective_action()
        yield from self._finding_issued()
        yield from self._service_listed()

    def migrations(self, service: str) -> Iterator[tuple[str, str]]:
        """(revision, text) of each migration after today's."""
        first = todays_revision(service)
        steps = [step for number in range(1, self.number + 1) for step in _steps(number)]
        kept = steps if self.contracted else steps[: -STEPS // 2]
        for at, (says, does) in enumerate(kept, first + 1):
            yield f"{at:04}", MIGRATION.format(says=says, does=does, revision=f"{at:04}", before=f"{at - 1:04}")

    # --- what changes -------------------------------------------------------------------------------------------------

    def _finding(self) -> Iterator[Change]:
        yield from _stored_otherwise(FINDINGS, "finding-raised", "Raised", self.number)
        given = "        by=given.by.person,\n    )\n    return [raised]"
        yield Change(file=f"{FINDINGS}/decide.py", old=given, new=f"        form={self.number + 1},\n{given}")
        yield _state_field(FINDINGS, "    status: Status = Status.ABSENT\n")
        folded = "        raised_by=raised.by,\n    )"
        form = f'        form=f"{{raised.form}} in release {self.number}",\n'
        yield Change(file=f"{FINDINGS}/state.py", old=folded, new=form + folded)

    def _corrective_action(self) -> Iterator[Change]:
        yield from _stored_otherwise(ACTIONS, "corrective-action-opened", "Opened", self.number)
        yield Change(file=f"{ACTIONS}/intake.py", old="[Opened(number=", new=f"[Opened(form={self.number + 1}, number=")
        yield _state_field(ACTIONS, "    status: Status = Status.ABSENT\n")
        told = "case events.Opened(number=number, entry=entry, group=group):"
        yield Change(file=f"{ACTIONS}/evolve.py", old=told, new=told.replace("(number", "(form=form, number"))
        folded = "opened = replace(action, "
        form = f'form=f"{{form}} in release {self.number}", '
        yield Change(file=f"{ACTIONS}/evolve.py", old=folded, new=folded + form)

    def _finding_issued(self) -> Iterator[Change]:
        last = '    statement: Text\n\n\n@public("audit", "finding", "finding-amended")'
        yield self._contract("audit", "finding", "FindingIssued", last)
        says = "return FindingIssued(\n"
        more = f"                form={self.number},\n"
        yield Change(file=f"{FINDINGS}/announce.py", old=says, new=f"return {self._said('FindingIssued')}(\n{more}")
        imported = "import FindingAmended, FindingIssued, "
        yield Change(file=f"{FINDINGS}/announce.py", old=imported, new=self._imported(imported, "FindingIssued"))

    def _service_listed(self) -> Iterator[Change]:
        """What sla itself hears, too: while it is replaced, the old process hears what the new one says."""
        last = '    supplier: Line | None\n\n\n@public("sla", "service", "service-retired")'
        yield self._contract("sla", "service", "ServiceListed", last)
        says = "return ServiceListed(\n"
        more = f"                form={self.number},\n"
        yield Change(file=f"{CATALOGUE}/announce.py", old=says, new=f"return {self._said('ServiceListed')}(\n{more}")
        imported = "import ServiceListed, "
        yield Change(file=f"{CATALOGUE}/announce.py", old=imported, new=self._imported(imported, "ServiceListed"))

    def _contract(self, service: str, aggregate: str, name: str, last: str) -> Change:
        """Release 1 says more in version 1; from release 2 on the version rises, and all older ones are understood."""
        versions = "".join(_next_version(service, aggregate, name, number) for number in range(2, self.number + 1))
        more = last.replace("\n\n\n", f"\n    form: int | None = None\n\n\n{versions}", 1)
        return Change(file=f"libs/contracts/src/contracts/{service}.py", old=last, new=more)

    def _said(self, name: str) -> str:
        return name if self.number == 1 else f"{name}V{self.number}"

    def _imported(self, line: str, name: str) -> str:
        return line.replace(f"{name}, ", f"{name}, {self._said(name)}, ") if self.number > 1 else line


def _stored_otherwise(folder: str, name: str, event: str, number: int) -> Iterator[Change]:
    """A stored event with another field, in the next version; each older version climbs."""
    head = f'@event("{name}")\nclass {event}:\n'
    versioned = head.replace(f'"{name}"', f'"{name}", version={number + 1}')
    yield Change(file=f"{folder}/events.py", old=head, new=f"{versioned}    form: int\n")
    up = f'{{("{name}", version): lambda data: {{"form": 1, **data}} for version in range(1, {number + 1})}}'
    declared = "    announce=announce,\n)"
    changed = f"    announce=announce,\n    shape={number + 1},\n    upcasters={up},\n)"
    yield Change(file=f"{folder}/aggregate.py", old=declared, new=changed)


def _state_field(folder: str, behind: str) -> Change:
    return Change(file=f"{folder}/state.py", old=behind, new=f'{behind}    form: str = ""\n')


def _next_version(service: str, aggregate: str, name: str, version: int) -> str:
    told = "".join(f"-{each.lower()}" if each.isupper() else each for each in name).removeprefix("-")
    return (
        f'@public("{service}", "{aggregate}", "{told}", version={version})\n'
        f'class {name}V{version}({name}):\n    """As version {version - 1}."""\n\n\n'
    )


# --- migrations -------------------------------------------------------------------------------------------------------


def migrations_of(service: str) -> Path:
    """Today's."""
    return ROOT / "services" / f"{service}-service" / "migrations"


def todays_revision(service: str) -> int:
    """The number of the last migration that lies here."""
    files = (migrations_of(service) / "versions").glob("[0-9]*.py")
    return max(int(file.name.partition("_")[0]) for file in files)


def next_release(service: str, revision: str) -> int:
    """The number of the first release whose migrations this database has not all seen."""
    return 1 + (int(revision) - todays_revision(service)) // STEPS


def _steps(number: int) -> list[tuple[str, str]]:
    """The migrations of one release, in order: half of them expand, half of them contract."""
    index, on = f"ix_release_{number}", f"events (position) WHERE release_{number} IS NOT NULL"
    return [
        ("Expand: a column.", f'op.execute("ALTER TABLE events ADD COLUMN release_{number} integer")'),
        ("Expand: an index.", f'build_index("{index}", "{on}")'),
        ("Contract: the index goes.", f'drop_index("{index}")'),
        ("Contract: the column goes.", f'op.execute("ALTER TABLE events DROP COLUMN release_{number}")'),
    ]
