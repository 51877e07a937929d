"""What a person can do from the command line, tried with real processes on a real file."""

import csv
import io
import json
import os
import pwd
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pexpect
import pytest

from core.audit import read_checkpoint
from core.canonical import encode
from core.model import (
    ApprovalRequest,
    Approve,
    Outcome,
    Panel,
    Parameter,
    Preview,
    Quote,
    Risk,
    State,
    StoreError,
)
from core.stores.memory import MemoryStore
from core.stores.open import open_store
from core.stores.sqlite import SqliteStore
from core.stores.sqlite_file import library

ROOT = Path(__file__).parent.parent
ACCOUNT = pwd.getpwuid(os.getuid()).pw_name
HERE = f"command line (uid {os.getuid()}, {ACCOUNT})"
HOSTILE = "pay\u202e\x1b[31m\u200b now\nid  [bold]x"
AGENT = """
import asyncio, sys
from core import Panel, Reject, Rejected, SqliteStore, gate

path, votes, effects = sys.argv[1:]

async def nobody(request):
    await asyncio.Event().wait()

def limit(request):
    if request.arguments["amount"] >= 1000:
        return Reject(by="limit", reason="1000 is too much")

@gate(approver=nobody, store=SqliteStore(path), panel=Panel(votes=int(votes)), policies=[limit])
def refund(charge: str, amount: int, tags: list[str], note: str | None = None) -> str:
    with open(effects, "a") as log:
        log.write(repr((charge, amount, tags, note)) + "\\n")
    return "done"

try:
    print(refund("ch_1", 500, ["late"]))
except Rejected as no:
    print(no)
"""


def core(*words, store=None, stdin=subprocess.DEVNULL, **environ):
    """Run one command and return what came of it; nobody sits at a terminal."""
    where = ["--store", str(store)] if store else []
    env = {k: v for k, v in os.environ.items() if k != "GATE_STORE"} | environ
    command = [sys.executable, "-m", "core", *where, *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=env, stdin=stdin, capture_output=True, text=True)


def answer(*words, store):
    """Run one command as a program would and return what it answers."""
    done = core(*words, "--json", store=store)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def one_sentence(done, code):
    """Whether a command failed with that code and said why in one line, without a traceback."""
    return done.returncode == code and done.stderr.count("\n") == 1 and not done.stdout


@pytest.fixture
def path(tmp_path):
    """Where a store may be."""
    return tmp_path / "approvals.db"


@pytest.fixture
def store(path):
    """An empty store in a file."""
    with SqliteStore(path) as opened:
        yield opened


@pytest.fixture
def waiting(store):
    """Put a request into the store, as a gate would, and return it."""

    def ask(**fields):
        arguments = fields.pop("arguments", {"charge": "ch_1", "amount": 500})
        given = {
            "action": "shop.refund",
            "arguments": arguments,
            "frozen": encode(arguments),
            "digest": os.urandom(32).hex(),
            "parameters": tuple(Parameter(name=name) for name in arguments),
        }
        return store.submit(ApprovalRequest(**given | fields)).request

    return ask


@pytest.fixture
def agent(path, tmp_path):
    """Start a process whose gated call waits, and wait until it does."""
    started = []

    def start(votes=1):
        log = tmp_path / "effects.txt"
        script = [sys.executable, "-c", AGENT, str(path), str(votes), str(log)]
        process = subprocess.Popen(script, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        with SqliteStore(path) as look:
            end = time.monotonic() + 20
            while not (page := look.pending()):
                assert time.monotonic() < end
                time.sleep(0.01)
        return process, page[0].request, log

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_an_approval_from_the_command_line_lets_the_waiting_call_run_as_shown(agent, path):
    """The call waits in one process, the vote comes from another, and it runs once."""
    process, request, log = agent()
    digest = answer("show", request.id[:6], store=path)["digest"]
    after = answer("approve", request.id[:6], "--digest", digest[:6], "--by", "ana", store=path)
    assert after["state"] == "approved"
    assert after["votes"][0]["by"] == "ana"
    assert after["votes"][0]["window"] == HERE
    assert process.communicate(timeout=20)[0] == "done\n"
    assert log.read_text() == "('ch_1', 500, ['late'], None)\n"


def test_a_rejection_from_the_command_line_reaches_the_agent(agent, path):
    """The reason goes to the agent, and nothing runs."""
    process, request, log = agent()
    done = core("reject", request.id, "--reason", "ship it again", "--by", "ana", store=path)
    assert done.returncode == 0
    assert "rejected by ana: ship it again" in process.communicate(timeout=20)[0]
    assert not log.exists()


@pytest.mark.slow
def test_an_edit_from_the_command_line_runs_with_the_edited_arguments(agent, path):
    """Text stays text, numbers and lists are read, and the others stay as they were."""
    process, request, log = agent()
    words = ["--set", "amount=250", "--set", "charge=007", "--set", 'tags=["a", "b"]']
    done = core("edit", request.id, *words, "--by", "ana", "--yes", store=path)
    assert done.returncode == 0, done.stderr
    assert "amount: 500 -> 250" in done.stdout
    assert process.communicate(timeout=20)[0].startswith("done\n")
    assert log.read_text() == "('007', 250, ['a', 'b'], None)\n"
    assert core("show", request.id, store=path).stdout.count("amount: 500 -> 250") == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "why"), [("amount=many", "integer"), ("amount=2000", "1000 is too much")]
)
def test_an_edit_that_the_gate_refuses_is_told_to_the_person(agent, path, setting, why):
    """Neither the function's annotations nor a rejecting policy can be edited past."""
    process, request, log = agent()
    done = core("edit", request.id, "--set", setting, "--by", "ana", "--yes", store=path)
    assert one_sentence(done, 1)
    assert why in done.stderr
    assert answer("show", request.id, store=path)["state"] == "pending"
    assert process.poll() is None
    assert not log.exists()


@pytest.mark.slow
def test_an_edit_counts_as_one_vote_of_two(agent, path):
    """Whoever edits has approved what they made of it; the second person still has to."""
    process, request, log = agent(votes=2)
    edited = answer("edit", request.id, "--set", "amount=9", "--by", "ana", "--yes", store=path)
    assert edited["state"] == "pending"
    assert [vote["by"] for vote in edited["votes"]] == ["ana"]
    assert core("approve", request.id, "--by", "Ana", "--yes", store=path).returncode == 0
    assert not log.exists()
    assert core("approve", request.id, "--by", "ben", "--yes", store=path).returncode == 0
    process.communicate(timeout=20)
    assert log.read_text() == "('ch_1', 9, ['late'], None)\n"


def test_an_edit_that_nobody_checks_is_left_and_said_so(waiting, store, path):
    """Without the process that asked nobody knows whether the edit fits."""
    request = waiting()
    done = core("edit", request.id, "--set", "amount=1", "--yes", "--wait", "0", store=path)
    assert done.returncode == 4
    assert "nobody has checked it" in done.stdout
    assert store.get(request.id).proposal.arguments == {"amount": 1}


@pytest.mark.parametrize(
    "setting", ["amount", "total=1", "key=x", "amount:=nope", "amount:=NaN"], ids=repr
)
def test_a_setting_that_cannot_be_meant_leaves_no_proposal(waiting, store, path, setting):
    """A wrong name, a hidden parameter or broken JSON never gets as far as the store."""
    arguments = {"amount": 5, "key": "hidden"}
    parameters = (Parameter(name="amount"), Parameter(name="key", secret=True))
    request = waiting(arguments=arguments, parameters=parameters)
    done = core("edit", request.id, "--set", setting, "--yes", "--wait", "0", store=path)
    assert one_sentence(done, 2)
    assert store.get(request.id).proposal is None


def test_without_a_terminal_nobody_approves_what_nobody_has_seen(waiting, store, path):
    """A script has to say what was seen, or that it does not care."""
    request = waiting()
    assert one_sentence(core("approve", request.id, "--by", "ana", store=path), 2)
    done = core("edit", request.id, "--set", "amount=1", "--by", "ana", store=path)
    assert one_sentence(done, 2)
    assert store.get(request.id).votes == ()


@pytest.mark.slow
def test_a_critical_request_takes_the_digits_that_were_shown(waiting, store, path):
    """`--yes` is not enough, five digits are not enough, and the error tells where they stand."""
    request = waiting(risk=Risk.CRITICAL)
    refused = core("approve", request.id, "--by", "ana", "--yes", store=path)
    assert one_sentence(refused, 2)
    assert f"show {request.id[:8]}" in refused.stderr
    short = core("approve", request.id, "--by", "ana", "--digest", request.digest[:5], store=path)
    assert one_sentence(short, 2)
    assert store.get(request.id).votes == ()
    answer("approve", request.id, "--by", "ana", "--digest", request.digest[:6], store=path)
    assert store.get(request.id).state is State.APPROVED


@pytest.mark.parametrize("command", ["approve", "reject --reason no", "edit --set amount=1"])
def test_an_answer_to_something_else_changes_nothing(waiting, store, path, command):
    """The digits of another version do not decide this one."""
    request = waiting()
    other = "000000" if not request.digest.startswith("000000") else "111111"
    verb, *words = command.split()
    done = core(verb, request.id, *words, "--digest", other, "--by", "ana", store=path)
    assert one_sentence(done, 1)
    assert store.get(request.id).state is State.PENDING
    assert store.get(request.id).proposal is None


@pytest.mark.slow
def test_a_late_vote_is_told_the_true_state(waiting, store, path):
    """The one who comes second learns who came first; sending one's own vote twice is harmless."""
    request = waiting()
    assert core("reject", request.id, "--reason", "no", "--by", "ben", store=path).returncode == 0
    late = core("approve", request.id, "--yes", "--by", "ana", store=path)
    assert one_sentence(late, 1)
    assert "rejected by ben" in late.stderr
    again = core("reject", request.id, "--reason", "no", "--by", "ben", store=path)
    assert again.returncode == 0
    assert len(store.get(request.id).votes) == 1


def test_whoever_asked_does_not_decide(waiting, store, path):
    """Neither the agent nor the person it works for, however their name is written."""
    request = waiting(requester="bot", acting_for="Ana")
    for name in ("bot", "ANA "):
        assert one_sentence(core("approve", request.id, "--yes", "--by", name, store=path), 1)
    assert store.get(request.id).state is State.PENDING


def test_the_kernel_knows_who_votes_unless_told(waiting, store, path):
    """Without --by the vote carries the name of the account, whatever a variable says."""
    request = waiting()
    core("approve", request.id, "--yes", store=path, LOGNAME="carla", USER="carla")
    assert [vote.by for vote in store.get(request.id).votes] == [ACCOUNT]


def test_a_vote_under_another_name_shows_the_account_it_came_from(waiting, store, path):
    """Whoever says that they are Ana is on record with their own account, and anybody sees it."""
    yes, no = waiting(), waiting()
    core("approve", yes.id, "--yes", "--by", "ana", store=path)
    core("reject", no.id, "--reason", "no", "--by", "ana", store=path)
    for request in (yes, no):
        (vote,) = store.get(request.id).votes
        assert (vote.by, vote.window) == ("ana", HERE)
        (told,) = [r for r in answer("show", request.id, store=path)["story"] if r["by"] == "ana"]
        assert told["details"]["window"] == HERE
        assert core("show", request.id, store=path).stdout.count(HERE) == 2


@pytest.mark.slow
def test_an_edit_under_another_name_shows_the_account_it_came_from(agent, path):
    """The trail has the account beside the proposal, and the vote does not claim to be local."""
    process, request, _ = agent()
    after = answer("edit", request.id, "--set", "amount=9", "--by", "ana", "--yes", store=path)
    assert [vote["window"] for vote in after["votes"]] == ["another window"]
    story = answer("show", request.id, store=path)["story"]
    (proposed,) = [record for record in story if record["event"] == "edit proposed"]
    assert (proposed["by"], proposed["details"]["window"]) == ("ana", HERE)
    process.communicate(timeout=20)


def test_a_resolution_under_another_name_shows_the_account_it_came_from(waiting, store, path):
    """What became of a call is a person's word too."""
    request = waiting()
    store.vote(request.id, Approve(by="ana"), digest=request.digest)
    store.claim(request.id, digest=request.digest, panel=request.panel)
    store.finish(request.id, Outcome(), State.OUTCOME_UNKNOWN)
    words = ("resolve", request.id, "--happened", "--note", "on the statement", "--by", "ana")
    answer(*words, store=path)
    told = answer("show", request.id, store=path)["story"][-1]
    assert (told["by"], told["details"]["note"]) == ("ana", f"on the statement [{HERE}]")


@pytest.mark.parametrize("command", ["reject", "resolve --happened", "stop"])
def test_a_no_without_a_reason_is_no_answer(waiting, store, path, command):
    """The agent and the record need words; blanks are none."""
    request = waiting()
    verb, *words = command.split()
    name = {"reject": "--reason", "resolve": "--note", "stop": "--because"}[verb]
    ids = [] if verb == "stop" else [request.id]
    assert one_sentence(core(verb, *ids, *words, store=path), 2)
    assert one_sentence(core(verb, *ids, *words, name, "  ", store=path), 2)
    assert store.get(request.id).state is State.PENDING
    assert store.stopped() == ""


@pytest.mark.parametrize(
    ("flag", "state"),
    [("--happened", State.RESOLVED_HAPPENED), ("--did-not-happen", State.RESOLVED_NOT_HAPPENED)],
)
def test_a_person_says_what_became_of_an_unknown_outcome(waiting, store, path, flag, state):
    """Only then; a request that waits has nothing to resolve."""
    request = waiting()
    words = ("resolve", request.id, flag, "--note", "looked at the bank", "--by", "ana")
    assert one_sentence(core(*words, store=path), 1)
    store.vote(request.id, Approve(by="ana"), digest=request.digest)
    store.claim(request.id, digest=request.digest, panel=request.panel)
    store.finish(request.id, Outcome(message="lost"), State.OUTCOME_UNKNOWN)
    assert answer(*words, store=path)["state"] == state.value
    assert store.get(request.id).state is state


def test_the_command_line_notices_that_the_running_process_is_gone(waiting, path):
    """A call whose process was killed can be resolved with nobody else around to notice."""
    request = waiting()
    script = (
        "import sys; from core import *; s = SqliteStore(sys.argv[1]);"
        "r = s.vote(sys.argv[2], Approve(by='ana'), digest=sys.argv[3]).request;"
        "s.claim(r.id, digest=r.digest, panel=r.panel)"
    )
    words = [sys.executable, "-c", script, str(path), request.id, request.digest]
    subprocess.run(words, cwd=ROOT, check=True)
    words = ("resolve", request.id, "--did-not-happen", "--note", "no trace", "--by", "ana")
    assert answer(*words, store=path)["state"] == "RESOLVED_NOT_HAPPENED"


@pytest.mark.slow
def test_a_page_of_what_waits_is_in_order_and_goes_on(waiting, path):
    """Oldest first; following `next` meets every request once."""
    asked = [waiting(arguments={"n": n}).id for n in range(5)]
    seen, after = [], []
    while True:
        page = answer("pending", "--limit", 2, *after, store=path)
        seen += [request["id"] for request in page["requests"]]
        if not page["next"]:
            break
        after = ["--after", page["next"]]
    assert seen == asked


def test_what_has_expired_does_not_wait(waiting, store, path):
    """Nobody is invited to decide what can no longer be decided."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    request = waiting(expires_at=past)
    assert answer("pending", store=path)["requests"] == []
    assert answer("show", request.id, store=path)["state"] == "EXPIRED"
    assert one_sentence(core("approve", request.id, "--yes", "--by", "ana", store=path), 1)


def test_a_table_in_a_pipe_keeps_every_value_whole(waiting, path):
    """Columns line up, ids are whole, and no width of a window cuts anything."""
    long, wide = waiting(environment="e" * 300), waiting(environment="日本")
    head, *rows = core("pending", store=path, COLUMNS="40").stdout.splitlines()
    assert [row.split()[0] for row in rows] == [long.id, wide.id]
    assert "e" * 300 in rows[0]
    assert rows[0].index("HIGH") == rows[1].index("HIGH") == head.index("RISK")
    assert "\x1b" not in "".join(rows)


def test_a_call_too_long_for_one_line_says_so_and_is_shown_whole(waiting, path):
    """The list may shorten, in words; `show` never does."""
    text = "".join(f"line {n}\n" for n in range(20_000))
    request = waiting(arguments={"text": text})
    assert re.search(r"… \+[\d,]+ characters", core("pending", store=path).stdout)
    shown = core("show", request.id, store=path).stdout
    assert all(f"  | line {n}\n" in shown for n in (0, 9_999, 19_999))


def test_everything_about_a_request_is_shown(waiting, store, path):
    """Who, for whom, what, from which bytes, with which preview, and what happened so far."""
    preview = Preview(
        summary="pays 5.00",
        facts=(("balance", "12.00"),),
        warnings=("not undone",),
        diff="-old\n+new",
        quotes=(Quote(who="customer", text="please hurry"),),
    )
    request = waiting(preview=preview, acting_for="dora", panel=Panel(votes=2), run="ticket-7")
    store.vote(request.id, Approve(by="ana", note="fine"), digest=request.digest, window="test")
    shown = core("show", request.id[:5], store=path).stdout
    words = [request.id, request.digest, "shop.refund", "dora", "ticket-7", "pays 5.00", "12.00"]
    words += ["not undone", "-old", "+new", "please hurry", "1 of 2", "fine", "submitted", "voted"]
    assert [word for word in words if word not in shown] == []
    assert 'charge (str)  "ch_1"' in shown
    assert "amount (int)  500" in shown


@pytest.mark.parametrize("command", ["pending", "show", "history"])
def test_nothing_invisible_reaches_the_screen(waiting, store, path, command):
    """Control, bidirectional and zero-width characters are written out, wherever they come from."""
    preview = Preview(
        summary=HOSTILE,
        facts=((HOSTILE, HOSTILE),),
        warnings=(HOSTILE,),
        diff=HOSTILE,
        quotes=(Quote(who=HOSTILE, text=HOSTILE),),
    )
    names = {"requester": HOSTILE, "environment": HOSTILE, "action": f"shop.{HOSTILE}"}
    names |= {"panel": Panel(votes=2)}
    request = waiting(arguments={"text": HOSTILE}, preview=preview, **names)
    store.vote(request.id, Approve(by="ana", note=HOSTILE), digest=request.digest, window=HOSTILE)
    done = core(command, *([request.id] if command == "show" else []), store=path)
    assert done.returncode == 0
    assert not set("\u202e\x1b\u200b") & set(done.stdout)
    assert "⟨U+202E⟩" in done.stdout
    assert "⟨U+27E8⟩" not in done.stdout
    assert not re.search(r"^id  \[bold\]x", done.stdout, re.MULTILINE)


def test_blanks_at_the_end_of_a_value_are_seen(waiting, path):
    """Two values that differ in their last blank never look the same."""
    request = waiting(arguments={"sql": "select 1  \nfrom t"}, environment="prod ")
    shown = core("show", request.id, store=path).stdout
    assert "| select 1⟨U+0020⟩⟨U+0020⟩\n" in shown
    assert "prod⟨U+0020⟩" in shown


@pytest.mark.parametrize("wanted", ["f" * 32, "zz", "not-an-id", "%"])
def test_an_unknown_id_is_not_found(waiting, path, wanted):
    """Whatever is typed, it is a sentence and the code for what is not there."""
    waiting()
    assert one_sentence(core("show", wanted, store=path), 3)


def test_first_digits_that_two_ids_share_name_neither(waiting, store, path):
    """Nobody decides about one of several by chance."""
    waiting(id="ab" + "0" * 30), waiting(id="ab" + "1" * 30)
    assert one_sentence(core("reject", "ab", "--reason", "no", "--by", "ana", store=path), 3)
    assert len(store.pending()) == 2
    assert answer("show", "ab0", store=path)["id"] == "ab" + "0" * 30


@pytest.mark.slow
def test_the_past_is_found_by_state_action_person_and_time(waiting, store, path):
    """Each condition leaves only what fits it; `search` is another word for `history`."""
    now = datetime.now(UTC)
    old = waiting(asked_at=now - timedelta(days=3), requester="bot")
    new = waiting(action="shop.ship", requester="cron")
    store.vote(old.id, Approve(by="ana"), digest=old.digest)

    def ids(*words):
        return [request["id"] for request in answer("search", *words, store=path)["requests"]]

    assert ids() == [new.id, old.id]
    assert ids("--state", "approved") == ids("--person", "ana") == ids("--until", "2d") == [old.id]
    assert ids("--action", "ship") == ids("--person", "cron") == ids("--since", "2d") == [new.id]
    assert ids("--since", (now - timedelta(hours=1)).isoformat()) == [new.id]
    assert ids("--limit", "1") == [new.id]


@pytest.mark.parametrize(
    "words",
    [
        "history --since yesterday",
        "history --since 999999d",
        "history --state done",
        "pending --limit 0",
        "pending --limit many",
        "approve",
        "frobnicate",
        "",
        "edit abc",
        "export --format xml",
        "verify --checkpoint /nowhere/at/all",
    ],
)
def test_a_command_that_cannot_be_meant_is_a_sentence(store, path, words):
    """Bad usage is told in one line on standard error, with a code of its own."""
    assert one_sentence(core(*words.split(), store=path), 2)


def test_text_that_is_no_text_is_refused(waiting, store, path):
    """Bytes that are not UTF-8 on the command line neither crash nor reach the store."""
    request = waiting()
    words = [sys.executable, "-m", "core", "--store", str(path), "reject", request.id]
    broken = [*(word.encode() for word in words), b"--reason", b"\xff\xfe"]
    done = subprocess.run(broken, cwd=ROOT, capture_output=True, text=True)
    assert one_sentence(done, 2)
    assert store.get(request.id).state is State.PENDING


@pytest.mark.parametrize("command", ["pending", "verify", "stop --because x", "export", "history"])
def test_a_mistyped_path_makes_no_file(tmp_path, command):
    """A command about a store that is not there is an error, and leaves the folder as it was."""
    (tmp_path / "empty.db").touch()
    for name in ("nowhere.db", "empty.db"):
        assert one_sentence(core(*command.split(), store=f"sqlite:///{tmp_path}/{name}"), 2)
    assert [(file.name, file.stat().st_size) for file in tmp_path.iterdir()] == [("empty.db", 0)]


@pytest.mark.slow
def test_the_environment_may_name_the_store_and_the_flag_wins(waiting, path, tmp_path):
    """GATE_STORE stands in for a missing --store, which may come before or after the command."""
    request = waiting()
    page = core("pending", "--json", GATE_STORE=str(path))
    assert json.loads(page.stdout)["requests"][0]["id"] == request.id
    after = core("show", request.id, "--store", path, "--json", GATE_STORE="/nowhere/at/all")
    assert json.loads(after.stdout)["id"] == request.id
    assert one_sentence(core("pending"), 2)


@pytest.mark.parametrize("before", ["sqlite:///", "sqlite:", "", "SQLITE:"])
def test_a_store_in_a_file_has_three_spellings(tmp_path, monkeypatch, before):
    """All of them name the same file, absolute or relative."""
    monkeypatch.chdir(tmp_path)
    for name in ("here.db", f"{tmp_path}/there.db"):
        open_store(f"{before}{name}").close()
        assert Path(name).stat().st_size > 0
        open_store(f"{before}{name}", create=False).close()


def test_a_store_in_memory_has_a_name_too(tmp_path, monkeypatch):
    """No file is made; and a command, which is another process, could never see it."""
    monkeypatch.chdir(tmp_path)
    for url in ("memory:", "memory://", ":memory:", "sqlite:///:memory:"):
        assert isinstance(open_store(url), MemoryStore)
        with pytest.raises(StoreError):
            open_store(url, create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ana:s3cret@db/x",
        "postgres://ana:s3cret@db/x",
        "postgresql+psycopg://ana:s3cret@db",
        "mysql://ana:s3cret@db/x",
        "sqlite://ana:s3cret@host/x",
        "",
        "sqlite:",
        "sqlite:///",
        "/",
        "a\0b",
    ],
    ids=repr,
)
def test_a_name_of_no_store_is_a_sentence_without_the_password(url):
    """What cannot be opened is told in one line, and a URL is never repeated."""
    with pytest.raises(StoreError) as refused:
        open_store(url)
    assert "\n" not in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "contents", [b"hello, this is no database at all" * 40, b"SQLite format 3\0"]
)
def test_a_file_that_is_no_store_stays_as_it_is(tmp_path, contents):
    """Somebody's file is not taken for a store, whatever the command."""
    file = tmp_path / "letter.txt"
    file.write_bytes(contents)
    assert one_sentence(core("stop", "--because", "x", store=file), 2)
    assert file.read_bytes() == contents


@pytest.mark.slow
def test_stopping_withdraws_what_waits_and_refuses_until_resumed(agent, store, path):
    """The stop button reaches a call in another process, and `pending` says that it is pressed."""
    process, _, log = agent()
    stopped = answer("stop", "--because", "it runs in circles", "--by", "ana", store=path)
    assert stopped == {
        "stopped": True,
        "withdrawn": 1,
        "by": "ana",
        "because": "it runs in circles",
    }
    assert "it runs in circles" in process.communicate(timeout=20)[0]
    assert not log.exists()
    assert "it runs in circles" in core("pending", store=path).stdout
    assert core("resume", "--by", "ana", store=path).returncode == 0
    assert store.stopped() == ""
    assert one_sentence(core("resume", store=path), 1)


def test_a_whole_trail_verifies_up_to_its_checkpoint(waiting, path, tmp_path):
    """The three lines that `checkpoint` writes are those that `verify` takes back."""
    waiting()
    kept = tmp_path / "kept.txt"
    kept.write_text(core("checkpoint", store=path).stdout)
    assert read_checkpoint(kept.read_text()).count == 1
    waiting()
    result = answer("verify", "--checkpoint", kept, store=path)
    assert (result["ok"], result["count"], result["proven"]) == (True, 2, 1)


def tamper(path, statement, *values):
    """Change a store behind its back."""
    connection = library().connect(str(path))
    connection.execute(statement, values)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET body = replace(body, 'submitted', 'approved') WHERE seq = 2",
        "UPDATE audit SET by = 'somebody' WHERE seq = 2",
        "UPDATE audit SET at = 9000000000000000000 WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 3",
        "UPDATE requests SET progress = replace(progress, '[]', '[[]]')",
    ],
)
def test_a_changed_store_fails_to_verify(store, waiting, path, tmp_path, statement):
    """Change, removal, truncation and a row that the trail does not explain are code 1."""
    for _ in range(3):
        waiting()
    kept = tmp_path / "kept.txt"
    kept.write_text(core("checkpoint", store=path).stdout)
    tamper(path, "PRAGMA ignore_check_constraints = ON")
    for name in [r[0] for r in triggers(path)]:
        tamper(path, f"DROP TRIGGER {name}")
    tamper(path, statement)
    done = core("verify", "--checkpoint", kept, "--json", store=path)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["ok"] is False


def triggers(path):
    """The triggers that a tamperer would take out of the way first."""
    connection = library().connect(str(path))
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    connection.close()
    return found


def test_a_broken_trail_gets_no_checkpoint(waiting, path):
    """A mark on something that does not hold would prove it later."""
    waiting()
    for name in [r[0] for r in triggers(path)]:
        tamper(path, f"DROP TRIGGER {name}")
    tamper(path, "UPDATE audit SET by = 'somebody'")
    assert one_sentence(core("checkpoint", store=path), 1)


def test_the_trail_is_exported_whole_to_a_private_new_file(waiting, store, path, tmp_path):
    """JSON Lines or CSV, to the screen or a file; a file that is there is never overwritten."""
    waiting(), waiting()
    lines = core("export", store=path).stdout.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2]
    file = tmp_path / "trail.csv"
    words = ("export", "--format", "csv", "--output", file)
    assert answer(*words, store=path)["records"] == 2
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert [row["hash"] for row in rows] == [record.hash for record in store.trail()]
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    assert one_sentence(core(*words, store=path), 2)
    assert file.read_bytes() == before


def test_a_reader_that_goes_away_is_no_disaster(waiting, path):
    """`| head` ends the command without a word."""
    waiting(arguments={"text": "x\n" * 200_000})
    command = f"{sys.executable} -m core --store {path} pending --json | head -c 10"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == ""


@pytest.mark.slow
def test_help_teaches_with_examples_and_exit_codes():
    """Whoever asks for help sees what to type, and what the codes mean."""
    text = core("--help").stdout
    assert "examples:" in text and "exit codes:" in text and "GATE_STORE" in text
    for command in ("approve", "edit", "reject", "verify", "stop", "history"):
        assert f"core {command}" in core(command, "--help").stdout


@pytest.fixture
def terminal(path):
    """Run a command with a person at a terminal."""

    def start(*words, **environ):
        env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"} | environ
        arguments = ["-m", "core", "--store", str(path), *words]
        return pexpect.spawn(
            sys.executable, arguments, cwd=str(ROOT), env=env, encoding="utf-8", timeout=20
        )

    return start


@pytest.mark.parametrize(("typed", "state"), [("yes", State.APPROVED), ("", State.PENDING)])
def test_at_a_terminal_a_person_sees_the_request_and_says_yes(
    terminal, waiting, store, typed, state
):
    """It is shown first; Enter decides nothing."""
    request = waiting(arguments={"text": HOSTILE})
    screen = terminal("approve", request.id[:8], "--by", "ana")
    screen.expect("Type yes")
    assert "⟨U+202E⟩" in screen.before and "\u202e" not in screen.before
    screen.sendline(typed)
    screen.expect(pexpect.EOF)
    screen.close()
    assert screen.exitstatus == (0 if typed else 1)
    assert store.get(request.id).state is state


def test_ctrl_c_at_the_question_decides_nothing(terminal, waiting, store):
    """Interrupting is no answer, and no traceback."""
    request = waiting()
    screen = terminal("approve", request.id, "--by", "ana")
    screen.expect("Type yes")
    screen.sendintr()
    screen.expect(pexpect.EOF)
    screen.close()
    assert screen.exitstatus == 130
    assert "Traceback" not in screen.before
    assert store.get(request.id).state is State.PENDING


def test_an_edit_at_a_terminal_shows_what_it_edits(terminal, waiting, store):
    """The person sees the edit next to the request before it is proposed."""
    request = waiting()
    screen = terminal("edit", request.id, "--set", "amount=7", "--by", "ana", "--wait", "0")
    screen.expect("your edit")
    screen.expect("Type yes")
    screen.sendline("yes")
    screen.expect(pexpect.EOF)
    assert store.get(request.id).proposal.arguments == {"amount": 7}


def test_colour_is_for_terminals_that_want_it(terminal, waiting):
    """NO_COLOR leaves the table and takes the colour."""
    waiting()
    plenty = terminal("pending").read()
    none = terminal("pending", NO_COLOR="1").read()
    assert "\x1b[1;31mHIGH" in plenty
    assert "HIGH" in none and "31m" not in none


@pytest.mark.slow
def test_the_list_is_what_can_be_copied(tmp_path):
    """Every name in the list copies, and needs no store; a second time there is nothing to do."""
    patterns = json.loads(core("list", "--json").stdout)["patterns"]
    assert len(patterns) > 1
    table = core("list").stdout
    assert [pattern["name"] for pattern in patterns if pattern["name"] not in table] == []
    assert core("list", "--markdown").stdout.startswith("| ")
    name = patterns[-1]["name"]
    done = core("copy", name, "--to", tmp_path)
    assert done.returncode == 0
    assert all(Path(file).is_relative_to(tmp_path) for file in done.stdout.splitlines())
    again = json.loads(core("copy", name, "--to", tmp_path, "--json").stdout)
    assert again == {"pattern": name, "written": []}


@pytest.mark.slow
def test_copying_refuses_what_it_would_spoil(tmp_path):
    """An edited file stays, an unknown pattern and a folder that is a file are sentences."""
    assert core("copy", "model", "--to", tmp_path).returncode == 0
    (tmp_path / "model.py").write_text("mine")
    assert one_sentence(core("copy", "model", "--to", tmp_path), 2)
    assert (tmp_path / "model.py").read_text() == "mine"
    assert one_sentence(core("copy", "modle", "--to", tmp_path), 3)
    assert one_sentence(core("copy", "model", "--to", tmp_path / "model.py" / "below"), 2)
