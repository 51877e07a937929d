"""The terminal approver, in this process, on a pseudo-terminal of its own."""

import asyncio
import codecs
import os
import pwd
import re
import select
import termios
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import MemoryStore, gate
from core.approvers import terminal as terminal_module
from core.approvers.any_of import AnyOf
from core.approvers.asking import Line
from core.approvers.changes import editable, literal
from core.approvers.drawing import draw
from core.approvers.teletype import Key
from core.approvers.terminal import Terminal
from core.audit import details
from core.canonical import Secret, digest, encode
from core.display import MAX_SHOWN, safe
from core.model import (
    ApprovalRequest,
    Approve,
    BoundFile,
    Edit,
    Panel,
    Parameter,
    Preview,
    Quote,
    Reject,
    Rejected,
    Risk,
    Table,
)

MENU = "r reject > "
CTRL_C, CTRL_D, ESCAPE = "\x03", "\x04", "\x1b"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def request(arguments=None, **changes):
    """A request as the gate would hand it over."""
    arguments = {"amount": 5, "note": "thanks"} if arguments is None else arguments
    frozen = encode(arguments)
    made = ApprovalRequest(
        action="shop.tools.refund",
        arguments=arguments,
        frozen=frozen,
        digest=digest("test", frozen),
    )
    return replace(made, **changes)


class Person:
    """Sits at the other end of a pseudo-terminal: reads the screen, presses keys."""

    def __init__(self):
        self.end, self.line = os.openpty()
        self.device = os.ttyname(self.line)
        self.screen = ""
        # What is read may end within a character, and what nobody read in time is lost.
        self.decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        termios.tcsetwinsize(self.line, (40, 100))

    def size(self, rows, columns):
        """Make the window as large."""
        termios.tcsetwinsize(self.line, (rows, columns))

    def modes(self):
        """The modes of the terminal: echo, single keys and so on."""
        return termios.tcgetattr(self.line)

    def press(self, keys):
        """Press keys, as fast as they come."""
        os.write(self.end, keys.encode())

    def sees(self, text, seconds=10):
        """Wait until `text` is on the screen, and return what came up to it."""
        if not text:
            return ""
        deadline = time.monotonic() + seconds
        while text not in self.screen:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} did not come; the screen is {self.screen!r}"
            if select.select([self.end], [], [], left)[0]:
                self.screen += self.decode(os.read(self.end, 65536))
        before, _, self.screen = self.screen.partition(text)
        return before + text

    def rest(self, seconds=0.2):
        """What else comes on the screen within some time."""
        while select.select([self.end], [], [], seconds)[0]:
            self.screen += self.decode(os.read(self.end, 65536))
        rest, self.screen = self.screen, ""
        return rest

    def leave(self):
        """Hang up."""
        for fd in (self.end, self.line):
            if fd >= 0:
                os.close(fd)
        self.end = self.line = -1


@pytest.fixture
def person():
    """Somebody at a terminal that is as it was afterwards."""
    somebody = Person()
    before = somebody.modes()
    yield somebody
    if somebody.end >= 0:
        assert somebody.modes() == before
        somebody.leave()
    for thread in threading.enumerate():
        if thread.name == "terminal":
            thread.join(1)
            assert not thread.is_alive()


def asked(person, what, act, approver=None):
    """Ask `person` while `act(person)` plays their part; return the decision."""
    approver = approver or Terminal(by="ana", device=person.device)

    async def both():
        asking = asyncio.create_task(approver(what))
        acting = asyncio.create_task(asyncio.to_thread(act, person))
        await asyncio.wait([asking, acting], return_when=asyncio.FIRST_EXCEPTION)
        if acting.done() and acting.exception():
            asking.cancel()
            await asyncio.wait([asking])
        await acting
        return await asking

    return asyncio.run(asyncio.wait_for(both(), 30))


def keys(*pairs):
    """A person who presses keys each time they see something."""

    def act(person):
        for seen, pressed in pairs:
            person.sees(seen)
            person.press(pressed)

    return act


def plain(lines):
    """Lines as one text, without the margins."""
    return "\n".join(line.plain for line in lines)


def test_a_then_y_approves(person):
    """A person approves with two keys, under their own name."""
    assert asked(person, request(), keys((MENU, "a"), ("no > ", "y"))) == Approve(by="ana")


def test_the_name_is_the_account_unless_given(person, monkeypatch):
    """Who approves is whose account it is, and no variable of the environment can change that."""
    account = pwd.getpwuid(os.getuid()).pw_name
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "cy")
    approver = Terminal(device=person.device)
    decision = asked(person, request(), keys((MENU, "a"), ("no > ", "y")), approver)
    assert decision == Approve(by=account)


@pytest.mark.parametrize("pressed", ["a", "r"])
def test_a_decision_says_on_whose_account_it_was_made(person, pressed):
    """A name that is given is a claim; the account is beside it in the store and in the trail."""
    acts = {
        "a": keys((MENU, "a"), ("no > ", "y")),
        "r": keys((MENU, "r"), ("instead? ", "not now\r")),
    }
    here = f"terminal (uid {os.getuid()}, {pwd.getpwuid(os.getuid()).pw_name})"
    decision = asked(person, request(), acts[pressed])
    assert (decision.by, decision.window) == ("ana", here)
    store = MemoryStore()
    with suppress(Rejected):
        gate(lambda: None, approver=lambda request: decision, store=store)()
    assert [(vote.by, vote.window) for vote in store.search()[0].votes] == [("ana", here)]
    (told,) = [details(record) for record in store.trail() if record.by == "ana"]
    assert told["window"] == here


@pytest.mark.parametrize(
    "key", ["\r", "\n", " ", "y", "x", "\t", "\x1b[A", "\x1b[24~", "é", "\x00"]
)
def test_other_keys_decide_nothing(person, key):
    """Enter, space, arrows and letters that mean nothing leave the question open."""
    act = keys((MENU, key), ("decides nothing", ""), (MENU, "a"), ("no > ", key), ("decides", "n"))
    if key == "y":
        act = keys((MENU, key), ("decides nothing", ""), (MENU, "a"), ("no > ", "n"))

    def stepping_back(person):
        act(person)
        keys((MENU, CTRL_C))(person)

    assert asked(person, request(), stepping_back) == Reject(
        by="ana", reason="interrupted at the terminal"
    )


def test_what_was_typed_before_the_question_does_not_count(person):
    """Keys pressed before a person could have read the request are forgotten."""
    person.press("ay" * 20)

    def act(person):
        person.sees(MENU)
        assert "approve?" not in person.rest()
        person.press("a")
        person.press("yyyy")
        person.sees("no > ")
        person.rest()
        person.press(CTRL_C)

    assert isinstance(asked(person, request(), act), Reject)


def test_pasted_text_decides_nothing(person, monkeypatch):
    """A paste that happens to hold the right letters is not an answer."""
    monkeypatch.setenv("TERM", "xterm")
    paste = "\x1b[200~a\ny\n\x1b[201~"
    act = keys((MENU, paste), ("decides nothing", ""), (MENU, CTRL_C))
    assert isinstance(asked(person, request(), act), Reject)
    assert person.rest().endswith("\x1b[?2004l")


def test_the_worst_needs_the_digest(person):
    """For CRITICAL a person types the digest's first characters; a wrong one decides nothing."""
    critical = request(risk=Risk.CRITICAL)
    act = keys(
        *[(MENU, "a"), ("to approve: ", "\r"), ("nothing is decided", "")],
        *[(MENU, "a"), ("to approve: ", "y\r"), ("nothing is decided", "")],
        *[(MENU, "a"), ("to approve: ", critical.digest[:5] + "\r"), ("nothing is decided", "")],
        *[(MENU, "a"), ("to approve: ", critical.digest[:6] + "\r")],
    )
    assert asked(person, critical, act) == Approve(by="ana")


def test_without_a_digest_the_worst_cannot_be_approved(person):
    """Enter is not the digest of a request that has none."""
    act = keys((MENU, "a"), ("to approve: ", "\r"), ("nothing is decided", ""), (MENU, CTRL_C))
    assert isinstance(asked(person, request(risk=Risk.CRITICAL, digest=""), act), Reject)


def test_a_rejection_needs_a_reason(person):
    """The agent has to learn what to do instead, so an empty reason is asked for again."""
    act = keys(
        (MENU, "r"), ("instead? ", "\r"), ("needs a reason", ""), ("instead? ", "ask Bo — später\r")
    )
    assert asked(person, request(), act) == Reject(by="ana", reason="ask Bo — später")


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D], ids=["ctrl-c", "ctrl-d"])
@pytest.mark.parametrize(
    "before",
    [
        [],
        [(MENU, "a"), ("no > ", "")],
        [(MENU, "r"), ("instead? ", "")],
        [(MENU, "e"), ("back): ", "")],
    ],
    ids=["menu", "confirm", "reason", "edit"],
)
def test_ctrl_c_rejects_this_call_only(person, key, before):
    """An interruption anywhere rejects the call, raises nothing, and leaves the terminal sane."""
    act = keys(*(before or [(MENU, "")]), *[("", key)])
    decision = asked(person, request(), act)
    assert decision == Reject(by="ana", reason="interrupted at the terminal")


def test_hanging_up_rejects():
    """A terminal that goes away takes the answer with it: the call is rejected."""
    person = Person()

    def act(person):
        person.sees(MENU)
        person.leave()

    decision = asked(person, request(), act)
    assert isinstance(decision, Reject) and "closed" in decision.reason


@pytest.mark.parametrize("device", ["/dev/null", "/nowhere/tty", "/etc/passwd"])
def test_without_a_terminal_nobody_approves(device):
    """Where there is no terminal there is nobody to ask, and the call is rejected."""
    decision = asyncio.run(Terminal(device=device)(request()))
    assert isinstance(decision, Reject) and decision.by == "terminal"
    assert "no one is at a terminal" in decision.reason


def test_an_edit_is_shown_and_confirmed(person):
    """The old value stands in the line, the difference is shown, and then it counts."""
    act = keys(
        *[
            (MENU, "e"),
            ("back): ", "1\r"),
            ("amount = 5", "\x7f42\r"),
            ("+42", ""),
            ("drop it > ", "y"),
        ]
    )
    assert asked(person, request(), act) == Edit(by="ana", arguments={"amount": 42})


def test_several_arguments_change_in_one_edit(person):
    """One edit may change several arguments; what was dropped is not in it."""
    act = keys(
        *[(MENU, "e"), ("back): ", "amount\r"), ("= 5", "\x7f4\r"), ("drop it > ", "m")],
        *[("back): ", "2\r"), ("= thanks", "!\r"), ("+thanks!", ""), ("drop it > ", "n")],
        *[("back): ", "note\r"), ("= thanks", "\x1512\r"), ("drop it > ", "y")],
    )
    assert asked(person, request(), act) == Edit(by="ana", arguments={"amount": 4, "note": "12"})


def test_escape_steps_back_from_an_edit(person):
    """Who thinks better of an edit is back at the question, and nothing has changed."""
    act = keys(
        *[(MENU, "e"), ("back): ", ESCAPE), (MENU, "e"), ("back): ", "7\r"), ("no such", "")],
        *[("back): ", "1\r"), ("amount = 5", ESCAPE), (MENU, "a"), ("no > ", "y")],
    )
    assert asked(person, request(), act) == Approve(by="ana")


def test_a_hidden_value_is_not_offered_for_editing(person):
    """A secret cannot be edited, whether its parameter says so or its bytes do."""
    secret = request(
        {"key": Secret(label="key", fingerprint="ab12"), "pin": "0000", "amount": 5},
        parameters=(Parameter(name="pin", secret=True), Parameter(name="amount")),
    )
    act = keys((MENU, "e"), ("amount = 5", "0\r"), ("drop it > ", "y"))
    assert asked(person, secret, act) == Edit(by="ana", arguments={"amount": 50})


def test_a_value_that_cannot_be_frozen_is_sent_back(person):
    """What nobody could approve is not accepted as an edit either."""
    act = keys(
        *[(MENU, "e"), ("amount = 5", "\x151e999\r"), ("not a number", "")],
        *[("amount = 5", "0\r"), ("drop it > ", "y")],
    )
    only = request({"amount": 5})
    assert asked(person, only, act) == Edit(by="ana", arguments={"amount": 50})


def test_a_long_text_is_edited_in_an_editor(person, tmp_path, monkeypatch):
    """Several lines open in the person's own editor, byte for byte, and come back the same way."""
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\ncp "$1" "$0.seen"; printf \'DELETE\\nWHERE id = 7\\n\' > "$1"\n')
    script.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(script))
    sql = "DELETE\nWHERE id = 1"
    act = keys((MENU, "e"), ("back > ", "o"), ("+WHERE id = 7", ""), ("drop it > ", "y"))
    decision = asked(person, request({"sql": sql}), act)
    assert decision == Edit(by="ana", arguments={"sql": "DELETE\nWHERE id = 7"})
    assert (tmp_path / "editor.seen").read_text() == sql


@pytest.mark.parametrize("editor", ["/nowhere/editor", "false", "''"])
def test_an_editor_that_fails_changes_nothing(person, monkeypatch, editor):
    """Without a working editor the person is told and is back at the question."""
    monkeypatch.setenv("VISUAL", editor)
    act = keys(
        (MENU, "e"),
        ("back > ", "o"),
        ("editor" if editor != "false" else "status 1", ""),
        (MENU, CTRL_C),
    )
    assert isinstance(asked(person, request({"sql": "a\nb"}), act), Reject)


def cancelled(person, approver, what, until, act=lambda person: None):
    """Ask, wait until the person sees something, withdraw; return how long that took."""

    async def withdrawn():
        asking = asyncio.create_task(approver(what))
        await asyncio.to_thread(person.sees, until)
        await asyncio.to_thread(act, person)
        begun = time.perf_counter()
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        return time.perf_counter() - begun

    return asyncio.run(withdrawn())


def test_an_answer_elsewhere_takes_the_prompt_away(person):
    """When the question is withdrawn the prompt ends, says so, and its thread is gone."""
    took = cancelled(person, Terminal(device=person.device), request(), MENU)
    assert took < 1
    assert "answered elsewhere" in person.rest()


def test_a_half_typed_answer_is_not_left_to_the_shell(person):
    """What was typed into a prompt that went away is not read by whatever comes next."""
    approver = Terminal(device=person.device)
    cancelled(person, approver, request(), MENU, lambda person: person.press("r"))
    os.set_blocking(person.line, False)
    with pytest.raises(BlockingIOError):
        os.read(person.line, 100)
    os.set_blocking(person.line, True)


def test_a_window_that_nobody_reads_can_be_left(person):
    """A terminal that takes no more text does not hold the thread that writes to it."""
    flood = request({"text": "x\n" * 20_000})
    person.size(30_000, 80)
    took = cancelled(person, Terminal(device=person.device), flood, "approval needed")
    assert took < 1
    person.rest()


def test_an_editor_is_ended_when_somebody_else_answers(person, tmp_path, monkeypatch):
    """An open editor does not keep a question alive that was answered elsewhere."""
    monkeypatch.setenv("VISUAL", "sh -c 'echo open > /dev/stdout; sleep 60' editor")
    approver = Terminal(device=person.device)

    def open_editor(person):
        person.press("e")
        keys(("back > ", "o"), ("open", ""))(person)

    took = cancelled(person, approver, request({"sql": "a\nb"}), MENU, open_editor)
    assert took < 5
    assert "answered elsewhere" in person.rest()


def test_the_first_answer_withdraws_the_prompt(person):
    """Beside another window the terminal's prompt disappears when that one answers."""

    async def elsewhere(request):
        await asyncio.to_thread(person.sees, MENU)
        return Approve(by="bo")

    both = AnyOf(Terminal(device=person.device), elsewhere)
    assert asyncio.run(both(request())) == Approve(by="bo")
    assert "answered elsewhere" in person.rest()


def test_requests_take_turns(person):
    """Several questions at once come one after the other, each whole, in the order asked."""
    approver = Terminal(by="ana", device=person.device)
    many = [request({"n": f"question-{n}"}) for n in range(4)]

    def act(person):
        for number in range(4):
            page = person.sees(MENU)
            assert re.findall(r"question-\d", page) == [f"question-{number}"]
            person.press("a" if number % 2 else "r")
            person.sees("no > " if number % 2 else "instead? ")
            person.press("y" if number % 2 else "no\r")

    async def all_at_once():
        asking = asyncio.gather(*(approver(one) for one in many))
        await asyncio.to_thread(act, person)
        return await asking

    kinds = [type(decision) for decision in asyncio.run(all_at_once())]
    assert kinds == [Reject, Approve, Reject, Approve]


def test_a_place_in_the_line_can_be_left(person):
    """Who is withdrawn while waiting for their turn does not block those behind."""
    approver = Terminal(by="ana", device=person.device)

    async def three():
        first, second, third = (asyncio.create_task(approver(request({"n": n}))) for n in range(3))
        await asyncio.to_thread(person.sees, MENU)
        second.cancel()
        await asyncio.wait([second])
        person.press(CTRL_C)
        await first
        await asyncio.to_thread(keys((MENU, "a"), ("no > ", "y")), person)
        return second.cancelled(), await third

    assert asyncio.run(three()) == (True, Approve(by="ana"))
    assert not terminal_module.InTurn._line


def test_the_loop_goes_on_while_a_person_thinks(person):
    """Everything else in the process keeps running while a question is on the screen."""

    async def ticking():
        asking = asyncio.create_task(Terminal(device=person.device)(request()))
        await asyncio.to_thread(person.sees, MENU)
        ticks = [await asyncio.sleep(0.001, tick) for tick in range(50)]
        person.press(CTRL_C)
        await asking
        return len(ticks)

    assert asyncio.run(asyncio.wait_for(ticking(), 5)) == 50


def test_all_pages_come_before_the_question(person):
    """What does not fit on the screen is paged through; no key skips to the approval."""
    person.size(10, 80)
    text = "\n".join(f"line {n}" for n in range(40))
    pages = []

    def act(person):
        while "reject >" not in (page := person.sees(" > ")):
            pages.append(page)
            person.press("a" if len(pages) == 2 else " ")
        pages.append(page)
        keys(("", "a"), ("no > ", "y"))(person)

    assert asked(person, request({"text": text}), act) == Approve(by="ana")
    seen = "".join(pages)
    assert [int(n) for n in re.findall(r"line (\d+)", seen)] == [*range(40)]
    assert len(pages) > 5


def test_who_stops_reading_can_only_reject(person):
    """Whoever leaves the pages before their end is not offered to approve."""
    person.size(10, 80)
    act = keys(
        *[("reading > ", "q"), ("\r\nr reject > ", "a"), ("decides nothing", "e")],
        *[("decides nothing", "r"), ("instead? ", "too long\r")],
    )
    decision = asked(person, request({"text": "x\n" * 100}), act)
    assert decision == Reject(by="ana", reason="too long")


def test_what_is_too_large_can_only_be_rejected(person):
    """A request that nobody would read is not offered for approval; the person is told why."""
    act = keys(
        ("too large", ""), ("\r\nr reject > ", "a"), ("decides nothing", "r"), ("instead? ", "no\r")
    )
    huge = request({"text": "x" * (MAX_SHOWN + 1)})
    assert asked(person, huge, act) == Reject(by="ana", reason="no")


def test_colours_can_be_switched_off(person, monkeypatch):
    """NO_COLOR is respected, and without it risk has a colour."""
    monkeypatch.setenv("TERM", "xterm-256color")
    screens = []
    for value in ("", "1"):
        monkeypatch.setenv("NO_COLOR", value)
        asked(
            person,
            request(),
            lambda person: (screens.append(person.sees(MENU)), person.press(CTRL_C)),
        )
        person.rest()
    assert "\x1b[31mHIGH" in screens[0]
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", screens[1])


HOSTILE = st.text(st.characters(exclude_categories=()), max_size=300) | st.text(
    st.sampled_from("ab \n\r\t│┊─\x1b[0m⟨⟩e\u0301\u202e\u200b漢字🙂"), max_size=300
)


def told(lines):
    """What stands behind the margins of drawn lines, put together again."""
    text = ""
    for line in lines:
        _, mark, rest = re.match(r"(  [^│┊]*)([│┊]) (.*)", line.plain).groups()
        text += rest if mark == "┊" else ("\n" if text else "") + "\0" + rest
    return text.replace("\0", "")


@given(HOSTILE, st.integers(1, 200))
def test_nothing_of_a_value_is_lost_at_any_width(value, width):
    """However narrow the window, the value stands there whole, and turns back into itself."""
    lines = draw(request({"v": value}), width=width, now=NOW)
    titles = [line.plain for line in lines]
    body = lines[titles.index("arguments") + 1 :]
    body = [line for line in body if line.plain != "  v (str)"]
    seen = told(body).replace("⟨U+0020⟩", " ")
    assert seen == safe(value, newlines=True).replace("⟨U+0020⟩", " ")


@given(HOSTILE, st.integers(1, 120))
def test_no_value_can_forge_a_line(value, width):
    """Every line a value touches begins with a margin, and none is wider than the window."""
    preview = Preview(
        summary=value,
        facts=((value, value),),
        tables=(Table(title="t", columns=("a", value), rows=((value, "b"), ("c", value))),),
        diff=value,
        warnings=(value,),
        quotes=(Quote(who=value, text=value),),
    )
    bare = draw(request({}, preview=Preview(summary="s")), width=width, now=NOW)
    ours = {line.plain for line in bare} | {"difference", "warnings", "unchecked words"}
    ours |= {"the last edit was not taken"}
    for line in draw(request({"v": value}, problem=value, preview=preview), width=width, now=NOW):
        assert "\n" not in line.plain
        if line.plain not in ours and not line.plain.startswith("── approval needed ─"):
            assert line.plain.startswith("  ")
            cells = (1 if c.isascii() or c in "│┊" else 2 for c in line.plain)
            assert sum(cells) <= max(width, 20)


def test_everything_of_a_preview_is_drawn():
    """Facts, rows, difference, warnings, files and words are all there, in this order."""
    preview = Preview(
        summary="the-summary",
        facts=(("rows", "the-fact"),),
        tables=(Table(title="the-title", columns=("id", "name"), rows=(("1", "the-cell"),)),),
        diff="--- a\n+++ b\n@@ -1 +1 @@\n-the-old\n+the-new",
        warnings=("the-warning",),
        quotes=(Quote(who="the-who", text="the-words"),),
        files=(BoundFile(path="the/path", sha256="ab" * 32),),
    )
    seen = plain(draw(request(preview=preview, problem="the-problem"), width=100, now=NOW))
    order = "summary fact path title cell old new warning who words problem".split()
    places = [seen.index(f"the-{word}" if word != "path" else "the/path") for word in order]
    assert places == sorted(places)
    assert "ab" * 32 in seen and "unchecked words" in seen


def test_the_header_says_who_asks_and_how_bad_it_is():
    """Risk, environment, agent, person, votes, time and digest are on the screen."""
    asking = request(
        risk=Risk.CRITICAL,
        environment="staging",
        requester="bot",
        acting_for="dan",
        run="ticket-17",
        revision=2,
        panel=Panel(members=frozenset({"ana", "bo"}), votes=2),
        expires_at=NOW + timedelta(minutes=12, seconds=3),
    )
    seen = plain(draw(asking, width=100, now=NOW))
    for part in (
        "shop.tools.refund",
        "CRITICAL",
        "staging",
        "bot, for dan",
        "ticket-17",
        "2 of ana, bo",
    ):
        assert part in seen
    assert "12 min 3 s" in seen and asking.digest[:12] in seen and "2x" in seen
    assert "expired" in plain(draw(asking, width=100, now=asking.expires_at))


def test_rows_with_too_many_cells_are_drawn_whole():
    """A table whose rows do not fit its columns still shows each cell."""
    table = Table(title="t", columns=("a",), rows=(("1", "extra"), ()))
    for width in (20, 100):
        seen = plain(draw(request(preview=Preview(tables=(table,))), width=width, now=NOW))
        assert "extra" in seen.replace("\n", "")


def test_spaces_at_the_end_of_a_line_are_seen():
    """A value with a trailing space is told apart from one without."""
    drawn = [plain(draw(request({"v": v}), width=80, now=NOW)) for v in ("a", "a ", "a  ")]
    assert len(set(drawn)) == 3 and "a⟨U+0020⟩⟨U+0020⟩" in drawn[2]


def test_colouring_changes_no_character():
    """SQL is shown with the characters it has, whatever the highlighter makes of it."""
    sql = "\nSELECT '\\'\n\n -- x\n;\n\n"
    coloured = draw(request({"sql": sql}), width=80, now=NOW)
    unnamed = draw(request({"xyz": sql}), width=80, now=NOW)
    after = [plain(lines).partition("arguments")[2] for lines in (coloured, unnamed)]
    assert after[0].replace("sql", "xyz") == after[1] and sql.count("\n") == after[0].count("│") - 1
    assert any(line.spans for line in coloured if "SELECT" in line.plain)


@given(st.text(max_size=30), st.integers(0, 30), st.integers(8, 40))
def test_the_edited_line_fits_its_window(text, at, width):
    """The cursor is always within the window, and what is cut off is marked."""
    before, after = Line(text=text, at=min(at, len(text))).seen(width)
    assert sum(1 if c.isascii() else 2 for c in before + after) <= width
    whole = safe(text[: min(at, len(text))]), safe(text[min(at, len(text)) :])
    assert before == whole[0] or before.startswith("<")
    assert after == whole[1] or after.endswith(">")


@given(
    st.lists(
        st.sampled_from(["left", "right", "home", "last", "backspace", "delete", "clear", "x"])
    )
)
def test_editing_keys_do_what_they_say(pressed):
    """A line edited key by key is the line that a list of letters would be."""
    line, letters, at = Line(text="abc", at=3), list("abc"), 3
    for key in pressed:
        line = line.after(Key(key, key if key == "x" else ""))
        if key == "x":
            letters.insert(at, "x")
            at += 1
        elif key == "backspace" and at:
            at -= 1
            del letters[at]
        elif key == "delete":
            del letters[at : at + 1]
        elif key == "clear":
            del letters[:at]
            at = 0
        else:
            steps = {"left": max(at - 1, 0), "right": min(at + 1, len(letters))}
            at = {**steps, "home": 0, "last": len(letters)}.get(key, at)
        assert (line.text, line.at) == ("".join(letters), at)


class Colour(Enum):
    """One of two."""

    RED = "red"


@dataclass
class Item:
    """A thing in an order."""

    name: str
    price: Decimal


VALUES = {
    "text": ("it is\n'so'", True),
    "number": (5, False),
    "rate": (0.5, False),
    "nothing": (None, False),
    "many": ([1, ("a", {"b": b"c"}), {2}], False),
    "price": (Decimal("1.50"), True),
    "when": (datetime(2026, 1, 1, tzinfo=UTC), True),
    "colour": (Colour.RED, False),
    "item": (Item("a", Decimal("1.50")), False),
}


@pytest.mark.parametrize(("value", "is_text"), VALUES.values(), ids=VALUES)
def test_a_prefilled_line_means_the_old_value(value, is_text):
    """Whoever presses Enter on the line as it stands gets what the gate reads as the old value."""
    from core.edits import validated
    from core.twin import tool

    def function(value):
        """Take one value."""

    function.__annotations__["value"] = type(value)
    (one,) = editable(request({"value": value}))
    assert one.is_text == is_text
    typed = one.text if one.is_text else literal(one.text)
    edit = Edit(by="ana", arguments={"value": typed})
    assert validated(tool(function), request({"value": value}), edit, {"value": value}) == {
        "value": value
    }


@pytest.mark.parametrize(
    "text", ["(" * 10_000, "[" * 100_000, "1 +", "{'a':", "\0", "__import__('os')"]
)
def test_what_is_no_literal_is_text(text):
    """Nothing that is typed is run, and nothing that is typed ends the program."""
    assert literal(text) == text
