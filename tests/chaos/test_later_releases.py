"""The next releases fit today's sources: they start, read what was stored before, and migrate a database."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from later_releases import STEPS, Release, todays_revision

from chassis.migrations import migrate, revision_of
from events.store.database import Database
from stack.cluster import SERVICE_PORTS
from stack.copies import ROOT, Change, Copy, copy_to

READS = """
import json, sys
from chassis.service import load
from contracts.audit import FindingIssued
from events.codec import codec_of
from events.kernel import CONTRACTS
golden = json.load(open(sys.argv[1]))["finding-raised v1"][0]
(feature,) = [each for each in load("audit").features if each.aggregate.kind == "finding"]
raised = codec_of(feature.aggregate).decode("finding-raised", 1, json.dumps(golden))
load("sla"), load("risk"), load("improvement")
said = sorted(version for (service, name, version) in CONTRACTS if name == "finding-issued")
assert said == sorted(version for (service, name, version) in CONTRACTS if name == "service-listed")
heard = all(issubclass(CONTRACTS["audit", "finding-issued", each], FindingIssued) for each in said)
print(json.dumps([feature.aggregate.shape, raised.form, said, heard, feature.aggregate.evolve(
    feature.aggregate.initial, raised).form]))
"""


@pytest.mark.parametrize(("number", "versions"), [(1, [1]), (3, [1, 2, 3])])
def test_a_release_reads_what_was_stored_before_and_writes_it_otherwise(
    number: int, versions: list[int], tmp_path: Path
) -> None:
    made = Release(number).made_in(tmp_path / "release")
    golden = ROOT / "services/audit-service/tests/golden/finding.events.json"
    said = json.loads(run(made, "-c", READS, str(golden)))
    assert said == [number + 1, 1, versions, True, f"1 in release {number}"]


async def test_a_database_goes_from_release_to_release(database: str, tmp_path: Path) -> None:
    """Each release contracts what the one before it had left."""
    today = todays_revision("audit")
    releases = [Release(1), Release(1, contracted=True), Release(2), Release(2, contracted=True)]
    for count, release in enumerate(releases, 1):
        made = release.made_in(tmp_path / str(count))
        await migrate(database, made.migrations("audit"))
        engines = Database.at(database)
        assert await revision_of(engines) == f"{today + count * STEPS // 2:04}"
        await engines.close()


def test_every_service_gets_the_migrations(tmp_path: Path) -> None:
    made = Release(1).made_in(tmp_path / "release")
    for service in SERVICE_PORTS:
        names = {file.name for file in (made.migrations(service) / "versions").glob("*_release.py")}
        assert len(names) == STEPS / 2


def test_a_change_whose_place_is_not_there_or_there_twice_is_refused(tmp_path: Path) -> None:
    for old in ("no such line", "\n"):
        with pytest.raises(ValueError, match="has"):
            copy_to(tmp_path / repr(old), [Change(file="libs/chassis/src/chassis/queries.py", old=old, new="")])


def run(copy: Copy, *arguments: str) -> str:
    """Python on the copy's sources."""
    done = subprocess.run(
        [sys.executable, "-P", *arguments],
        env={**os.environ, **copy.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
