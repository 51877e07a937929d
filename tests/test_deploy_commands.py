"""Commands run as they are written, are over when they are over, and say why they failed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from children import in_child
from environments import names, nobody_left, processes, until, words
from hypothesis import given
from hypothesis import strategies as st

from apps.deploy.errors import CommandFailed, DeployError
from apps.deploy.local.printed import MOST, Printed, readable
from apps.deploy.local.running import run


@pytest.fixture
def folder(tmp_path):
    """A folder in which no process is left behind."""
    with nobody_left(tmp_path):
        yield tmp_path


def printed(command, folder, **more):
    """Run a command; return what it printed."""
    said = []
    run(command, folder, said.append, **more)
    return b"".join(said)


def failure(command, folder, **more):
    """Run a command that fails; return the one sentence."""
    with pytest.raises(CommandFailed) as caught:
        printed(command, folder, **more)
    assert str(caught.value).isprintable()
    return str(caught.value)


def sh(script, **more):
    """Return a command that runs a script of the shell."""
    return words("sh", "-c", script, **more)


def test_words_go_to_the_program_as_they_are(folder):
    """No shell reads them: dollars, stars, quotes, line breaks and odd bytes arrive unchanged."""
    odd = ["$HOME", "*", "a b", "'", ";exit 1", "\n", "", "--x", "ü", "\udcff"]
    show = "import os,sys; os.write(1, b'|'.join(map(os.fsencode, sys.argv[1:])))"
    found = printed(words(sys.executable, "-c", show, *odd), folder)
    assert found == b"|".join(map(os.fsencode, odd))


def test_a_command_sees_exactly_its_environment(folder, monkeypatch):
    """It has PATH, HOME, LANG and what it was given: none of our keys, and not our Python's."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("LANG", "C.UTF-8")
    found = dict(
        line.split("=", 1)
        for line in printed(words("env", PORT="8001", PYTHONPATH="x", HOME="/h"), folder)
        .decode()
        .splitlines()
    )
    wanted = {"PATH": os.environ["PATH"], "HOME": "/h", "LANG": "C.UTF-8", "PORT": "8001"}
    assert found == wanted | {"PYTHONPATH": "x"}


def test_a_command_has_its_folder_and_nothing_else_of_ours(folder):
    """It works in its folder, reads nothing, has no terminal, and none of our files open."""
    kept = os.open(folder, os.O_RDONLY)
    leaked = os.dup(kept)
    os.set_inheritable(leaked, True)  # noqa: FBT003 - it takes no names
    look = (
        "import os; print(os.getcwd(), len(os.listdir('/proc/self/fd')) - 1, os.read(0, 9),"
        f" os.getsid(0) != {os.getsid(0)})"
    )
    found = printed(words(sys.executable, "-c", look), folder, kept=[kept])
    os.close(kept)
    os.close(leaked)
    assert found.decode().strip() == f"{folder} 3 b'' True"


def test_signals_are_as_for_any_program(folder):
    """A command that writes into a closed pipe ends by it, also when we ignore such signals."""
    first, *masks = printed(sh("yes | head -n 1; grep Sig[BI] /proc/self/status"), folder).split(
        b"\n"
    )
    of_libc = 0b11 << 31  # 32 and 33 belong to the C library, and nobody else can change them
    held = {name: int(mask, 16) & ~of_libc for name, mask in map(bytes.split, filter(None, masks))}
    assert (first, held) == (b"y", {b"SigBlk:": 0, b"SigIgn:": 0})


def test_what_is_printed_comes_as_it_is_printed(folder):
    """Both outputs arrive in order, while the command still runs."""
    said = []

    def hear(chunk):
        said.append(chunk)
        (folder / "heard").touch()

    wait = "echo one >&2; while [ ! -e heard ]; do sleep 0.01; done; echo two"
    run(sh(wait), folder, hear)
    assert b"".join(said) == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (
            sh("echo first; echo second >&2; exit 3"),
            "ended with 3; it printed last: first | second",
        ),
        (sh("exit 1"), "ended with 1, and printed nothing"),
        (sh("kill -9 $$"), "was ended by SIGKILL"),
        (sh("kill -SEGV $$"), "was ended by SIGSEGV"),
        (words("no-such-program"), "could not be started: no such file or directory."),
        (words("./no-such-program"), "could not be started: no such file or directory."),
        (words("/"), "could not be started: permission denied."),
        (words("./text"), "could not be started: permission denied."),
        (words("./odd"), "could not be started: exec format error."),
        (words(), "at least one word"),
        (words("a\0b"), "none with a zero"),
        (words("sleep", "9", seconds=0.0), "took more than 0 seconds"),
        (words("true", **{"a=b": "c"}), "could not be started: invalid argument"),
        (words("true", A="\0"), "could not be started: invalid argument"),
        (words("true", "x" * 3_000_000), "could not be started: argument list too long"),
        (sh(r"printf '\033[31mred\033[0m\a\377\r\n\n'; exit 1"), r"last: red\x07\xff"),
    ],
)
def test_a_command_that_fails_says_why(folder, command, reason):
    """What happened is one sentence, with the last lines that it printed, safe to show."""
    (folder / "text").write_text("text")
    (folder / "odd").write_bytes(b"\0\1")
    (folder / "odd").chmod(0o755)
    assert reason in failure(command, folder)


def test_a_folder_that_is_gone_is_a_sentence(folder):
    """Where there is no folder nothing is started."""
    assert "no such file" in failure(words("touch", "x"), folder / "gone")


def test_a_deadline_ends_all_that_was_started(folder):
    """Late, a command ends with its children, those in the background and those that hide."""
    script = "sleep 91 & setsid sleep 92 & (sleep 93 &) ; echo on; sleep 94"
    began = time.monotonic()
    assert "took more than 0.5 seconds" in failure(sh(script, seconds=0.5), folder)
    assert time.monotonic() - began < 30
    assert processes(folder) == {}


def test_who_will_not_end_is_killed(folder):
    """After being asked to end there is a grace, and then no more asking."""
    began = time.monotonic()
    script = "trap '' TERM; echo on; while true; do sleep 0.05; done"
    assert "took more than" in failure(sh(script, seconds=1), folder, grace=0.5)
    assert 1.4 < time.monotonic() - began < 30


def test_a_command_that_is_late_may_put_things_in_order(folder):
    """Being asked to end comes first, and what it says then is heard."""
    script = "trap 'echo in order; exit 0' TERM; echo on; while true; do sleep 0.05; done"
    assert "in order" in failure(sh(script, seconds=1), folder)


def test_what_a_finished_command_left_running_is_ended(folder):
    """A command is over when its own process is, and nothing of it goes on after that."""
    script = "sleep 91 & setsid sh -c 'sleep 92; sleep 93' & (setsid sleep 94 &); echo done"
    began = time.monotonic()
    assert printed(sh(script), folder) == b"done\n"
    assert (time.monotonic() - began < 30, processes(folder)) == (True, {})


def test_a_log_that_fails_ends_the_command(folder):
    """When what it prints cannot be kept, the command does not go on unheard."""

    def full(chunk):
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        run(sh("echo x; sleep 90"), folder, full)
    assert processes(folder) == {}


def test_interrupted_from_the_keyboard_the_command_ends(folder):
    """Ctrl-C ends the command before it is raised on."""

    def interrupted(chunk):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(sh("sleep 91 & echo x; sleep 90"), folder, interrupted)
    assert processes(folder) == {}


def test_output_without_end_is_cut_and_the_command_goes_on(folder):
    """After its share only the end is kept, and a sentence says how much is missing."""
    said = []
    size = MOST + 1_000_000
    script = f"head -c {size} /dev/zero | tr '\\0' x; echo; echo the end; exit 1"
    with pytest.raises(CommandFailed, match=r"last: x+ \| the end"):
        run(sh(script), folder, said.append)
    text = b"".join(said)
    assert text.startswith(b"x" * MOST + b"\n[") and text.endswith(b"x\nthe end\n")
    assert len(text) < MOST + 10_000


@given(st.lists(st.binary(min_size=1, max_size=9000)), st.integers(0, 20_000))
def test_the_log_is_whole_or_says_what_it_lacks(chunks, most):
    """Beginning, what is missing in bytes, and end add up to all that was printed."""
    said, whole = [], b"".join(chunks)
    printed = Printed(said.append, most=most)
    for chunk in chunks:
        printed.take(chunk)
    printed.close()
    text = b"".join(said)
    if len(whole) <= most:
        assert text == whole
    else:
        rest = text[most:].removeprefix(b"\n[")
        left_out, _, end = rest.partition(b" bytes are left out here]\n")
        lost = int(left_out.replace(b",", b""))
        assert text[:most] == whole[:most] and whole.endswith(end)
        assert most + lost + len(end) == len(whole)
    assert "\n" not in printed.quoted() and printed.quoted().isprintable()


@given(st.binary())
def test_what_was_printed_is_safe_to_show(content):
    """Whatever bytes were printed, what is shown has no control character but line breaks."""
    assert readable(content).replace("\n", "").isprintable()


def killed(work, when):
    """Let a child do some work, and kill it as soon as something is true."""
    pid, pipe = in_child(work)
    try:
        assert until(when)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(pipe)


def test_when_we_are_killed_the_command_ends(folder):
    """A deploy that dies without a word takes its command along, and all that it started."""
    script = "setsid sleep 91 & (sleep 92 &); touch on; sleep 93"
    killed(lambda: run(sh(script), folder, print), (folder / "on").exists)
    assert until(lambda: not processes(folder), seconds=20)


def test_what_is_kept_is_held_until_the_last_has_ended(folder):
    """After we were killed, the files that a command holds for us are held until it is gone."""
    reading, writing = os.pipe()

    def work():
        os.close(reading)
        stubborn = "trap '' TERM; touch on; while true; do sleep 0.05; done"
        run(sh(stubborn), folder, print, kept=[writing], grace=0.5)

    killed(work, (folder / "on").exists)
    os.close(writing)
    began = time.monotonic()
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b""
    assert 0.2 < time.monotonic() - began < 30
    assert processes(folder) == {}


def test_when_who_minds_a_command_is_killed_the_command_ends(folder):
    """Then the command is killed by the system, and the failure says so."""
    script = "sleep 91 & (sleep 92 &); echo $PPID > minder; echo on; sleep 90"

    def kill(chunk=b""):
        os.kill(int((folder / "minder").read_text()), signal.SIGKILL)

    with pytest.raises(CommandFailed, match="together with the process that minded it"):
        run(sh(script), folder, kill)
    assert until(lambda: not processes(folder), seconds=20)


@pytest.mark.slow
def test_hundreds_of_commands_leave_nothing_open(folder):
    """Neither files nor processes add up, whether commands succeed, fail or cannot start."""
    printed(words("true"), folder)
    before = len(names(Path("/proc/self/fd")))
    for n in range(60):
        try:
            printed([words("true"), words("false"), words("no-such")][n % 3], folder)
        except DeployError:
            continue
    assert len(names(Path("/proc/self/fd"))) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_who_minds_a_command_needs_nothing_but_itself(tmp_path):
    """The program starts by its path alone, in a Python that has no packages."""
    place = Path(__file__).parent.parent / "apps" / "deploy" / "local" / "minding.py"
    reading, writing = os.pipe()
    leash, holding = os.pipe()
    subprocess.run(
        [sys.executable, "-I", "-S", place, str(writing), "5", "1", "", "true"],
        pass_fds=[writing],
        stdin=leash,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
    )
    for file in (writing, leash, holding):
        os.close(file)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read().splitlines()[-1] == b"exit 0"
