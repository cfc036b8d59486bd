"""Disks of our own: ext4 in a file, on a loop device, whose power can be cut and whose space can be used up.

The power of a disk goes by ext4's own shutdown (no flush, no journal commit, and EIO from then on): what was not
forced to disk sat in the memory of the file system, and is gone when it is mounted again. Root on Linux only.
"""

import fcntl
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shutil import which
from signal import SIGKILL, SIGSTOP
from typing import Self

from kinds import Impossible

SIZE = 768 << 20
"""Bytes; the image is sparse, and only what was written to it takes up room."""
SMALL_WAL = {"min_wal_size": "32MB", "max_wal_size": "128MB"}
"""What PostgreSQL needs to be told on so small a disk; by default its log may grow to 1 GB."""
EVERYTHING = ("postgres", "nats", "logs")
"""The folders of a stack that its servers and services write to."""
FS_IOC_SHUTDOWN = 0x8004587D
WITHOUT_FLUSH = struct.pack("I", 2)
LEFT_FOR_JOURNAL = 4096

# Unmounts when its standard input ends, however we end: our servers may need a while to leave.
LAST_HAND = """
cat > /dev/null
for second in $(seq 60); do
    mountpoint -q "$0" || exit 0
    umount "$0" 2> /dev/null && exit 0
    sleep 1
done
umount -l "$0"
"""


class Disk:
    """One disk, mounted on a folder inside a `with`."""

    def __init__(self, folder: Path, size: int = SIZE) -> None:
        self.folder = folder
        self.image = folder.with_name(f"{folder.name}.img")
        self._size = size
        self._ballast = folder / "ballast"
        self._last_hand: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.image.open("wb") as image:
            image.truncate(self._size)
        try:
            _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self.image))
            self.mount()
        except subprocess.CalledProcessError as error:
            self.image.unlink()
            raise Impossible(f"no disk can be made here: {error.stderr.strip()}") from error
        command = ["sh", "-c", LAST_HAND, str(self.folder)]
        self._last_hand = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._last_hand
        assert self._last_hand.stdin
        with suppress(subprocess.CalledProcessError, TimeoutError):
            self.unmount()
        self._last_hand.stdin.close()
        self._last_hand.wait()
        self.image.unlink()

    def mount(self) -> None:
        _run("mount", "-o", "loop,noatime", str(self.image), str(self.folder))

    def unmount(self) -> None:
        """Whoever used it has just been killed and may need a moment to let go."""
        give_up_at = time.monotonic() + 10
        while self.folder.is_mount():
            try:
                _run("umount", str(self.folder))
            except subprocess.CalledProcessError:
                if time.monotonic() > give_up_at:
                    raise TimeoutError(f"{self.folder} is still in use") from None
                time.sleep(0.05)

    def remount(self) -> None:
        """The machine is on again."""
        self.unmount()
        self.mount()

    def sync(self) -> None:
        """All that was written so far is on disk, as if half a minute had passed."""
        _run("sync", "-f", str(self.folder))

    def cut(self) -> None:
        """From now on nothing reaches the disk, and what had not reached it never will."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, FS_IOC_SHUTDOWN, WITHOUT_FLUSH)
        finally:
            os.close(descriptor)

    def fill(self) -> None:
        """Use up all space, to the last block; also what has become free since."""
        descriptor = os.open(self._ballast, os.O_WRONLY | os.O_CREAT)
        try:
            size, step = os.fstat(descriptor).st_size, self._size
            while step >= LEFT_FOR_JOURNAL:
                try:
                    os.posix_fallocate(descriptor, size, step)
                    size += step
                except OSError:
                    step //= 2
        finally:
            os.close(descriptor)

    def free(self) -> None:
        """There is room again."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def mounted(folder: Path, names: Iterable[str] = EVERYTHING) -> Iterator[Mapping[str, Disk]]:
    """A disk for each of these parts of a stack's folder. Raises Impossible where there can be none."""
    if missing := what_is_missing():
        raise Impossible(missing)
    with ExitStack() as cleanup:
        yield {name: cleanup.enter_context(Disk(folder / name)) for name in names}


def what_is_missing() -> str:
    """Why this machine can have no disks of ours; empty if it can."""
    if sys.platform != "linux":
        return "loop devices and ext4 are Linux's; run this on Linux as root"
    if os.geteuid() != 0:
        return "only root may mount a disk of its own"
    if not Path("/dev/loop-control").exists():
        return "there are no loop devices here (/dev/loop-control)"
    tools = [tool for tool in ("mkfs.ext4", "mount", "umount", "mountpoint") if not which(tool)]
    return f"not installed: {', '.join(tools)}" if tools else ""


def power_cut(disks: Iterable[Disk], roots: Iterable[int]) -> None:
    """Processes with their children stop in one moment, and so do the disks; mounted again, they have what was safe.

    Stopped before killed: nobody can answer anybody in between, and a flush under way ends or never was.
    """
    pids = stopped_trees(roots)
    for disk in disks:
        disk.cut()
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, SIGKILL)


def stopped_trees(roots: Iterable[int]) -> list[int]:
    """Stop processes with all their children (PostgreSQL's are no group), and answer who they are."""
    pids: list[int] = []
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        with suppress(ProcessLookupError):
            os.kill(pid, SIGSTOP)
            _until_stopped(pid)
            pids.append(pid)
        waiting += _children(pid)
    return pids


def _until_stopped(pid: int) -> None:
    """A flush under way is not interrupted: it ends first."""
    give_up_at = time.monotonic() + 10
    while any(state not in "TtZX" for state in _states(pid)):
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"process {pid} does not stop")
        time.sleep(0.002)


def _states(pid: int) -> Iterator[str]:
    """Of each thread."""
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError):
            yield stat.read_text().rpartition(")")[2].split()[0]


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[1] == str(pid):
                found.append(int(stat.parent.name))
    return found


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
