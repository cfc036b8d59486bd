"""The table of promises is up to date: it names lines and tests that exist, and the page says what it says."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROMISES = tomllib.loads((HERE / "promises.toml").read_text())["promise"]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise["sentence"])
def test_the_line_to_break_and_the_test_to_notice_it_exist(promise: dict[str, str]) -> None:
    assert (ROOT / promise["file"]).read_text().count(promise["old"]) == 1
    file, *_, name = promise["test"].split("::")
    assert f"def {name}(" in (ROOT / file).read_text() or "conformance" in file
    assert promise["old"] != promise["new"]


def test_no_two_promises_are_broken_by_the_same_change() -> None:
    changes = [(promise["file"], promise["old"], promise["new"], promise["test"]) for promise in PROMISES]
    assert len(set(changes)) == len(changes)


def test_the_page_is_what_the_table_says() -> None:
    rendered = subprocess.run([sys.executable, HERE / "run.py", "--render"], capture_output=True, text=True, check=True)
    assert (ROOT / "docs" / "promises.md").read_text() == rendered.stdout, (
        "run: python tests/sabotage/run.py --render > docs/promises.md"
    )
