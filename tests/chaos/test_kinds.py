"""The set is as large as was promised, and a run that proves less than it should does not pass."""

import argparse
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from signal import SIGKILL
from typing import Any
from unittest.mock import MagicMock

import pytest
from arena import Arena
from faults import processes
from kinds import FAULTS, Kind, Needs, all_kinds
from rounds import Ring, Round, Sum, batches
from run import _exit_code, _hits
from verdict import Verdict

RUN = Path(__file__).with_name("run.py")
WINDOWS = ("w1", "w2", "w3", "w4", "w5", "w6", "w7a", "w7b", "w8", "w9")
OFTEN = {"processes", "connections", "servers"}
LOSE_DATA = {"nats-emptied", "stream-deleted", "durable-deleted"}
OF_PROCESSES_TOO = {"one-of-two-killed", "one-of-two-frozen", "rolling-restart"}


def test_every_window_has_a_kind() -> None:
    names = {kind.name.split("-")[0] for kind in all_kinds()}
    assert names >= set(WINDOWS)


def test_leases_hide_neither_waiting_rows_nor_folds() -> None:
    """A lease is written as soon as a service starts: armed for all, it would never live to write one."""
    assert {"w9-lease-write", "w9-waiting-write", "w9-refold-write"} <= {kind.name for kind in all_kinds()}
    assert "W9" not in processes.WINDOWS


def test_every_kind_says_what_it_does() -> None:
    for kind in all_kinds():
        assert re.fullmatch(r"[A-Z].*\.", kind.says), kind.says
        assert kind.name == kind.name.lower().replace(" ", "-")


def test_processes_and_connections_have_twenty_rounds_and_all_else_five() -> None:
    for file in FAULTS.glob("[a-z]*.py"):
        module = __import__(f"faults.{file.stem}", fromlist=["KINDS"])
        for kind in module.KINDS:
            often = (file.stem in OFTEN and kind.name not in LOSE_DATA) or kind.name in OF_PROCESSES_TOO
            least = 20 if often else 5
            assert kind.rounds >= least or kind.name.startswith("thousand-"), kind.name


# --- what a sum is worth ----------------------------------------------------------------------------------------------


def struck(**more: Any) -> Round:
    return Round("a-kind", 1, **{"hit": True, "acknowledged": 10, "ready_s": 1.0, "quiet_s": 2.0, **more})


def test_rounds_that_met_no_work_do_not_count() -> None:
    total = Sum("a-kind", wanted=2)
    total.add(struck())
    total.add(struck(hit=False, missed="nothing under way", quiet_s=9.0))
    assert (total.rounds, total.hits, total.passed, total.recovery_s) == (2, 1, False, 2.0)
    total.add(struck(quiet_s=3.0))
    assert (total.hits, total.passed, total.recovery_s) == (2, True, 3.0)


@pytest.mark.parametrize("what", ["lost", "duplicated", "phantom", "wrong"])
def test_one_broken_promise_is_enough(what: str) -> None:
    total = Sum("a-kind", wanted=1)
    total.add(struck(verdict=Verdict(**{what: ["this"]})))
    assert not total.passed
    assert f"{what}: this" in total.as_json()["broken"][0]
    assert total.as_json().get(what, 1) == 1


@pytest.mark.parametrize(
    ("sums", "code"),
    [
        ([{"passed": True}], 0),
        ([{"passed": True}, {"passed": False}], 1),
        ([{"passed": True}, {"passed": False, "impossible": "no loop devices"}], 3),
        ([{"passed": False}, {"passed": False, "impossible": "no loop devices"}], 1),
        ([{"passed": False, "impossible": "no loop devices", "broken": ["round 1: lost"]}], 1),
    ],
)
def test_the_exit_code_tells(sums: list[dict[str, Any]], code: int) -> None:
    assert _exit_code(sums) == code


# --- rounds -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def checker(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """That of a ring without a stack; it is content."""
    monkeypatch.setattr("rounds.Arena", lambda *_, **__: MagicMock())
    monkeypatch.setattr("rounds.fight", lambda _arena, _checker, _kind, _chance, came: setattr(came, "hit", True))
    content = MagicMock()
    content.check.return_value = Verdict()
    monkeypatch.setattr("rounds.Checker", lambda _: content)
    return content


def test_everything_is_looked_at_again_where_more_than_one_round_was_fought(checker: MagicMock) -> None:
    ring = Ring("1")
    assert ring.rounds_of(kind("first"), 1, lambda _: None).passed
    assert not checker.check.called, "the first look was at everything"
    checker.check.return_value = Verdict(lost=["what was there a round ago"])
    second = ring.rounds_of(kind("second"), 1, lambda _: None)
    assert (second.passed, second.lost) == (False, 1)
    checker.check.assert_called_once_with(everything=True)


def test_a_last_look_that_fails_is_no_pass_and_no_end_of_the_run(checker: MagicMock) -> None:
    ring = Ring("1")
    checker.check.side_effect = RuntimeError("no answer")
    total = ring.rounds_of(kind("a-kind"), 2, lambda _: None)
    assert (total.hits, total.passed) == (2, False)
    assert "no answer" in total.broken[0]


# --- what is measured -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["w1-before-append", "killed", "killed-again", "all-killed", "terminated"])
def test_the_way_back_of_a_killed_service_is_part_of_the_recovery(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    (struck,) = [each for each in all_kinds() if each.name == name]
    arena = MagicMock()
    service, child = arena.service.return_value, arena.service.return_value.child
    arena.next_of.return_value = service
    child.running, child.exit_code = False, 0 if name == "terminated" else -SIGKILL
    struck.strike(arena, Random(1))
    assert child.start.called
    assert not service.start.called, "it waits until the service is ready, and nobody measures that"
    assert not service.wait.called


# --- whom it befalls --------------------------------------------------------------------------------------------------


def test_each_service_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    arena = Arena()
    monkeypatch.setattr(arena, "service", lambda name: name)
    names = ("audit", "sla", "risk", "improvement")
    for what in ("W1", "W2"):
        struck = [str(arena.next_of(names, what, Random(f"1 {what} {number}"))) for number in range(8)]
        assert {*struck[:4]} == {*struck[4:]} == {*names}


# --- what is run ------------------------------------------------------------------------------------------------------


def kind(name: str, **more: Any) -> Kind:
    return Kind(name=name, says="Nothing.", strike=lambda _arena, _chance: None, **more)


def test_kinds_with_the_same_needs_share_a_stack_for_so_many_rounds() -> None:
    here, there = kind("here"), kind("there", needs=Needs(proxies=True))
    parts = batches([here, there, replace(here, name="again")], lambda _: 10, most=20)
    assert [[each.name for each in part] for part in parts] == [["here", "again"], ["there"]]
    assert len(batches([here, replace(here, name="again")], lambda _: 11, most=20)) == 2


def test_the_number_of_rounds() -> None:
    rare = kind("rare", rounds=5, short=0)
    assert _hits(rare, argparse.Namespace(short=False, rounds=None)) == 5
    assert _hits(rare, argparse.Namespace(short=True, rounds=None)) == 0
    assert _hits(rare, argparse.Namespace(short=True, rounds=7)) == 0
    assert _hits(rare, argparse.Namespace(short=False, rounds=7)) == 7


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--kind", "nonsense"], "no kind has nonsense in its name; --list shows them"),
        (["--kind", "killed", "--kind", "nonsense"], "no kind has nonsense in its name"),
        (["--short", "--kind", "disk-full"], "nothing is left to try of disk-full"),
    ],
)
def test_a_set_that_is_not_what_was_asked_for_is_refused(words: list[str], why: str) -> None:
    asked = subprocess.run([sys.executable, RUN, *words], capture_output=True, text=True, check=False)
    assert asked.returncode == 2
    assert why in asked.stderr


def test_what_else_is_printed_is_not_among_the_results() -> None:
    program = """import os, results
out = results.results_alone()
print("noise", flush=True)
os.system("echo noise")
out.write("{}")"""
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=RUN.parent, capture_output=True, text=True, check=True
    )
    assert (printed.stdout, printed.stderr) == ("{}", "noise\nnoise\n")
