"""Laws of deploying to a host over SSH: who is talked to, and what a lost connection leaves."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from apps.deploy.errors import Busy, CommandFailed, Unreachable, Unshippable
from apps.deploy.local.minded import GRACE
from apps.deploy.model import Command
from apps.deploy.ssh import remote
from apps.deploy.ssh.channel import Channel
from apps.deploy.ssh.packing import packed
from tests import ssh_worker
from tests import sshd as ssh_server
from tests.children import in_child, said
from tests.test_deploy_targets import blob, is_alive, release, words
from tests.test_full_disk import small_disk

sshd = ssh_server.sshd

ROOT = Path(__file__).parent.parent
SOON = 5.0  # seconds
AGENT = ("SSH_AUTH_SOCK", "SSH_AGENT_PID")


@pytest.fixture
def where(sshd, tmp_path):
    """What a worker, or a target in this process, needs to know."""
    pids = tmp_path / "pids"
    pids.mkdir()
    return {
        "host": sshd.host,
        "port": sshd.port,
        "folder": str(tmp_path / "environment"),
        "known_hosts": str(sshd.known_hosts),
        "key": str(sshd.key),
        "pids": str(pids),
    }


@pytest.fixture
def reached(where):
    """Return a function that makes a target; all of them hang up in the end."""
    made = []

    def make(**more):
        fields = {key: more.pop(key) for key in [*more] if key in where}
        made.append(ssh_worker.target(where | fields, **more))
        return made[-1]

    yield make
    for target in made:
        target.close()


@pytest.fixture
def worker(where):
    """Return a function that starts a deploying process, and ends it with the test."""
    started = []

    def start(what, **more):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.ssh_worker", what, json.dumps(where | more)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()


def until(happens, seconds=SOON):
    """Wait until something is so; return how long it took."""
    start = time.monotonic()
    while not happens():
        assert time.monotonic() - start < seconds, "it does not happen"
        time.sleep(0.01)
    return time.monotonic() - start


def is_free(target):
    """Whether nobody holds the environment."""
    try:
        with target.locked("a test"):
            return True
    except Busy:
        return False


def running(where):
    """Return the processes of a worker's command that still run."""
    files = [Path(where["pids"], name) for name in ("main", "child")]
    return [file.name for file in files if file.exists() and is_alive(file.read_text().strip())]


def has_started(where):
    """Whether a worker's command runs, with what it has started itself."""
    return running(where) == ["main", "child"]


# Who is talked to


def strange_hosts(sshd, tmp_path):
    """Return files of known hosts by what is wrong with them."""
    other = ssh_server.keys(tmp_path / "other").with_suffix(".pub").read_text()
    ours = f"[127.0.0.1]:{sshd.port} "
    return {
        "unknown": "",
        "elsewhere": f"web1.example {sshd.public('host')}",
        "changed": ours + other,
        "revoked": f"{ours}{sshd.public('host')}@revoked {ours}{sshd.public('host')}",
    }


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("unknown", "is not in"),
        ("elsewhere", "is not in"),
        ("changed", "does not show the key"),
        ("revoked", "revoked"),
    ],
)
def test_a_host_that_is_not_known_is_not_talked_to(
    sshd, reached, tmp_path, monkeypatch, kind, sentence
):
    """Unknown, changed or revoked: refused, nothing is written down, and nobody logs in.

    Not even when the host stands in the person's own file.
    """
    home = tmp_path / "home" / ".ssh"
    home.mkdir(parents=True)
    (home / "known_hosts").write_text(sshd.known_hosts.read_text())
    monkeypatch.setenv("HOME", str(home.parent))
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(strange_hosts(sshd, tmp_path)[kind])
    before, accepted = known_hosts.read_text(), sshd.accepted()
    with pytest.raises(Unreachable, match=sentence):
        reached(known_hosts=str(known_hosts)).current()
    assert known_hosts.read_text() == before
    assert sshd.accepted() == accepted


def test_known_hosts_has_to_be_there(reached, tmp_path):
    """Without the file the sentence says how to get the line that belongs in it."""
    with pytest.raises(Unreachable, match=r"ssh-keyscan -p \d+ 127\.0\.0\.1, compare"):
        reached(known_hosts=str(tmp_path / "missing")).current()


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("missing", "There is no private key"),
        ("open", "chmod 600"),
        ("locked", "passphrase"),
        ("garbage", "holds no private key"),
        ("stranger", "did not let us in"),
    ],
)
def test_a_key_that_will_not_do_is_named(reached, tmp_path, kind, sentence):
    """Missing, readable by all, locked, no key, not known there: one sentence, and no secret."""
    path = tmp_path / "key"
    if kind == "garbage":
        path.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n")
        path.chmod(0o600)
    elif kind != "missing":
        ssh_server.keys(path, passphrase="secret" if kind == "locked" else "")
    if kind == "open":
        path.chmod(0o644)
    with pytest.raises(Unreachable, match=sentence) as refused:
        reached(key=str(path)).current()
    assert str(path) in str(refused.value)
    assert "secret" not in str(refused.value).lower().replace("private", "")


def test_a_config_of_the_person_is_not_read(reached, tmp_path, monkeypatch):
    """A program that `~/.ssh/config` names as a proxy is never started."""
    home = tmp_path / "home" / ".ssh"
    home.mkdir(parents=True)
    (home / "config").write_text(f"Host *\n  ProxyCommand touch {tmp_path}/started\n")
    monkeypatch.setenv("HOME", str(home.parent))
    assert reached().current() == ""
    assert not (tmp_path / "started").exists()


def test_keys_of_an_agent_are_used(sshd, reached, monkeypatch):
    """Without a key of its own a target asks the person's agent."""
    said = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    found = {name: said.partition(f"{name}=")[2].partition(";")[0] for name in AGENT}
    try:
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        subprocess.run(["ssh-add", "-q", sshd.key], check=True, stdin=subprocess.DEVNULL)
        target = reached(key=None)
        assert target.current() == ""
    finally:
        os.kill(int(found["SSH_AGENT_PID"]), signal.SIGTERM)


# Who cannot be reached


def test_a_closed_port_is_a_sentence(reached, where):
    """Nobody listens: the sentence names host and port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match=f":{port} refused the connection"):
        reached(port=port).current()


def test_a_name_that_is_none_is_a_sentence(reached):
    """A host that the DNS does not know is said to be one."""
    with pytest.raises(Unreachable, match=r"No host is called nowhere\.invalid"):
        reached(host="deploy@nowhere.invalid").current()


@pytest.mark.slow
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_somebody_else_on_the_port_is_a_sentence(reached, where, answer):
    """A server that says nothing, or that is none for SSH, is given up after a while."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        thread = threading.Thread(target=answering, args=(door, answer), daemon=True)
        thread.start()
        start = time.monotonic()
        with pytest.raises(Unreachable, match=r"did not answer within 0\.5 seconds|hung up"):
            reached(port=port, connect_seconds=0.5).current()
        assert time.monotonic() - start < SOON
    thread.join(SOON)


def answering(door, answer):
    """Take one connection, say something, and wait until it is closed."""
    wire, _ = door.accept()
    with wire:
        wire.settimeout(SOON)
        if answer:
            wire.sendall(answer)
            return
        while wire.recv(1000):
            pass


@pytest.fixture
def another(tmp_path):
    """Return a function that starts a server of another kind, and says how it is reached."""
    started = []

    def start(config=""):
        folder = tmp_path / f"server {len(started)}".replace(" ", "-")
        folder.mkdir()
        started.append(server := ssh_server.Server(folder, config))
        known = {"port": server.port, "known_hosts": str(server.known_hosts)}
        return server, known | {"key": str(server.key)}

    yield start
    for server in started:
        server.stop()


def test_a_host_without_what_a_deploy_needs_is_a_sentence(another, tmp_path, reached):
    """Every program that is missing there is named, before anything is done."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in {*remote.NEEDED, *remote.ALSO_NEEDED, "sh", "uname"} - {"flock", "tar"}:
        found = subprocess.run(["sh", "-c", f"command -v {name}"], capture_output=True, text=True)
        (programs / name).symlink_to(found.stdout.strip())
    _, where = another(f'ForceCommand PATH={programs}; eval "$SSH_ORIGINAL_COMMAND"\n')
    with pytest.raises(Unreachable, match="does not have: tar, flock;"):
        reached(**where).current()


@pytest.mark.parametrize("noise", ["echo welcome", "echo no logins here >&2; exit 1"])
def test_a_host_that_talks_is_a_sentence(another, reached, noise):
    """A shell that prints something before it does what it is told would be misunderstood."""
    _, where = another(f'ForceCommand {noise}; eval "$SSH_ORIGINAL_COMMAND"\n')
    with pytest.raises(Unreachable, match=r"says '(welcome|no logins here)' instead"):
        reached(**where).current()


@pytest.mark.parametrize("folder", ["/proc/nowhere/x", "/dev/null/x"])
def test_a_folder_that_cannot_be_made_is_a_sentence(reached, folder):
    """What the host says about its folder is in the sentence; looking at it finds nothing."""
    target = reached(folder=folder)
    assert target.current() == ""
    with (
        pytest.raises(Unreachable, match=r"while its lock was taken, .*mkdir"),
        target.locked("ana"),
    ):
        pass


# What happens when somebody is gone


def test_a_lost_connection_is_opened_again(sshd, reached):
    """Between two looks, or two deploys, a connection may be lost: the next one is another."""
    target = reached()
    assert target.current() == ""
    sshd.cut()
    assert target.current() == ""
    with target.locked("ana"):
        target.append("one")
    target.close()
    assert [*target.history()] == ["one"]


def test_no_step_follows_a_lost_lock(sshd, reached):
    """A deploy whose connection was lost goes on with nothing: somebody else may hold the lock."""
    target, other = reached(), reached()
    with target.locked("ana"):
        target.append("one")
        sshd.cut()
        until(lambda: is_free(other))
        for step in (lambda: target.append("two"), lambda: target.begin(release(), [blob(b"x")])):
            with pytest.raises(Unreachable, match="look at what is live"):
                step()
    assert [*other.history()] == ["one"]


def test_a_step_needs_the_lock(reached):
    """Without the lock a step is a mistake in the program, and nothing is sent."""
    target = reached()
    with pytest.raises(RuntimeError, match="locked"):
        target.append("one")
    assert [*target.history()] == []


def test_a_stolen_lock_stops_the_next_step(reached, where, monkeypatch):
    """Should the host's part of the lock be killed, the next step sees it and does nothing."""
    target, other = reached(), reached()
    with target.locked("ana"):
        holder = json.loads(Path(where["folder"], "lock").read_text())["pid"]
        os.kill(holder, signal.SIGKILL)
        until(lambda: not is_alive(holder))
        with monkeypatch.context() as patch:
            patch.setattr(Channel, "is_over", False)  # as if no word of it had come yet
            with pytest.raises(Unreachable, match="lock was lost"):
                target.append("one")
            with other.locked("bo"), pytest.raises(Unreachable, match="lock was lost"):
                target.append("two")
        with pytest.raises(Unreachable, match="lock was lost"):
            target.append("three")
    assert [*other.history()] == []


def test_a_cut_in_the_middle_of_a_command(sshd, reached, where):
    """The command on the host ends, whoever waits for it is told, and the lock is free."""
    target, other, raised = reached(), reached(), []

    def deploy():
        try:
            with target.locked("ana"):
                ssh_worker.run(target, where)
        except Unreachable as error:
            raised.append(str(error))

    thread = threading.Thread(target=deploy)
    thread.start()
    until(lambda: has_started(where))
    sshd.cut()
    thread.join(SOON)
    until(lambda: is_free(other))
    assert running(where) == []
    assert "while a command ran, the connection was lost" in raised[0]


def test_closing_ends_what_still_runs(reached, where):
    """Hanging up from another thread ends the command, and says so to whoever waits."""
    target, other, raised = reached(), reached(), []

    def deploy():
        try:
            with target.locked("ana"):
                ssh_worker.run(target, where)
        except Unreachable as error:
            raised.append(str(error))

    thread = threading.Thread(target=deploy)
    thread.start()
    until(lambda: has_started(where))
    target.close()
    thread.join(SOON)
    assert len(raised) == 1
    took = until(lambda: is_free(other))
    assert running(where) == []
    assert took < GRACE, "it was not enough to ask the command to end"


@pytest.mark.slow
def test_a_killed_deploy_leaves_no_command_running(worker, reached, where):
    """`kill -9` in the middle of a command that will not end: it ends before the lock is free."""
    process = worker("run", first="trap '' TERM; ")
    until(lambda: has_started(where))
    process.kill()
    target = reached()
    until(lambda: is_free(target))
    assert running(where) == []


@pytest.mark.slow
def test_an_interrupted_deploy_leaves_no_command_running(worker, reached, where):
    """Ctrl-C in the middle of a command: the same."""
    process = worker("run")
    until(lambda: has_started(where))
    process.send_signal(signal.SIGINT)
    process.wait(SOON)
    until(lambda: is_free(reached()))
    assert running(where) == []


@pytest.mark.slow
def test_a_deploy_killed_while_it_writes_leaves_no_release(worker, reached, where):
    """`kill -9` while files are sent: nothing is complete, and the next one sweeps it away."""
    process = worker("begin")
    assert process.stdout.readline() == "begins\n"
    releases = Path(where["folder"], "releases")
    until(lambda: list(releases.glob(".unfinished-*/files/*")), 20)
    process.kill()
    target = reached()
    until(lambda: is_free(target))
    assert [*target.releases()] == []
    with target.locked("bo"):
        assert len(target.sweep(keep=1)) == 1
    assert not [*releases.iterdir()]


@pytest.mark.slow
def test_a_deploy_killed_anywhere_leaves_a_whole_release_current(worker, reached, where):
    """Killed at any moment: `current` is complete, every journal line whole, and the lock free."""
    target = reached()
    for number in range(6):
        process = worker("deploy")
        assert process.stdout.readline() == "deploys\n"
        time.sleep(0.037 * number)
        process.kill()
        assert until(lambda: is_free(target)) < SOON
        current = target.current()
        files = sorted(Path(where["folder"], "current", "files").iterdir())
        assert len(files) == 20
        assert {file.read_text() for file in files} == {current * 50}
        assert current in target.releases()
        assert all(json.loads(line)["release"] for line in target.history())
    with target.locked("ana"):
        target.sweep(keep=1)
    left = {path.name for path in Path(where["folder"], "releases").iterdir()}
    assert left == {target.current(), target.releases()[-1]}


@pytest.mark.slow
def test_a_deploy_that_sleeps_loses_the_lock_and_does_no_more(worker, reached, where):
    """A machine that falls asleep says no goodbye: the lock is free again, and stays with others.

    When it wakes up, its next step is refused.
    """
    process = worker("hold", silence=1.0)
    assert process.stdout.readline() == "held\n"
    process.send_signal(signal.SIGSTOP)
    target = reached()
    until(lambda: is_free(target))
    with target.locked("bo"):
        process.send_signal(signal.SIGCONT)
        process.stdin.write("go on\n")
        process.stdin.flush()
        said = process.stdout.readline()
    assert said.startswith("Unreachable: ") and "lock" in said
    assert [*target.history()] == []


@pytest.mark.slow
def test_a_command_of_a_deploy_that_sleeps_ends(worker, reached, where):
    """A machine that vanishes with its connection open leaves no command running either."""
    process = worker("run", silence=1.0)
    until(lambda: has_started(where))
    process.send_signal(signal.SIGSTOP)
    until(lambda: is_free(reached()))
    assert running(where) == []


@pytest.mark.slow
def test_a_waiting_command_keeps_its_lock(reached, where):
    """As long as we are there nothing ends: not a quiet command, not a lock that is only held."""
    target, other = reached(silence=0.6), reached()
    with target.locked("ana"):
        target.begin(release(), [blob(b"x")])
        target.run(release(), Command(words=("sleep", "2")), lambda _: None)
        assert not is_free(other)
        target.append("still")


def test_a_sweep_follows_no_link(reached, where, tmp_path):
    """A link where something unfinished should lie is removed itself, not what it leads to.

    Folders that a build has locked are no obstacle.
    """
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").touch()
    target, releases = reached(), Path(where["folder"], "releases")
    with target.locked("ana"):
        target.begin(release(1), [blob(b"locked/file")])
        (releases / f".unfinished-{release(1)}" / "locked").chmod(0o500)
        (releases / f".unfinished-{release(2)}").symlink_to(tmp_path / "outside")
        assert [*target.sweep(keep=1)] == [release(1), release(2)]
    assert not [*releases.iterdir()]
    assert (tmp_path / "outside" / "kept").exists()


def test_on_a_full_disk_nothing_becomes_current(tmp_path):
    """What runs stays, no line is lost, one sentence says why, and what fits can be deployed."""

    def work():
        (tmp_path / "server").mkdir()
        (tmp_path / "small").mkdir()
        word = small_disk(tmp_path / "small")
        server = ssh_server.Server(tmp_path / "server")
        where = {"host": server.host, "port": server.port, "key": str(server.key)}
        where |= {"known_hosts": str(server.known_hosts), "folder": str(tmp_path / "small/here")}
        target, told = ssh_worker.target(where), []
        try:
            with target.locked("ana"):
                shipped(target, release(1), [blob(b"a", b"x" * 1000)])
                target.append("one")
                large = [blob(b"%d" % n, b"x" * 210_000) for n in range(3)]
                for step in (
                    lambda: target.begin(release(2), large),
                    lambda: target.append("y" * 600_000),
                ):
                    with pytest.raises(Unreachable) as refused:
                        step()
                    told.append(str(refused.value))
                current, history = target.current(), [*target.history()]
                shipped(target, release(3), [blob(b"b", b"y")])
                target.append("two")
            good = "the disk is full" if word == "full" else "larger than it may be"
            is_said = [good in text for text in told]
            return is_said, current, history, target.current(), [*target.history()]
        finally:
            target.close()
            server.stop()

    is_said, *before, current, history = said(in_child(work))
    assert is_said == [True, True]
    assert before == [release(1), ["one"]]
    assert (current, history) == (release(3), ["one", "two"])


def shipped(target, name, files):
    """Bring a release all the way."""
    target.begin(name, files)
    target.complete(name)
    target.switch(name)


# The service, and what else


def test_a_restart_leaves_the_service_running(reached, where):
    """The command runs where `current` leads; what it starts stays, and does not hold it up."""
    script = 'pwd >"$PIDS/place"; sleep 60 & echo $! >"$PIDS/main"'
    restart = Command(words=("sh", "-c", script), env={"PIDS": where["pids"]}, seconds=20)
    stop = Command(words=("sh", "-c", 'kill $(cat "$PIDS/main")'), env={"PIDS": where["pids"]})
    target = reached(restart=restart, stop=stop)
    with target.locked("ana"):
        with pytest.raises(Unreachable, match="no release was current"):
            target.restart()
        target.begin(release(), [blob(b"x")])
        target.complete(release())
        target.switch(release())
        start = time.monotonic()
        target.restart()
        assert time.monotonic() - start < SOON
        assert running(where) == ["main"]
        assert Path(where["pids"], "place").read_text().strip().endswith(f"releases/{release()}")
        target.stop()
        until(lambda: not running(where))


def test_a_restart_that_fails_says_how(reached):
    """Its status and its last words are in the sentence; without `stop` that is one, too."""
    target = reached(restart=words("echo no such unit >&2; exit 5"))
    with target.locked("ana"):
        target.begin(release(), [blob(b"x")])
        target.complete(release())
        target.switch(release())
        with pytest.raises(CommandFailed, match="ended with 5; it printed last: no such unit"):
            target.restart()
        with pytest.raises(CommandFailed, match="write `stop`"):
            target.stop()


def test_the_service_log_is_what_the_host_shows(reached):
    """The last lines of what the operator's command prints, with nothing that moves a cursor."""
    target = reached(logs=words(r"seq 100; printf '\033[31mred\033[0m\n'"))
    with target.locked("ana"):
        assert target.service_log(3) == "99\n100\nred"
    assert "write `logs`" in reached().service_log(3)


def test_nothing_is_left_when_it_hangs_up(another, reached):
    """After `close` the host has no process of ours."""
    server, where = another()
    target = reached(**where)
    with target.locked("ana"):
        target.begin(release(), [blob(b"x")])
        target.run(release(), words("true"), print)
    assert server.sessions()
    target.close()
    until(lambda: not [*ssh_server.below(server.process.pid)])


def test_what_a_command_finds_is_on_no_command_line(reached, where):
    """A value of `env` may be a password: it is in no list of processes on the host."""
    seen = []
    script = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"
    with (target := reached()).locked("ana"):
        target.begin(release(), [blob(b"x")])
        command = Command(words=("sh", "-c", script), env={"PASSWORD": "hunter" + "2" * 9})
        target.run(release(), command, seen.append)
    assert b"hunter222" not in b"".join(seen)
    assert b"/proc/" in b"".join(seen)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_script_that_was_cut_off_does_nothing(tmp_path, shell):
    """Whatever part of a script arrives, it is run as a whole or not at all."""
    whole = remote.script("touch first\ntouch 'se;cond'\n", words=["a b"], folder="/tmp; x")
    for size in range(0, len(whole) - 1, 3):
        subprocess.run(
            [shell, "-c", 'eval "$(head -c 10000)"'],
            input=whole[:size],
            cwd=tmp_path,
            stderr=subprocess.DEVNULL,
        )
        assert not [*tmp_path.iterdir()]
    subprocess.run([shell, "-c", 'eval "$(head -c 10000)"'], input=whole, cwd=tmp_path, check=True)
    assert {path.name for path in tmp_path.iterdir()} == {"first", "se;cond"}


def test_the_same_files_make_the_same_archive():
    """What is sent depends on the commit alone, not on the time or the machine."""
    files = [blob(b"a/b", b"1"), blob(b"\xff", b"2" * 9999, "100755"), blob(b"l", b"a", "120000")]
    assert b"".join(packed(files)) == b"".join(packed(iter(files)))
    with pytest.raises(Unshippable):
        b"".join(packed([blob(b"/x", b"1")]))


@pytest.mark.slow
def test_ten_thousand_files_take_seconds(reached, where):
    """A large commit is written, completed and switched to in a few seconds."""
    files = [blob(b"d%d/e%d/%d.py" % (n // 1000, n // 50, n), b"x" * 2000) for n in range(10_000)]
    target = reached()
    with target.locked("ana"):
        start = time.monotonic()
        target.begin(release(), files)
        target.complete(release())
        target.switch(release())
        took = time.monotonic() - start
    found = sum(len(names) for _, _, names in os.walk(Path(where["folder"], "current/")))
    assert found == 10_000
    assert took < 10.0
