"""The log: one line of JSON for each record, and whoever cannot be written about works on all the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TELLS = """
import logging, sys
import structlog
from chassis import logs

logs.configure("audit")
for number in range(200):
    structlog.get_logger().info("told", number=number, text="x" * 100)
logging.getLogger("library").warning("also\\ntold")
print("went on", file=sys.stderr)
"""


def told(log: Path) -> str:
    """What a process says on standard error whose standard output goes into this file."""
    with log.open("w") as out:
        done = subprocess.run(
            [sys.executable, "-c", TELLS], stdout=out, stderr=subprocess.PIPE, text=True, timeout=30, check=False
        )
    return done.stderr


def test_each_record_is_a_line_of_json(tmp_path: Path) -> None:
    told(tmp_path / "log")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line.get("number") for line in lines[:200]] == list(range(200))
    assert [(line["event"], line["service"]) for line in lines[200:]] == [("also\ntold", "audit")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file that is always full is Linux's")
def test_a_log_that_is_full_keeps_nobody_from_work() -> None:
    assert "went on" in told(Path("/dev/full"))
