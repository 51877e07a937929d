"""A service runs once, from what is current, and goes on without whoever started it."""

import json
import os
import signal
import socket
import sys
import time
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from children import in_child, said
from environments import entry, make, name, nobody_left, processes, target, until

from apps.deploy.errors import CommandFailed, Unreachable
from apps.deploy.local import serving
from apps.deploy.local.service_log import ServiceLog, last_lines

WEB = b"""
import http.server, json, os, sys

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps([os.getcwd(), dict(os.environ), os.getpid()]).encode())

print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""


@pytest.fixture
def folder(tmp_path):
    """The folder of an environment; after the test nothing runs in it."""
    folder = tmp_path / "environment"
    with nobody_left(folder):
        yield folder
        with suppress(Unreachable):
            target(folder).stop()


@pytest.fixture
def port():
    """A port that nobody uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def released(folder, *start, files=(), **env):
    """Return an environment with one current release that holds `web.py` and more."""
    place = target(folder, *start, **env)
    with place.locked("ana"):
        place.switch(make(place, [entry(b"web.py", WEB), *files]))
    return place


def restarted(place):
    """Restart the service as a deploy does."""
    with place.locked("ana"):
        place.restart()


def answer(port):
    """Ask the service for its folder, its environment, and its process."""

    def asked():
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}") as said:
            return json.loads(said.read())

    found = []
    assert until(lambda: found.append(asked()) or found[-1])
    return found[-1]


def marks(folder):
    """Return the lines that services have left in the folder."""
    path = folder / "marks"
    return path.read_text().split() if path.exists() else []


def marking(folder, then):
    """Return a command that leaves a mark with its number, then goes on."""
    return "sh", "-c", f"echo $$ >> {folder}/marks; {then}"


def supervisors(folder):
    """Return the processes that keep the service of a folder running."""
    return [pid for pid, run in processes(folder).items() if "supervising" in run]


def test_a_service_runs_in_what_is_current(folder, port, monkeypatch):
    """Its folder is the release itself, and it sees what it is told: never a key of ours."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("LANG", "C.UTF-8")
    place = released(folder, sys.executable, "web.py", PORT=port, ENVIRONMENT="staging")
    restarted(place)
    at, env, pid = answer(port)
    assert at == str(folder / "releases" / name())
    told = {"PORT": port, "ENVIRONMENT": "staging", "RELEASE": name(), "COMMIT": name()[-40:]}
    env.pop("LC_CTYPE", None)  # Python sets it for itself
    assert env == told | {key: os.environ[key] for key in ("PATH", "HOME", "LANG")}
    assert place.service().startswith("runs since 20") and f"(process {pid})" in place.service()
    assert until(lambda: place.service_log(5).startswith("serving"))


@pytest.mark.slow
def test_a_restart_replaces_the_service_on_its_port(folder, port):
    """The old process is gone before the new one starts: the port is free, and answers anew."""
    place = released(folder, sys.executable, "web.py", PORT=port)
    restarted(place)
    before = answer(port)
    with place.locked("ana"):
        place.switch(make(place, [entry(b"web.py", WEB)], 1))
        assert answer(port) == before
        place.restart()
    after = answer(port)
    assert after[0] == str(folder / "releases" / name(1))
    assert not Path(f"/proc/{before[2]}").exists()
    assert len(supervisors(folder)) == 1
    assert "restarted" not in place.service()


def test_stopped_nothing_runs(folder, port):
    """After a stop there is no process and no port in use; stopping twice is no error."""
    place = released(folder, sys.executable, "web.py", PORT=port)
    restarted(place)
    answer(port)
    for _ in range(2):
        with place.locked("ana"):
            place.stop()
        assert (processes(folder), place.service()) == ({}, "stopped")
    with socket.socket() as one, pytest.raises(ConnectionRefusedError):
        one.connect(("127.0.0.1", int(port)))


def test_a_service_outlives_who_started_it(folder, port):
    """It goes on, with nothing of the deploying process open, when that one has been killed."""
    place = released(folder, sys.executable, "web.py", PORT=port)

    def work():
        with place.locked("ana"):
            place.restart()
            (folder / "restarted").touch()
            time.sleep(30)

    pid, pipe = in_child(work)
    assert until((folder / "restarted").exists)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with os.fdopen(pipe, "rb") as heard:
        assert heard.read() == b""  # nobody else has it open
    before = answer(port)
    with target(folder).locked("bo"):
        assert answer(port) == before
        place.stop()


def test_what_supervises_is_a_session_of_its_own(folder):
    """It has no terminal, works in no folder of ours, and none of our files is open in it."""
    leaked = os.open(folder.parent, os.O_RDONLY)
    os.set_inheritable(leaked, True)  # noqa: FBT003 - it takes no names
    place = released(folder)
    restarted(place)
    os.close(leaked)
    (pid,) = supervisors(folder)
    assert (os.getsid(pid), Path(f"/proc/{pid}/cwd").readlink()) == (pid, Path("/"))
    allowed = ("/dev/null", "pipe:", str(folder))
    opened = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
    assert [path for path in opened if not path.startswith(allowed)] == []
    assert f"{folder}/lock" not in opened and f"{folder}/commands.lock" not in opened


@pytest.mark.slow
def test_a_service_that_dies_is_started_again(folder):
    """It comes back by itself, with everything that the dead one had started gone."""
    place = released(folder, *marking(folder, "sleep 91 & exec sleep 92"))
    restarted(place)
    assert until(lambda: len(marks(folder)) == 1)
    os.kill(int(marks(folder)[0]), signal.SIGKILL)
    assert until(lambda: len(marks(folder)) == 2)
    assert until(lambda: "restarted 1 time" in place.service())
    runs = [run for run in processes(folder).values() if run == "sleep 91"]
    assert until(lambda: len(runs) == 1) and "runs since" in place.service()


@pytest.mark.slow
def test_a_service_that_keeps_failing_is_tried_less_and_less(folder):
    """It says how the service ends and when the next try is; a stop comes through at once."""
    place = released(folder, *marking(folder, "date +%s.%N >> times; exit 7"))
    restarted(place)
    times = folder / "releases" / name() / "times"
    assert until(lambda: times.exists() and len(times.read_text().split()) == 3)
    one, two, three = map(float, times.read_text().split())
    assert 0.4 < two - one < three - two
    assert until(lambda: "restarted 2 times, next try in" in place.service())
    assert place.service().startswith("keeps failing: ended with 7")
    began = time.monotonic()
    with place.locked("ana"):
        place.stop()
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (["no-such-program"], "could not be started: no such file"),
        (["./web.py"], "could not be started: permission denied"),
    ],
)
def test_what_cannot_be_started_is_said(folder, start, reason):
    """A restart that starts nothing raises one sentence, and nothing keeps trying."""
    place = released(folder, *start)
    with place.locked("ana"), pytest.raises(CommandFailed, match=reason) as caught:
        place.restart()
    assert str(caught.value).isprintable()
    assert (processes(folder), place.service()) == ({}, "stopped")


def test_without_a_release_nothing_is_started(folder):
    """Before the first switch a restart is a sentence."""
    place = target(folder)
    with place.locked("ana"), pytest.raises(CommandFailed, match="no release to start"):
        place.restart()


@pytest.mark.slow
def test_a_service_that_will_not_end_is_killed(folder):
    """It gets a grace, and then the port is free whether it liked that or not."""
    place = released(folder, *marking(folder, "trap '' TERM; while true; do sleep 0.05; done"))
    restarted(place)
    assert until(lambda: marks(folder))
    with place.locked("ana"):
        place.stop()
    assert processes(folder) == {}


@pytest.mark.slow
def test_a_killed_supervisor_leaves_no_service_behind(folder, port):
    """Its service ends with it; the next restart starts both anew, on the same port."""
    place = released(folder, sys.executable, "web.py", PORT=port)
    restarted(place)
    before = answer(port)
    (pid,) = supervisors(folder)
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: processes(folder) == {}) and place.service() == "stopped"
    restarted(place)
    assert answer(port)[2] != before[2] and len(supervisors(folder)) == 1


@pytest.mark.slow
def test_a_restart_right_after_a_kill_waits_for_the_port(folder, port):
    """However the supervisor died, the old service is gone before the new one starts."""
    place = released(folder, sys.executable, "web.py", PORT=port)
    restarted(place)
    for _ in range(5):
        before = answer(port)
        (pid,) = supervisors(folder)
        os.kill(pid, signal.SIGKILL)
        restarted(place)
        assert answer(port)[2] != before[2]
        assert "runs since" in place.service() and "restarted" not in place.service()


@pytest.mark.slow
def test_a_killed_supervisor_is_not_followed_before_its_service_has_ended(folder):
    """A service that takes its time to end gets it; the new one starts after that."""
    slow = (
        f"trap 'sleep 1; echo ended >> {folder}/marks; exit' TERM; while true; do sleep 0.02; done"
    )
    place = released(folder, *marking(folder, f"exec 2> /dev/null; {slow}"))
    restarted(place)
    assert until(lambda: len(marks(folder)) == 1)
    (pid,) = supervisors(folder)
    os.kill(pid, signal.SIGKILL)
    restarted(place)
    assert until(lambda: len(marks(folder)) == 3)
    assert marks(folder)[1] == "ended"


def test_when_who_minds_the_service_is_killed_it_is_started_anew(folder):
    """Whatever part of it is killed, one service runs in the end."""
    place = released(
        folder, *marking(folder, "sleep 91 & setsid sleep 92 & echo on; exec sleep 93")
    )
    restarted(place)
    assert until(lambda: len(marks(folder)) == 1)
    (minder,) = (pid for pid, run in processes(folder).items() if "minding.py" in run)
    os.kill(minder, signal.SIGKILL)
    assert until(lambda: len(marks(folder)) == 2)
    one_each = sorted(f"sleep {n}" for n in (91, 92, 93))
    sleeping = lambda: sorted(r for r in processes(folder).values() if r.startswith("sleep"))  # noqa: E731 - asked twice
    assert until(lambda: sleeping() == one_each)


def test_a_signal_to_the_supervisor_ends_the_service(folder, port):
    """Whoever sends it the usual signal, as a machine does that shuts down, ends both."""
    place = released(folder, sys.executable, "web.py", PORT=port)
    restarted(place)
    answer(port)
    (pid,) = supervisors(folder)
    os.kill(pid, signal.SIGTERM)
    assert until(lambda: processes(folder) == {})


@pytest.mark.slow
def test_there_is_never_a_second_supervisor(folder):
    """Of those that are started by hand at one moment, one runs; the others say so."""
    place = released(folder, *marking(folder, "exec sleep 91"))
    restarted(place)

    def work():
        try:
            serving.start(folder)
        except CommandFailed as error:
            return str(error)
        return "started"

    sayings = [said(child) for child in [in_child(work) for _ in range(3)]]
    assert all("runs already" in text for text in sayings)
    assert (len(supervisors(folder)), len(marks(folder))) == (1, 1)


@pytest.mark.slow
def test_a_restart_that_is_killed_leaves_at_most_one_service(folder):
    """Wherever in a restart a deploy dies, after the next one exactly one service runs."""
    place = released(folder, *marking(folder, "exec sleep 91"))
    for n in range(12):
        pid, pipe = in_child(lambda: restarted(place))
        time.sleep(0.02 * n)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(pipe)
    restarted(place)
    assert len(supervisors(folder)) == 1
    assert [*processes(folder).values()].count("sleep 91") == 1


@pytest.mark.slow
def test_a_release_that_runs_is_not_swept(folder):
    """What the service was started from stays, even when `current` leads elsewhere by now."""
    place = released(folder)
    restarted(place)
    with place.locked("ana"):
        for n in range(1, 4):
            place.switch(make(place, [], n))
        assert place.sweep(keep=1) == [name(1), name(2)]
        place.restart()
        assert place.sweep(keep=1) == [name()]


def test_the_log_has_a_size(tmp_path):
    """A log that is full is moved aside once; more than two files' worth is never kept."""
    log = ServiceLog(tmp_path / "log", most=1000)
    for n in range(1000):
        log.take(b"%04d\n" % n)
    log.close()
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log.1"}
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert last_lines(tmp_path / "log", 250).split() == [f"{n:04d}" for n in range(750, 1000)]


def test_the_log_shows_any_bytes(tmp_path):
    """Colours, control characters and bytes that are no text are safe to show."""
    path = tmp_path / "log"
    path.write_bytes(b"one\n\x1b[31mred\x1b[0m \xff\x00\x07\ntorn")
    assert last_lines(path, 2) == "red \\xff\\x00\\x07\ntorn"
    assert (last_lines(path, 0), last_lines(tmp_path / "none", 5)) == ("", "")


def test_a_log_that_cannot_be_written_is_no_reason_to_stop(tmp_path):
    """What a full disk does not take is lost; later lines are kept when there is room again."""
    log = ServiceLog(tmp_path / "folder" / "log")
    log.take(b"lost\n")
    (tmp_path / "folder").mkdir()
    log.take(b"kept\n")
    log.close()
    assert (tmp_path / "folder" / "log").read_bytes() == b"kept\n"


def test_how_a_service_does_is_said_in_words(folder):
    """Seconds to the next try count down; what is stale or torn is not believed."""
    place = released(folder, "false")
    restarted(place)
    assert until(lambda: "next try" in place.service())
    later = datetime.now(UTC) + timedelta(hours=1)
    assert serving.about(folder, later).endswith("next try in 0 s")
    with place.locked("ana"):
        place.stop()
    (folder / "service.state").write_bytes(b'{"state": "runs"')
    assert place.service() == "stopped"


@pytest.mark.slow
def test_hundreds_of_looks_disturb_nobody(folder):
    """Whoever looks at a service while it is restarted keeps it from nothing."""
    place = released(folder)

    def work():
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            place.service()
        return True

    looking = in_child(work)
    for _ in range(5):
        restarted(place)
    assert said(looking)
    assert "runs since" in place.service()
