"""What is typed: the start script names what is missing, the lock pins everything, the commands refuse with a cure."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stack.__main__ import REPOSITORY, app

TOOLS_WITHOUT_PYTHON = ["sh", "dirname", "cat", "cksum", "env"]


def test_a_machine_without_python_is_told_so(tmp_path: Path) -> None:
    for tool in TOOLS_WITHOUT_PYTHON:
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    start = [REPOSITORY / "closeloop", "up"]
    answer = subprocess.run(start, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "no Python 3.11 or newer here. Install one" in answer.stderr


def test_the_lock_pins_every_package_by_hash_and_names_no_address() -> None:
    lock = (REPOSITORY / "requirements.lock").read_text()
    assert "://" not in lock
    packages = re.findall(r"^[a-z].*", lock, re.MULTILINE)
    assert packages
    assert all(re.search(rf"^{re.escape(package)}\n    --hash=sha256:", lock, re.MULTILINE) for package in packages)


def test_a_token_is_printed_alone(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["token", "p-ruiz", "--data", str(tmp_path)])
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", answer.output)


@pytest.mark.parametrize(
    ("command", "cure"),
    [
        (["token", "p-nobody"], "give at least one --role"),
        (["reset", "--yes"], "nothing was removed"),
        (["rebuild", "all"], "Start it with `./closeloop up`"),
        (["verify", "--state", "nobody"], "give one of audit, sla"),
        (["dead-letters", "audit"], "Start it with `./closeloop up`"),
        (["up", "--clock-start", "yesterday"], "2016-02-28T00:00:00Z"),
    ],
)
def test_a_refusal_names_its_cure(tmp_path: Path, command: list[str], cure: str) -> None:
    answer = CliRunner().invoke(app, [*command, "--data", str(tmp_path)])
    assert answer.exit_code != 0
    assert cure in answer.output
    assert list(tmp_path.iterdir()) == []
