"""The commands of `./closeloop`."""

import importlib
import os
import shlex
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from stack import desk, identity
from stack.backup import back_up
from stack.cluster import SERVICE_PORTS, Stack, database_of
from stack.postgres import remove_data
from stack.processes import StackError, Supervisor
from stack.restore import restore as restore_backup

REPOSITORY = Path(__file__).resolve().parents[4]
CHECKS = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "imports": ["lint-imports"],
}

app = typer.Typer(
    help="Closeloop: audits, service levels, risks and improvements of a service management system, in one loop.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
console = Console(highlight=False, soft_wrap=True)


def default_data() -> Path:
    """Beside the code; where that is not ours to write, in the user's own folder."""
    if os.access(REPOSITORY, os.W_OK):
        return REPOSITORY / "data"
    return Path.home() / ".local" / "share" / "closeloop"


KEPT = typer.Option("--data", help="Folder that keeps everything.", default_factory=default_data, show_default="./data")
Data = Annotated[Path, KEPT]


@app.command()
def up(
    data: Data,
    clock_start: Annotated[
        str | None, typer.Option(help="Business time to start at, in a new folder: 2016-02-28T00:00:00Z.")
    ] = None,
) -> None:
    """Start PostgreSQL, NATS and the four services; Ctrl-C stops them. The data stays."""
    with _refusals(), Stack(data, usual_ports=True, clock_start=_instant(clock_start), say=_step) as stack:
        _welcome(stack)
        try:
            Supervisor(stack.children, lambda what: console.print(f"[yellow]{what}")).watch()
        except KeyboardInterrupt:
            console.print(f"\nStopping. Your data stays in {stack.folder}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def demo(context: typer.Context) -> None:
    """Play a story through all four services, in a folder that is thrown away, and leave a report."""
    story = importlib.import_module("stack.demo")  # only here, because it is large
    with _refusals():
        raise typer.Exit(story.main(context.args))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def test(context: typer.Context) -> None:
    """Run every test, on servers that the tests start themselves. Further arguments go to pytest."""
    raise typer.Exit(_tool("pytest", "-n", "2", "--dist", "loadfile", *context.args))


@app.command()
def check() -> None:
    """Check style, types and import rules."""
    failed = [name for name, command in CHECKS.items() if _tool(*command)]
    if failed:
        _fail(f"Not clean: {', '.join(failed)}.")
    console.print("[green]All clean.")


@app.command()
def token(
    person: Annotated[str, typer.Argument(help=f"Who acts: {', '.join(identity.PERSONS)}, or any other id.")],
    data: Data,
    role: Annotated[list[str] | None, typer.Option(help="A role that the token carries; may be repeated.")] = None,
    tenant: Annotated[str, typer.Option(help="For whom.")] = identity.TENANT,
) -> None:
    """Print a token for a person, to be sent as `Authorization: Bearer TOKEN`."""
    if not role and person not in identity.PERSONS:
        _fail(f"{person} has no roles of its own here: give at least one --role.")
    with _refusals():
        if not data.exists():
            _note(f"{data} is new, and so is its key: the token is for the services that `up` starts in that folder.")
        folder = data.absolute() if (data / "key.pem").exists() else data.absolute() / "identity"
        print(identity.Identity(folder).ensure().mint(person, role or (), tenant))


@app.command()
def reset(data: Data, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove all data, and the signing key with it."""
    if not data.exists():
        console.print(f"There is nothing in {data}")
        return
    if not (data / "identity").is_dir():
        _fail(f"{data} does not look like a data folder of Closeloop; nothing was removed.")
    if not yes:
        typer.confirm(f"Remove everything in {data}?", abort=True)
    with _refusals():
        remove_data(data.absolute())
    console.print(f"Removed {data}")


@app.command("dead-letters")
def dead_letters(
    service: Annotated[str, typer.Argument(help=f"Whose: {', '.join(SERVICE_PORTS)}.")],
    data: Data,
    word: Annotated[str, typer.Argument(help="list, show, replay or drop.")] = "list",
    letter: Annotated[str | None, typer.Argument(help="The id, for show, replay and drop.")] = None,
) -> None:
    """Messages that a service could not handle: look at them, try them again, or drop them (beside a running `up`)."""
    with _refusals():
        raise typer.Exit(desk.carry_out(data, service, "dead-letters", word, *([letter] if letter else [])))


@app.command()
def rebuild(
    service: Annotated[str, typer.Argument(help=f"Whose: {', '.join(SERVICE_PORTS)}, or all.")],
    data: Data,
    kind: Annotated[str | None, typer.Option(help="Only this kind of objects: finding, risk, ...")] = None,
) -> None:
    """Fold everything that is derived anew from the events, while the services go on (beside a running `up`)."""
    with _refusals():
        raise typer.Exit(desk.carry_out_for(data, service, "rebuild", *(["--kind", kind] if kind else [])))


@app.command()
def verify(
    data: Data,
    state: Annotated[str, typer.Option(help=f"Of {', '.join(SERVICE_PORTS)}, or all: compare what is derived.")],
) -> None:
    """Compare what is derived with the events, and change nothing (beside a running `up`).

    Exit code 0: all is equal; 1: something differs; 2: nothing differs, but newer code has written a part.
    """
    with _refusals():
        raise typer.Exit(desk.carry_out_for(data, state, "verify", "--state"))


@app.command("accept-restore")
def accept_restore(
    service: Annotated[str, typer.Argument(help=f"Whose: {', '.join(SERVICE_PORTS)}.")],
    data: Data,
    yes: Annotated[bool, typer.Option("--yes", help="Go on without what was lost.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Show what was given up so far.")] = False,
) -> None:
    """An older database was restored: show what others have heard and the service does not have, and go on without it
    (beside a running `up`).
    """
    words = [*(["--yes"] if yes else []), *(["--list"] if listed else [])]
    with _refusals():
        raise typer.Exit(desk.carry_out(data, service, "accept-restore", *words))


@app.command()
def republish(
    service: Annotated[str, typer.Argument(help=f"Whose: {', '.join(SERVICE_PORTS)}.")],
    data: Data,
    start: Annotated[int, typer.Option("--from", help="From this position on.")] = 1,
) -> None:
    """Tell a service's announcements again; whoever listens knows what it has heard (beside a running `up`)."""
    with _refusals():
        raise typer.Exit(desk.carry_out(data, service, "republish", "--from", str(start)))


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for it.")],
    data: Data,
) -> None:
    """Copy everything, as it is at one moment, into a new folder (beside a running `up`)."""
    with _refusals():
        databases = [database_of(service) for service in SERVICE_PORTS]
        manifest = back_up(desk.addresses_in(data)["postgres"], databases, data, folder, _step)
    positions = ", ".join(f"{name} up to position {position}" for name, position in manifest.positions.items())
    console.print(f"Whole: {folder}\n{positions}", markup=False)


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `backup` has made.")],
    data: Data,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before data is replaced.")] = False,
    forget_broker: Annotated[
        bool, typer.Option("--forget-broker", help="Nobody else listens: what the broker holds may go.")
    ] = False,
) -> None:
    """Put a backup in the place of all data, or into a new folder; nothing may run there."""
    if (data / "postgres").exists() and not yes:
        typer.confirm(f"Replace everything in {data}?", abort=True)
    with _refusals():
        manifest = restore_backup(folder, data, forget_broker=forget_broker, say=_step)
    start = f"./closeloop up{_elsewhere(data)}"
    console.print(f"{data} is as it was at {manifest.taken_at}. Start it with {start}", markup=False)
    if (data / "nats" / "jetstream").exists():
        console.print("Where others have heard more since, /readyz says so: see ./closeloop accept-restore --help")


@app.command()
def secrets() -> None:
    """Make what `docker compose up` needs once: a database password in .env, and a key that signs tokens."""
    folder, settings = REPOSITORY / "deploy" / "secrets", REPOSITORY / ".env"
    identity.Identity(folder).ensure()
    folder.chmod(0o711)  # the services' own user reads the public key inside; the signing key stays 0600
    (folder / "jwks.json").chmod(0o644)
    if not settings.exists():
        settings.touch(mode=0o600)
        settings.write_text(f"POSTGRES_PASSWORD={token_hex(16)}\n")
    console.print(f"Ready: {folder} and {settings}. Now: docker compose up --build")
    console.print("A token for it: ./closeloop token p-okafor --data deploy/secrets")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def sabotage(context: typer.Context) -> None:
    """Break each promise of the core on purpose, one line at a time, and see its test notice (docs/promises.md)."""
    raise typer.Exit(_tool("python", "tests/sabotage/run.py", *context.args))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def simulate(context: typer.Context) -> None:
    """Play histories of all four services in one process, with whatever may go wrong, each from a seed."""
    raise typer.Exit(_tool("python", "-m", "simulation", *context.args))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def release(context: typer.Context) -> None:
    """Record what this release stores, for every later one to be tried on: `./closeloop release 0.2.0`."""
    raise typer.Exit(_tool("python", "tests/release.py", *context.args))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def chaos(context: typer.Context) -> None:
    """Break everything that can break, under load, and check that nothing is lost, doubled or invented."""
    raise typer.Exit(_tool("python", "tests/chaos/run.py", *context.args))


@contextmanager
def _refusals() -> Iterator[None]:
    """A known trouble is one message with its cure, not a traceback; a SIGTERM is treated as Ctrl-C."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _interrupt_once)
    try:
        yield
    except StackError as error:
        _fail(str(error))
    except PermissionError as error:
        _fail(f"{error.filename} belongs to somebody else. Choose another folder with --data DIR.")
    except (FileExistsError, NotADirectoryError) as error:
        _fail(f"{error.filename} is no folder and cannot become one. Choose another with --data DIR.")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _interrupt_once(_: int, __: FrameType | None) -> NoReturn:
    """The first signal starts the stop; further ones must not break into it, as every step of it has a deadline."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _fail(message: str) -> NoReturn:
    _note(message, style="red")
    raise typer.Exit(1)


def _note(message: str, style: str = "yellow") -> None:
    """Beside what is printed for programs."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(message, style=style, markup=False)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is no instant; write 2016-02-28T00:00:00Z") from None
    return instant.replace(tzinfo=instant.tzinfo or UTC)


def _tool(name: str, *arguments: str) -> int:
    """Run a tool of our own virtual environment over the repository; answer its exit code."""
    program = Path(sysconfig.get_path("scripts"), name)
    return subprocess.run([str(program), *arguments], cwd=REPOSITORY, check=False).returncode


def _step(what: str) -> None:
    console.print(f"{what} ...", style="dim")


def _elsewhere(folder: Path) -> str:
    """What must be added to a command, so that it means this folder."""
    return "" if folder.absolute() == default_data() else f" --data {shlex.quote(str(folder))}"


def _welcome(stack: Stack) -> None:
    console.print("\nCloseloop is up.\n", style="green")
    for name, address in {**stack.addresses, "data": str(stack.folder)}.items():
        console.print(f"  {name:<12} {address}", markup=False)
    taken = [str(port) for name, port in SERVICE_PORTS.items() if stack.services[name].port != port]
    if taken:
        console.print(f"\nPort {', '.join(taken)} is taken by another program; a free one is used.", style="yellow")
    audit, process = stack.services["audit"].url, stack.services["audit"].child.pid
    elsewhere = _elsewhere(stack.folder)
    console.print("\nA first call, as the programme manager (the token is good for a day):\n")
    print(f'curl -H "Authorization: Bearer {stack.mint("p-okafor")}" {audit}/v1/audits')
    console.print(
        "\nThree things to try:",
        f"  1. Read what each service offers: {audit}/docs",
        f"  2. Act as somebody else: ./closeloop token p-weiss{elsewhere}   (auditor; p-ruiz: service level manager)",
        f"  3. Pull a plug: kill -9 {process}   and call again: it is back in two seconds, and nothing is lost",
        f"\nAddresses are also in {stack.folder / 'addresses.json'}. Ctrl-C stops everything.",
        sep="\n",
        markup=False,
    )


if __name__ == "__main__":
    app(prog_name="./closeloop")
