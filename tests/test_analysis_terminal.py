"""The analysis app at a real terminal: the keys that are pressed, and the rows that are left."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import duckdb
import pexpect
import pytest
from model_server import ModelServer, calls, text
from people import eventually

from apps.analysis.shop import make_shop

pytestmark = pytest.mark.slow  # every test starts the program

ROOT = Path(__file__).parent.parent
DELETE = "DELETE FROM orders WHERE note = 'TEST'"
MENU = "r reject > "
APPROVE = [(MENU, "a"), ("approve? y yes, n no > ", "y")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small shop, made once."""
    path = tmp_path_factory.mktemp("made") / "shop.duckdb"
    make_shop(path, orders=300)
    return path


class Desk:
    """A folder with a shop in it, and a terminal in which the program is started."""

    def __init__(self, folder, made):
        self.folder = folder
        self.shop = shutil.copyfile(made, folder / "shop.duckdb")
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("GATE_")},
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm",
            "TMPDIR": str(self.temporary),
        }

    def start(self, *words, rows=60, columns=100, **environment):
        """Start the program on the shop."""
        return pexpect.spawn(
            sys.executable,
            ["-m", "apps.analysis", "--database", str(self.shop), *words],
            cwd=self.folder,
            env={**self.environment, **environment},
            dimensions=(rows, columns),
            encoding="utf-8",
            timeout=30,
        )

    def rows(self, sql):
        """What a plain connection reads from the file."""
        with duckdb.connect(str(self.shop), read_only=True) as con:
            return con.execute(sql).fetchall()

    def count(self, where="true"):
        """How many orders there are of a kind."""
        return self.rows(f"SELECT count(*) FROM orders WHERE {where}")[0][0]

    def files(self):
        """Every file there is, byte by byte."""
        return {file: file.read_bytes() for file in self.folder.rglob("*") if file.is_file()}


@pytest.fixture
def desk(tmp_path, made):
    """A fresh folder with a copy of the shop."""
    return Desk(tmp_path, made)


def play(terminal, *pairs):
    """Press keys each time something appears; wait for the end and return all that was shown."""
    shown = ""
    for seen, pressed in pairs:
        terminal.expect_exact(seen)
        shown += terminal.before + terminal.after
        terminal.send(pressed)
    terminal.expect(pexpect.EOF)
    shown += terminal.before
    terminal.close()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


def modes(terminal):
    """How the terminal is set."""
    return termios.tcgetattr(terminal.child_fd)


def test_approved_the_rows_go(desk):
    """The person sees what would go, presses a and y, and exactly that is gone."""
    tests = desk.count("note = 'TEST'")
    terminal = desk.start("sql", DELETE)
    shown = play(terminal, *APPROVE)
    assert terminal.exitstatus == 0
    assert f"{tests} of 300 change" in shown and f"orders: {tests} deleted" in shown
    assert (desk.count("note = 'TEST'"), desk.count()) == (0, 300 - tests)
    assert list(desk.temporary.iterdir()) == []


def test_an_edited_statement_runs_in_its_place(desk):
    """Narrowed at the prompt, shown anew, approved: only what the person left in is gone."""
    others = desk.count("note = 'TEST' AND channel <> 'web'")
    assert others < desk.count("note = 'TEST'")
    terminal = desk.start("sql", DELETE)
    shown = play(
        terminal,
        (MENU, "e"),
        ("back > ", "i"),
        ("sql = ", " AND channel = 'web'\r"),
        ("drop it > ", "y"),
        *APPROVE,
    )
    assert terminal.exitstatus == 0
    assert "as edited by" in shown
    assert desk.count("note = 'TEST'") == others


def test_rejected_the_rows_stay_and_the_reason_is_told(desk):
    """Not a byte differs, the program ends with 1, and what was typed is what it says."""
    before = desk.files()
    terminal = desk.start("sql", DELETE)
    shown = play(terminal, (MENU, "r"), ("what instead? ", "archive them first\r"))
    assert terminal.exitstatus == 1
    assert "archive them first. It was not run." in shown
    assert desk.files() == before


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["ctrl-c", "ctrl-d"])
def test_an_interrupted_question_is_a_no(desk, key):
    """Nothing runs, and the terminal is set as it was before the question."""
    before = desk.files()
    terminal = desk.start("sql", DELETE)
    at_first = modes(terminal)
    terminal.expect_exact(MENU)
    assert modes(terminal) != at_first
    terminal.send(key)
    terminal.expect(pexpect.EOF)
    assert modes(terminal) == at_first
    terminal.close()
    assert terminal.exitstatus == 1
    assert desk.files() == before


def test_enter_decides_nothing(desk):
    """Enter, and keys typed before the question, leave it open; the rows stay."""
    before = desk.files()
    terminal = desk.start("sql", DELETE)
    terminal.send("ayay\r")
    play(terminal, (MENU, "\r"), (MENU, "\r"), (MENU, "r"), ("what instead? ", "no\r"))
    assert desk.files() == before


def test_a_whole_table_takes_the_digest(desk):
    """What would empty a table is approved by typing what stands on the screen, not by a habit."""
    terminal = desk.start("sql", "DELETE FROM refunds")
    terminal.expect(r"digest +(?:\x1b\[[0-9;]*m)*│ (?:\x1b\[[0-9;]*m)*([0-9a-f]{6})")
    digest = terminal.match[1]
    shown = play(
        terminal,
        *[(MENU, "a"), ("approve: ", "y\r"), ("nothing is decided", "")],
        *[(MENU, "a"), ("approve: ", f"{digest}\r")],
    )
    assert terminal.exitstatus == 0 and "no WHERE" in shown
    assert desk.rows("SELECT count(*) FROM refunds") == [(0,)]


def test_rows_that_changed_while_the_prompt_waited_are_refused(desk):
    """Another program adds a test order before the yes: refused, and the difference is told."""
    tests = desk.count("note = 'TEST'")
    terminal = desk.start("sql", DELETE)
    terminal.expect_exact(MENU)
    change = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute(sys.argv[2])"
    update = (
        "UPDATE orders SET note = 'TEST' WHERE id = (SELECT min(id) FROM orders WHERE note IS NULL)"
    )
    subprocess.run([sys.executable, "-c", change, desk.shop, update], check=True)
    terminal.send("a")
    shown = " ".join(play(terminal, ("approve? y yes, n no > ", "y")).split())
    assert terminal.exitstatus == 1
    assert f"{tests} deleted" in shown and f"{tests + 1} deleted" in shown
    assert (desk.count("note = 'TEST'"), desk.count()) == (tests + 1, 300)
    assert not Path(f"{desk.shop}.undo").exists()


def test_undo_is_asked_about_and_brings_the_rows_back(desk):
    """A change by one run of the program is taken back by the next, after a yes."""
    before = desk.rows("FROM orders ORDER BY id")
    play(desk.start("sql", DELETE), *APPROVE)
    assert len(desk.rows("FROM orders")) < len(before)
    terminal = desk.start("undo")
    shown = play(terminal, *APPROVE)
    assert terminal.exitstatus == 0 and DELETE in shown
    assert desk.rows("FROM orders ORDER BY id") == before


def test_the_agent_works_and_a_person_decides(desk):
    """Told to archive, approved twice, interrupted: the agent adapts to each."""
    orders = desk.count()
    terminal = desk.start(columns=160)
    shown = play(
        terminal,
        *[(MENU, "r"), ("what instead? ", "archive them first\r")],
        *[*APPROVE, *APPROVE],
        *[(MENU, "\x03")],
    )
    assert terminal.exitstatus == 0
    assert "An archive first, then." in shown and "The test orders are gone." in shown
    assert "so I leave the duplicates alone" in shown
    assert "Drew 24 rows" in shown
    (archived,) = desk.rows("SELECT count(*) FROM archived_test_orders")
    assert desk.count() == orders - archived[0] and desk.count("note = 'TEST'") == 0
    assert (desk.folder / "reports" / "revenue.png").exists()


ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"


def is_working(terminal):
    """Whether the program has used the processor for a while after it was started."""
    fields = Path(f"/proc/{terminal.pid}/stat").read_text().rpartition(") ")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK") > 3


@pytest.mark.parametrize(
    "sql", [ENDLESS, f"DELETE FROM orders WHERE id < ({ENDLESS})"], ids=["read", "rehearsal"]
)
def test_ctrl_c_stops_a_long_statement(desk, sql):
    """A statement that would never end is stopped by the keyboard: 130, one sentence, no change."""
    before = desk.files()
    terminal = desk.start("sql", sql)
    at_first = modes(terminal)
    eventually(lambda: is_working(terminal), seconds=30)
    terminal.send("\x03")
    terminal.expect(pexpect.EOF)
    shown = terminal.before
    assert modes(terminal) == at_first
    terminal.close()
    assert terminal.exitstatus == 130
    assert "stopped by Ctrl-C; nothing changed." in shown and "Traceback" not in shown
    assert desk.files() == before


def test_ctrl_c_while_a_shop_is_made_leaves_nothing(desk):
    """No half-made database, no part of one, and the terminal as it was."""
    terminal = desk.start("init", "new.duckdb", "--rows", "900000000")
    at_first = modes(terminal)
    eventually(lambda: list(desk.folder.glob(".new*.part")), seconds=30)
    time.sleep(0.5)
    terminal.send("\x03")
    terminal.expect(pexpect.EOF)
    assert modes(terminal) == at_first
    terminal.close()
    assert terminal.exitstatus == 130
    assert [file for file in desk.folder.iterdir() if "new" in file.name] == []


def test_the_bar_moves_while_a_shop_is_made(desk):
    """At two million orders the person has seen more than a start and an end."""
    terminal = desk.start("init", "new.duckdb", "--rows", "2000000")
    shown = play(terminal)
    assert terminal.exitstatus == 0
    seen = {int(number) for number in re.findall(r"(\d+)/2000000", shown)}
    assert len(seen) > 2 and max(seen) == 2_000_000


def test_a_conversation_at_the_terminal(desk):
    """Ctrl-C drops a question, the next deletes after a yes, and Ctrl-D leaves; words come once."""
    slow = threading.Event()

    def thinks(_):
        slow.wait(30)
        return text("too late")

    tests = desk.count("note = 'TEST'")
    deletes = {"text": "I delete them.", **calls(("query", {"sql": DELETE}))}
    turns = [thinks, deletes, text("They are gone.")]
    with ModelServer(*turns) as server:
        words = ("--agent", "openai:gpt-5")
        keys = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test"}
        terminal = desk.start(*words, **keys)
        terminal.expect_exact("question> ")
        terminal.send("Think about it\r")
        eventually(lambda: server.requests, seconds=30)
        terminal.send("\x03")
        terminal.expect_exact("dropped")
        slow.set()
        shown = play(
            terminal,
            ("question> ", "Delete the test orders\r"),
            *APPROVE,
            ("They are gone.", ""),
            ("question> ", "\x04"),
        )
    assert terminal.exitstatus == 0
    assert shown.index("I delete them.") < shown.index("query(") < shown.index("They are gone.")
    assert shown.count("They are gone.") == 1
    assert (desk.count("note = 'TEST'"), desk.count()) == (0, 300 - tests)
    assert server.results[-1].startswith("Done.")


COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def test_colours_are_for_terminals(desk):
    """The story is coloured at a terminal, but not in a file, nor where NO_COLOR is set."""
    words = ("--approver", "scripted")
    terminal = desk.start(*words)
    terminal.expect(pexpect.EOF)
    assert COLOUR.search(terminal.before)
    plain = desk.start(*words, NO_COLOR="1")
    plain.expect(pexpect.EOF)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", plain.before)
    command = [sys.executable, "-m", "apps.analysis", "--database", str(desk.shop), *words]
    piped = subprocess.run(command, cwd=desk.folder, env=desk.environment, capture_output=True)
    assert piped.returncode == 0 and b"\x1b" not in piped.stdout + piped.stderr


def test_a_terminal_that_goes_away_changes_nothing(desk):
    """The window is closed at the question: the program ends, the rows stay, and the file opens."""
    before = desk.files()
    terminal = desk.start("sql", DELETE)
    terminal.expect_exact(MENU)
    pid = terminal.pid
    terminal.close(force=False)
    eventually(lambda: not Path(f"/proc/{pid}").exists() or terminal.terminate(force=True))
    assert desk.files() == before


def test_the_demo_can_be_followed_by_hand(tmp_path):
    """Its three commands work as printed: the record, one statement of yours, and its undo."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    python = ".venv/bin/python"
    done = subprocess.run(
        [python, "-m", "apps.analysis", "demo"],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("a person is asked") == done.stdout.count(" decision ") == 6
    for word in ("ana approves", "ana rejects", "ana edits", "audit trail is verified"):
        assert word in done.stdout
    commands = [line.strip() for line in done.stdout.partition("by hand:\n")[2].splitlines()]
    assert len(commands) == 3
    (shop,) = tmp_path.glob(".demo/*/shop.duckdb")
    told = []
    for command in commands:
        terminal = pexpect.spawn(
            "sh",
            ["-c", command],
            cwd=tmp_path,
            env=environment,
            encoding="utf-8",
            dimensions=(60, 100),
            timeout=30,
        )
        told.append(play(terminal, *(APPROVE if "apps.analysis" in command else [])))
        assert terminal.exitstatus == 0, told
    assert shlex.split(commands[0])[-1] == "history" and "query" in told[0]
    assert "deleted" in told[1] and "Took back" in told[2]
    with duckdb.connect(str(shop), read_only=True) as con:
        assert con.execute("SELECT count(*) > 0 FROM refunds WHERE reason = 'late'").fetchone()[0]


def test_a_signal_to_end_changes_nothing(desk):
    """Told to end by the system while it asks, the program has run nothing."""
    before = desk.files()
    terminal = desk.start("sql", DELETE)
    terminal.expect_exact(MENU)
    os.kill(terminal.pid, signal.SIGTERM)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert desk.files() == before
