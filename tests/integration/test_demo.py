"""The demo as a user sees it: a story that ends well, one whose loop is cut, and one that is interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

KEYS = ["findings", "breaches", "risks", "corrective_actions", "events", "duplicates", "seconds"]
COMMAND = [sys.executable, "-P", "-m", "stack", "demo", "--short"]


def surroundings(folder: Path) -> dict[str, str]:
    """Temporary files of the demo go where the test can see whether any are left."""
    temporary = folder / "temporary"
    temporary.mkdir()
    # As root the database server runs as nobody, who must be able to pass through.
    for each in (temporary, *temporary.parents):
        if each.owner() == folder.owner() and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o011)
    return {**os.environ, "TMPDIR": str(temporary), "NO_COLOR": "1"}


def demo(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *options], cwd=folder, env=surroundings(folder), capture_output=True, text=True, timeout=240
    )


def figures(ended: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def test_the_story_ends_with_one_action_for_each_source_and_leaves_only_its_report(tmp_path: Path) -> None:
    ended = demo(tmp_path)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr
    said = figures(ended)
    assert list(said) == KEYS
    sources = said["findings"] + said["breaches"] + said["risks"]
    assert said["corrective_actions"]["opened"] == sources == 12
    assert 0 < said["corrective_actions"]["closed"] < sources
    assert said["duplicates"] == 0
    assert said["events"] > 200
    assert "\x1b" not in ended.stdout, "plain lines where nobody looks at a terminal"
    assert "F-1 gone" in ended.stdout
    report = (tmp_path / "report.html").read_text()
    assert report.count("<svg") >= 8
    assert not [mark for mark in ("src=", "href=", "url(", "@import", "<script") if mark in report]
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_loop_that_is_cut_is_noticed_and_what_is_missing_is_named(tmp_path: Path) -> None:
    ended = demo(tmp_path, "--without", "improvement-consumer", "--patience", "1")
    assert ended.returncode == 1
    assert "MISSING: breach SVC-DESK p1-in-8h 2016-02 has no corrective action" in ended.stderr
    assert "MISSING: breach SVC-DESK p2-in-24h 2016-03 has no corrective action" in ended.stderr
    assert "Traceback" not in ended.stderr
    said = figures(ended)
    assert list(said) == KEYS
    assert said["breaches"] == 2
    assert said["corrective_actions"] == {"opened": 0, "closed": 0}
    assert list((tmp_path / "temporary").iterdir()) == []


def test_ctrl_c_leaves_nobody_and_nothing_behind(tmp_path: Path) -> None:
    environment = surroundings(tmp_path)
    child = subprocess.Popen(COMMAND, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if "coverage-counted" in line or "SLA-1" in line:
            break
    child.send_signal(signal.SIGINT)
    child.stdout.read()
    assert child.wait(60) == 130
    assert list((tmp_path / "temporary").iterdir()) == []
    assert _gone(str(tmp_path)), "processes of the demo are still there"


def _gone(folder: str) -> bool:
    """Whether no process has that folder in its command line, at the latest in a moment."""
    for _ in range(50):
        lines = (_command_line(each) for each in Path("/proc").glob("[0-9]*/cmdline"))
        if not any(folder in line for line in lines):
            return True
        time.sleep(0.1)
    return False


def _command_line(file: Path) -> str:
    try:
        return file.read_bytes().decode(errors="replace")
    except OSError:
        return ""
