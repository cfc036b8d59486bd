"""The checker sees what it is there to see: defects that are planted on purpose are caught."""

import subprocess
import sys
from pathlib import Path

import pytest
from defects import PLANTED, Planted
from kinds import all_kinds

from stack.copies import ROOT

HERE = Path(__file__).resolve().parent
CANNOT_BE_TRIED = 3
"""A power cut needs root and loop devices. What could be tried was caught."""


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_the_place_to_plant_a_defect_and_the_kind_to_catch_it_exist(planted: Planted) -> None:
    assert planted.kind in {kind.name for kind in all_kinds()}
    assert planted.changes or not planted.flushes
    for file in {change.file for change in planted.changes}:
        text = (ROOT / file).read_text()
        for change in planted.changes:
            if change.file == file:
                text = change.made_in(text)
        if file.endswith(".py"):
            compile(text, file, "exec")


def test_planted_defects_are_caught() -> None:
    command = [sys.executable, "-P", HERE / "planted.py", "--short", "--seed", "1"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if ran.returncode == CANNOT_BE_TRIED:
        pytest.skip(ran.stdout)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    short = sum(planted.short for planted in PLANTED)
    assert f"{short} of {short} planted defects caught" in ran.stdout
