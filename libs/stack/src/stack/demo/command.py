"""The demo from its arguments to its exit code: start, play, compare, report, clean up."""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from stack.client import Rejected, settle
from stack.cluster import Stack
from stack.demo import golden_path, public_services, report, service_desk
from stack.demo.cast import DIRECTOR
from stack.demo.listener import Listener
from stack.demo.outcome import Said, against_the_rows, complaints, differences, ending, heard, without_exactly_one
from stack.demo.real_input import Incident, incidents, probes
from stack.demo.recount import Verdict
from stack.demo.report import Story
from stack.demo.stage import Missing, Stage
from stack.demo.timeline import Timeline

SHORT_INCIDENTS = 5
"""The short story takes every fifth incident of priority 3, and all others."""


def main(args: Sequence[str]) -> int:
    """0 only if what was expected is what the services say."""
    options = _options(args)
    began = time.monotonic()
    console = Console(highlight=False)
    with _folder(options.keep) as folder, _stage(folder, options, console) as (stage, listener):
        played = Played(stage, listener, _rows(short=options.short))
        wrong = played.play(short=options.short)
        said, wrong = played.compare(wrong)
        figures = {**heard(listener), "seconds": round(time.monotonic() - began, 1)}
        story = Story(said, figures, played.verdicts, played.rows, stage.timeline.entries, wrong)
        report.write(options.report, story)
    console.print()
    if not wrong:
        console.print(ending(said, stage.now.date()), soft_wrap=True, markup=False)
    _conclude(console, options, figures, wrong)
    return 1 if wrong else 0


def _options(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./closeloop demo", description="Play a story through all four services, and leave a report of it."
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="where the report goes (./report.html)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the data of the story in this new folder")
    parser.add_argument("--short", action="store_true", help="fewer incidents, fewer steps")
    parser.add_argument("--patience", type=float, default=15.0, metavar="SECONDS", help="how long an effect may take")
    parser.add_argument(
        "--without",
        choices=["improvement-consumer"],
        help="break the loop on purpose, to see that the demo notices",
    )
    options = parser.parse_args(args)
    options.report = (options.report or _default_report()).absolute()
    if not os.access(options.report.parent, os.W_OK):
        parser.error(f"{options.report.parent} is no folder to write into: choose another place with --report FILE")
    if options.keep and (options.keep / "data").exists():
        parser.error(f"{options.keep / 'data'} exists already: choose a new folder with --keep DIR")
    return options


def _default_report() -> Path:
    """In the current folder; where that is not ours to write, among the temporary files."""
    here = Path.cwd()
    return (here if os.access(here, os.W_OK) else Path(tempfile.gettempdir())) / "report.html"


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep:
        yield keep
        return
    folder = Path(tempfile.mkdtemp(prefix="closeloop-demo-"))
    try:
        # As root the database server runs as nobody, who must be able to pass through.
        folder.chmod(0o711)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _stage(folder: Path, options: argparse.Namespace, console: Console) -> Iterator[tuple[Stage, Listener]]:
    start = service_desk.CLOCK_START
    deaf = {"improvement": {"CLOSELOOP_CONSUME": "off"}} if options.without else {}
    stack = Stack(
        folder / "data",
        durable=False,
        clock_start=start,
        environment=deaf,
        say=lambda what: console.print(f"{what} ...", style="dim"),
    )
    with stack, Timeline(console) as timeline:
        timeline.now(start)
        listener = Listener(stack.nats_url, timeline.hear).start()
        try:
            yield Stage(stack.addresses, stack.mint, timeline, options.patience, start), listener
        finally:
            listener.stop()


def _rows(*, short: bool) -> tuple[Incident, ...]:
    kept = (row for n, row in enumerate(incidents()) if not short or row.priority != "3" or not n % SHORT_INCIDENTS)
    return tuple(kept)


@dataclass
class Played:
    """The story as it was played, and what the real input demands of it."""

    stage: Stage
    listener: Listener
    rows: tuple[Incident, ...]
    verdicts: tuple[Verdict, ...] = ()

    def play(self, *, short: bool) -> list[str]:
        """Play it to its end, or to where it cannot go on; what was missing by then."""
        try:
            self.stage.appoint()
            desk = service_desk.play(self.stage, self.rows, short=short)
            self.verdicts = tuple(desk.expected())
            golden_path.play(self.stage)
            monitor = public_services.play(self.stage, probes(), short=short)
            self.verdicts += tuple(monitor.expected())
        except Missing as missing:
            return list(missing.what)
        except (Rejected, AssertionError) as trouble:
            return [f"the story stopped: {trouble}"]
        return []

    def compare(self, wrong: list[str]) -> tuple[Said, list[str]]:
        """Everything that is not as expected, each once and by name."""
        settle(self.stage.caller(DIRECTOR))
        self.listener.catch_up()
        settle(self.stage.caller(DIRECTOR))
        said = Said.by(self.stage)
        found = [*wrong, *without_exactly_one(said), *differences(said.figures(), heard(self.listener))]
        if not wrong:
            found += against_the_rows(said, self.verdicts)
        if untold := self.listener.untold:
            found.append(f"{untold} events were not told a second time")
        return said, list(dict.fromkeys([*found, *complaints(self.stage)]))


def _conclude(console: Console, options: argparse.Namespace, figures: dict[str, object], wrong: Sequence[str]) -> None:
    """The figures are the last line on stdout, for whoever reads it by machine."""
    for each in wrong:
        print(f"MISSING: {each}", file=sys.stderr)
    sys.stderr.flush()
    console.print(f"Report: {options.report}", soft_wrap=True, markup=False)
    if options.keep:
        console.print(f"Data:   {options.keep.absolute() / 'data'}", soft_wrap=True, markup=False)
    order = ("findings", "breaches", "risks", "corrective_actions", "events", "duplicates", "seconds")
    print(json.dumps({key: figures[key] for key in order}), flush=True)
