"""What is typed: the start script names what is missing, the lock pins everything, the commands refuse with a cure."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from unittest.mock import MagicMock

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
        (["rebuild", "all"], "Start it with `./closeloop up --data /"),
        (["verify", "--state", "nobody"], "give one of audit, sla"),
        (["dead-letters", "audit"], "Start it with `./closeloop up --data /"),
        (["up", "--clock-start", "yesterday"], "2016-02-28T00:00:00Z"),
    ],
)
def test_a_refusal_names_its_cure(tmp_path: Path, command: list[str], cure: str) -> None:
    answer = CliRunner().invoke(app, [*command, "--data", str(tmp_path)])
    assert answer.exit_code != 0
    assert cure in answer.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["verify", "--state", "audit"], ["backup", "new"]])
def test_what_was_killed_is_said_to_run_no_more(tmp_path: Path, command: list[str]) -> None:
    """Whoever is killed leaves its addresses behind."""
    left = {"postgres": f"postgresql+asyncpg://postgres@/postgres?host={tmp_path}", "nats": "nats://127.0.0.1:1"}
    (tmp_path / "addresses.json").write_text(json.dumps(left))
    answer = CliRunner().invoke(app, [*command, "--data", str(tmp_path)])
    assert answer.exit_code == 1
    assert f"Nothing runs in {tmp_path}. Start it with `./closeloop up --data {tmp_path}`" in answer.output


@pytest.mark.parametrize("folder", ["data", "a folder"])
def test_what_was_restored_is_started_where_it_lies(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stack.__main__.restore_backup", MagicMock())
    monkeypatch.setattr("stack.__main__.default_data", lambda: tmp_path / "data")
    answer = CliRunner().invoke(app, ["restore", "backup", "--data", str(tmp_path / folder)])
    elsewhere = "" if folder == "data" else f" --data '{tmp_path / folder}'"
    assert answer.output.endswith(f"Start it with ./closeloop up{elsewhere}\n")
