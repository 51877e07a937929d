"""The terminal approver in a process of its own, on its controlling terminal, behind a gate."""

import json
import os
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).parent.parent
MENU = "r reject > "
PROGRAM = """
import json, os, sys
from core import Preview, Rejected, gate
from core.approvers.terminal import Terminal
from core.model import Risk

if os.environ.get("BACKGROUND"):
    if child := os.fork():
        os.waitpid(child, 0)
        sys.exit()
    os.setpgid(0, 0)

ran = open("ran", "a")

def pay(amount: int, to: str) -> str:
    ran.write(json.dumps([amount, to]) + chr(10))
    ran.flush()
    return "paid"

def look(amount: int) -> Preview:
    return Preview(summary=f"pays {amount} of 100", warnings=("it is final",))

gated = gate(pay, approver=Terminal(by="ana"), preview=look, risk=Risk[os.environ["RISK"]])
for amount in json.loads(sys.argv[1]):
    try:
        told = gated(amount, to="bo")
    except Rejected as rejected:
        told = f"{type(rejected).__name__}: {rejected}"
    print(told, flush=True)
"""


class World:
    """A folder with a program in it, and what the program did."""

    def __init__(self, folder):
        self.folder = folder
        self.program = folder / "program.py"
        self.program.write_text(PROGRAM)
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "RISK": "HIGH"}

    def command(self, *amounts):
        """The words that start the program for some payments."""
        return [sys.executable, str(self.program), json.dumps(amounts)]

    def start(self, *amounts, rows=40, columns=100, **environment):
        """Start the program at a terminal, its standard input and output somewhere else."""
        shell = "exec " + " ".join(f"'{word}'" for word in self.command(*amounts))
        return pexpect.spawn(
            "sh",
            ["-c", f"{shell} < /dev/null > told 2> errors 3<> /dev/tty"],
            cwd=self.folder,
            env={**self.environment, **environment},
            dimensions=(rows, columns),
            encoding="utf-8",
            timeout=15,
        )

    def ran(self):
        """The payments that were made."""
        file = self.folder / "ran"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def told(self):
        """What the agent was told."""
        assert (self.folder / "errors").read_text() == ""
        return (self.folder / "told").read_text().splitlines()


@pytest.fixture
def world(tmp_path):
    """A fresh folder."""
    return World(tmp_path)


def play(terminal, *pairs):
    """Press keys each time something appears, then wait for the program to end."""
    for seen, pressed in pairs:
        if seen:
            terminal.expect_exact(seen)
        terminal.send(pressed)
    terminal.expect(pexpect.EOF)
    terminal.close()


def is_sane(terminal):
    """Whether the terminal echoes, takes lines and sends signals, as a shell expects it."""
    wanted = termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN
    return termios.tcgetattr(terminal.child_fd)[3] & wanted == wanted


def test_approved_runs_once_and_the_streams_are_left_alone(world):
    """The question is asked at the terminal though input and output are files; then it runs."""
    terminal = world.start(5)
    play(terminal, (MENU, "\r"), (MENU, "a"), ("no > ", "y"))
    assert terminal.exitstatus == 0
    assert world.ran() == [[5, "bo"]]
    assert world.told() == ["paid"]


def test_rejected_never_runs_and_the_agent_learns_why(world):
    """The reason that was typed is what the agent is told; nothing ran."""
    play(world.start(5), (MENU, "r"), ("instead? ", "ask in March\r"))
    assert world.ran() == []
    (told,) = world.told()
    assert "ana" in told and "ask in March" in told


def test_an_edit_runs_as_edited(world):
    """The changed argument runs, after the changed preview was seen as well."""
    terminal = world.start(5)
    play(
        terminal,
        *[(MENU, "e"), ("back): ", "amount\r"), ("amount = 5", "\x7f7\r"), ("drop it > ", "y")],
        *[("pays 7 of 100", ""), (MENU, "a"), ("no > ", "y")],
    )
    assert world.ran() == [[7, "bo"]]
    assert "as edited by ana" in "".join(world.told())


def test_an_invalid_edit_comes_back_to_the_person(world):
    """An edit that does not fit the function is explained to the person and to nobody else."""
    play(
        world.start(5),
        *[(MENU, "e"), ("back): ", "1\r"), ("amount = 5", "x\r"), ("drop it > ", "y")],
        *[("edit was not taken", ""), ("integer", ""), (MENU, "a"), ("no > ", "y")],
    )
    assert world.ran() == [[5, "bo"]]
    assert world.told() == ["paid"]


def test_ctrl_c_rejects_one_call_and_the_program_goes_on(world):
    """An interruption is a no to this call; the next one is asked, and the terminal is sane."""
    terminal = world.start(5, 6)
    play(terminal, (MENU, "\x03"), ("pays 6", ""), (MENU, "a"), ("no > ", "y"))
    assert terminal.exitstatus == 0
    assert world.ran() == [[6, "bo"]]
    assert "interrupted at the terminal" in world.told()[0] and world.told()[1] == "paid"


def test_typed_ahead_keys_approve_nothing(world):
    """Keys pressed while the program was still starting are not an answer."""
    terminal = world.start(5)
    terminal.send("ayayayayay")
    terminal.expect_exact(MENU)
    assert terminal.expect_exact(["approve?", pexpect.TIMEOUT], timeout=0.5) == 1
    play(terminal, ("", "r"), ("instead? ", "no\r"))
    assert world.ran() == []


def test_the_worst_is_approved_by_its_digest_only(world):
    """For CRITICAL the digest on the screen has to be typed."""
    terminal = world.start(5, RISK="CRITICAL")
    terminal.expect(r"digest +(?:\x1b\[[0-9;]*m)*│ (?:\x1b\[[0-9;]*m)*([0-9a-f]{6})")
    digest = terminal.match[1]
    play(
        terminal,
        *[(MENU, "a"), ("approve: ", "yes\r"), ("nothing is decided", "")],
        *[(MENU, "a"), ("approve: ", digest + "\r")],
    )
    assert world.ran() == [[5, "bo"]]


def test_without_a_terminal_nothing_runs(world):
    """A program without a terminal is told that no one is there."""
    done = subprocess.run(
        world.command(5),
        cwd=world.folder,
        env=world.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        text=True,
    )
    assert done.returncode == 0 and world.ran() == []
    assert "no one is at a terminal" in done.stdout


def test_in_the_background_nothing_runs_and_nothing_stops(world):
    """A program in the background does not fight for the keyboard; its call is rejected."""
    terminal = world.start(5, BACKGROUND="1")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0 and world.ran() == []
    assert "in the background" in world.told()[0]


@pytest.mark.parametrize("order", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM], ids=str)
def test_a_program_that_is_ended_has_run_nothing(world, order):
    """Ending the program runs nothing; Python's own way out gives the terminal back."""
    terminal = world.start(5)
    terminal.expect_exact(MENU)
    assert not is_sane(terminal)
    os.kill(terminal.pid, order)
    terminal.expect(pexpect.EOF)
    assert order != signal.SIGINT or is_sane(terminal)
    terminal.close()
    assert world.ran() == []


def test_a_narrow_window_shows_everything(world):
    """In thirty columns every value and every choice is still there."""
    terminal = world.start(123456789, columns=30)
    terminal.expect_exact(MENU)
    screen = terminal.before
    for part in ("123456789", "bo", "HIGH", "it is final", "pays 123456789 of 100"):
        assert part in screen
    play(terminal, ("", "\x03"))


EDITOR = """#!/bin/sh
stty sane
echo "editing in group $(ps -o pgid= -p $$)"
printf 'ready\\n'
read line
printf '%s' "$line" > "$1"
"""


@pytest.fixture
def editor(world):
    """An editor that replaces the value by the line that is typed into it."""
    script = world.folder / "editor"
    script.write_text(EDITOR)
    script.chmod(0o755)
    return str(script)


def edit_to(world, editor):
    """Come as far as the open editor."""
    world.program.write_text(PROGRAM.replace('to="bo"', 'to="bo " * 100'))
    terminal = world.start(5, VISUAL=editor)
    for seen, pressed in [(MENU, "e"), ("back): ", "2\r"), ("back > ", "o"), ("ready", "")]:
        terminal.expect_exact(seen)
        terminal.send(pressed)
    return terminal


def test_an_editor_has_the_terminal_to_itself(world, editor):
    """The editor reads lines with echo, as ever; what it saved is what runs."""
    terminal = edit_to(world, editor)
    play(terminal, ("", "cy\r"), ("drop it > ", "y"))
    assert world.ran() == [[5, "cy"]]


def test_ctrl_c_in_the_editor_is_the_editors(world, editor):
    """Ctrl-C in an editor ends at most the editor: the question stands, the program lives."""
    terminal = edit_to(world, editor)
    play(terminal, ("", "\x03"), ("ended with status", ""), (MENU, "a"), ("no > ", "y"))
    assert terminal.exitstatus == 0
    assert world.ran() == [[5, "bo " * 100]]


def test_a_suspended_editor_comes_back(world, editor):
    """There is no shell to continue an editor that stops itself, so it is continued at once."""
    terminal = edit_to(world, editor)
    terminal.send("\x1a")
    play(terminal, ("", "cy\r"), ("drop it > ", "y"))
    assert world.ran() == [[5, "cy"]]


def test_the_demo_can_be_tried(world):
    """`python -m core.approvers.terminal` asks for a made-up call."""
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "core.approvers.terminal"],
        cwd=str(ROOT),
        encoding="utf-8",
        dimensions=(50, 80),
    )
    play(terminal, (MENU, "a"), ("no > ", "y"))
    assert terminal.exitstatus == 0 and "Approve(" in terminal.before
