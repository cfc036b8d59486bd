"""The whole stack, with a small stand-in for the services: it starts, survives, and leaves nobody behind."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import jwt
import pytest
from sqlalchemy import make_url

from stack import processes
from stack.cluster import SERVICE_PORTS, Service, Stack
from stack.nats import Nats
from stack.postgres import Postgres
from stack.processes import SLICE, SLICES, Child, StackError, Supervisor, free_port

STAND_IN = Path(__file__).parent / "stand_in.py"
HOST_A_STACK = Path(__file__).parent / "host_a_stack.py"


def stand_in(service: str) -> Sequence[str]:
    return [sys.executable, str(STAND_IN), service]


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="closeloop-test-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def environment_of(stack: Stack, service: str) -> dict[str, str]:
    seen: dict[str, str] = httpx.get(f"{stack.services[service].url}/environment", trust_env=False).json()
    return seen


def test_four_services_come_up_with_all_they_need(folder: Path) -> None:
    start = datetime(2016, 2, 28, tzinfo=UTC)
    folder = folder / "a path with spaces, and one so long that no socket of its own could ever be made below it"
    extra = {"risk": {"CLOSELOOP_FAILPOINT": "W2"}}
    with Stack(folder, durable=False, clock_start=start, environment=extra, program=stand_in) as stack:
        assert set(stack.services) == set(SERVICE_PORTS)
        seen = environment_of(stack, "risk")
        assert seen["CLOSELOOP_SERVICE"] == "risk"
        assert seen["CLOSELOOP_CLOCK_START"] == "2016-02-28T00:00:00+00:00"
        assert seen["CLOSELOOP_FAILPOINT"] == "W2"
        assert "CLOSELOOP_FAILPOINT" not in environment_of(stack, "audit")
        written = json.loads((folder / "addresses.json").read_text())
        assert written == stack.addresses
        assert written["sla"] == stack.services["sla"].url
    assert not any(child.running for child in stack.children)
    assert not (folder / "addresses.json").exists()


def test_one_service_can_fall_and_rise_alone(folder: Path) -> None:
    with Stack(folder, durable=False, services=["audit", "sla"], program=stand_in) as stack:
        audit = stack.services["audit"]
        audit.kill()
        assert stack.services["sla"].child.running
        audit.environment["CLOSELOOP_FAILPOINT"] = "W4"
        audit.start()
        assert environment_of(stack, "audit")["CLOSELOOP_FAILPOINT"] == "W4"


def test_a_service_that_cannot_start_is_named_with_its_last_words(folder: Path) -> None:
    def broken(service: str) -> Sequence[str]:
        return [sys.executable, "-c", "raise SystemExit('no luck')"]

    with pytest.raises(StackError, match=r"audit service ended with code 1(.|\n)*no luck"):
        Stack(folder, durable=False, services=["audit"], program=broken).__enter__()


def test_a_stranger_that_answers_on_the_port_is_not_taken_for_the_service(folder: Path) -> None:
    port = free_port()
    environment = {"CLOSELOOP_HOST": "127.0.0.1", "CLOSELOOP_PORT": str(port)}
    stranger = Child("stranger", stand_in("audit"), folder / "stranger.log", environment)
    stranger.start()
    try:
        url = f"http://127.0.0.1:{port}/readyz"
        stranger.wait_until(lambda: _answers(url), 10)
        service = Service("audit", port, folder, environment, stand_in)
        with pytest.raises(StackError, match="audit service ended with code 1"):
            service.start()
    finally:
        stranger.stop()


CHOOSES = "from stack.processes import free_port\nprint(free_port())"


def test_ports_are_below_those_that_are_lent_to_outgoing_connections() -> None:
    chosen = [free_port() for _ in range(20)]
    assert len(set(chosen)) == 20
    assert all(20000 <= port < 32000 for port in chosen)


def test_a_process_has_ports_of_its_own_even_if_its_number_ends_like_that_of_another() -> None:
    ours = free_port()
    namesake = subprocess.run(
        [sys.executable, "-c", f"import os\nos.getpid = lambda: {os.getpid() + SLICES}\n{CHOOSES}"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert int(namesake.stdout) // SLICE != ours // SLICE


def test_given_servers_are_used_instead_of_our_own(
    folder: Path, postgres: Postgres, nats_server: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOSELOOP_POSTGRES_URL", f"postgresql:///postgres?user=postgres&host={postgres.socket_folder}")
    monkeypatch.setenv("CLOSELOOP_NATS_URL", nats_server.url)
    with Stack(folder, services=["audit"], program=stand_in) as stack:
        assert len(stack.children) == 1
        seen = environment_of(stack, "audit")
        assert seen["CLOSELOOP_NATS_URL"] == nats_server.url
        assert make_url(seen["CLOSELOOP_DATABASE_URL"]).database == "closeloop_audit"


def test_the_clock_of_old_data_is_not_moved(folder: Path) -> None:
    with Stack(folder, durable=False, services=[], program=stand_in):
        pass
    with pytest.raises(StackError, match="--clock-start together with a new folder"):
        Stack(folder, clock_start=datetime(2016, 2, 28, tzinfo=UTC))


def test_a_token_is_good_for_the_key_that_is_published(folder: Path) -> None:
    stack = Stack(folder, durable=False)
    stack.identity.ensure()
    token = stack.mint("p-weiss", tenant="other")
    published = jwt.PyJWKSet.from_json(stack.identity.jwks.read_text()).keys[0]
    claims = jwt.decode(token, published, ["ES256"], audience="closeloop", issuer="closeloop-local")
    assert (claims["sub"], claims["tenant"], claims["roles"]) == ("p-weiss", "other", ["auditor"])
    assert jwt.get_unverified_header(token)["kid"] == published.key_id
    assert (folder / "identity" / "key.pem").stat().st_mode & 0o777 == 0o600


def test_a_child_that_succeeds_while_it_is_looked_at_has_not_failed(tmp_path: Path) -> None:
    child = Child("swift", [sys.executable, "-c", ""], tmp_path / "log")
    child.start()

    def looked_just_before_the_end() -> bool:
        seen = child.exit_code
        assert child.process
        child.process.wait(10)
        return seen == 0

    child.wait_until(looked_just_before_the_end, 10)


def test_what_ends_unasked_is_started_again_and_named(tmp_path: Path) -> None:
    class EnoughError(Exception):
        pass

    said: list[str] = []

    def say(what: str) -> None:
        said.append(what)
        if len(said) == 4:
            raise EnoughError

    child = Child("fickle", [sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "log")
    child.start()
    with pytest.raises(EnoughError):
        Supervisor([child], say).watch()
    assert "fickle ended with code 3; starting it again in 0.5 s" in said[0]
    assert [each.partition("again in ")[2].partition(". ")[0] for each in said[1:]] == ["1 s", "2 s", "2 s"]


def test_what_says_that_only_a_new_start_helps_is_given_one(tmp_path: Path) -> None:
    said: list[str] = []
    child = Child("ailing", [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log")
    child.complaint = lambda: "it writes no more" if len(said) == 0 else ""
    child.start()
    first = child.pid
    supervisor = Supervisor([child], said.append)
    try:
        supervisor.look()
        supervisor.look()
        assert said == ["ailing: it writes no more; starting it again"]
        assert child.running
        assert child.pid != first
    finally:
        child.stop()
    supervisor.look()
    assert not child.running


def test_children_are_watched_also_while_nobody_can_be_told_and_none_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up > log` on a disk that is full, a terminal that is gone, no memory for another process: all of it passes."""
    child = Child("fickle", [sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "log")
    child.start()
    first, start, trouble = child.pid, Child.start, iter([OSError(errno.EAGAIN, "fork"), None])

    def starting(self: Child) -> None:
        if error := next(trouble):
            raise error
        start(self)

    def full(_: str) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(Child, "start", starting)
    monkeypatch.setattr(processes, "FIRST_DELAY", 0.1)
    supervisor = Supervisor([child], full)
    for _ in range(100):
        supervisor.look()
        if child.pid != first:
            break
        time.sleep(0.05)
    assert child.pid != first
    child.stop()


def test_the_number_of_a_child_that_ended_by_itself_is_no_longer_guarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system gives the number to somebody else before long, and whoever is guarded is killed in the end."""
    told: list[str] = []
    monkeypatch.setattr(processes, "_tell_guardian", told.append)
    child = Child("fickle", [sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "log")
    for _ in range(2):
        child.start()
        while child.running:
            time.sleep(0.01)
    child.stop()
    assert [line.split()[0] for line in told] == ["+", "-", "+", "-"]
    assert [line.split()[1] for line in told[::2]] == [line.split()[1] for line in told[1::2]]


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nobody_is_left_behind(folder: Path, how: signal.Signals) -> None:
    host = subprocess.Popen([sys.executable, HOST_A_STACK, folder], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    pids = [int(pid) for pid in host.stdout.readline().split()]
    assert len(pids) == 4
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    os.kill(host.pid, how)
    host.wait(30)
    give_up_at = time.monotonic() + 15
    while any(_lives(pid) for pid in pids) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert not [pid for pid in pids if _lives(pid)]


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
