"""Messages tell what is true: whatever fails, is killed, comes late or comes twice."""

import asyncio
import sqlite3
import threading

import pytest
from asking import NO, NOON, YES, asked, edit, edited, opened
from chat_double import BUSY, LOST, NO_SUCH_PLACE, Chat, Killed
from people import eventually, soon

from core import Approve, Panel, State, gate
from core.approvers.chat.board import Board
from core.approvers.chat.notes import KEPT, Notes
from core.approvers.patience import Patience
from core.canonical import encode
from core.model import Outcome
from core.stores.sqlite import SqliteStore

EAGER = Patience(first=0.001, most=0.001)


@pytest.fixture
def store(tmp_path):
    made = opened(tmp_path / "store.db")
    yield made
    made.close()


@pytest.fixture
def chat():
    return Chat()


@pytest.fixture
def told():
    return []


@pytest.fixture
def board(store, chat, tmp_path, told):
    notes = Notes(tmp_path / "notes.db")
    yield Board(store, chat, notes, say=told.append)
    notes.close()


def ask(store, **fields):
    """Leave a request that waits."""
    return store.submit(asked(**fields)).request


def test_a_request_is_announced_once_and_kept_true(store, chat, board):
    """One message per request: it waits, it is approved, it has run; with what came of it below."""
    request = ask(store)
    board.show(request.id, "here")
    board.show(request.id, "here")
    board.look()
    [card] = chat.shown()
    assert (card.id, card.digest, card.waits) == (request.id, request.digest, True)
    store.vote(request.id, YES, digest=request.digest, window="chat")
    board.look()
    board.look()
    assert [card.state for card in chat.messages["here", "m1"]] == [State.PENDING, State.APPROVED]
    store.claim(request.id, digest=request.digest, panel=request.panel)
    store.finish(request.id, Outcome(result=encode("paid")), State.SUCCEEDED)
    board.look()
    board.look()
    assert chat.shown()[0].state is State.SUCCEEDED
    assert chat.replies == {("here", "m1"): ['Approved by ana. It ran and succeeded.\n"paid"']}


def test_what_is_over_is_left_alone(store, chat, board):
    """A message about what has ended is looked at no more, and nobody is asked about it."""
    request = ask(store)
    board.show(request.id, "here")
    board.look()
    store.vote(request.id, NO, digest=request.digest)
    board.look()
    calls = chat.calls
    board.look()
    assert chat.calls == calls and chat.shown()[0].state is State.REJECTED


def test_what_was_decided_before_is_not_announced(store, chat, board):
    """A request that somebody has answered elsewhere bothers nobody here."""
    request = ask(store)
    store.vote(request.id, NO, digest=request.digest)
    board.show(request.id, "here")
    board.look()
    assert not chat.messages


def test_expiry_is_told(store, chat, board):
    """Time that runs out changes the message, though nobody does anything."""
    request = ask(store)
    board.show(request.id, "here")
    board.look()
    store._clock.set(3600)
    board.look()
    assert chat.shown()[0].state is State.EXPIRED and "not run" in chat.shown()[0].standing


def test_votes_and_edits_are_told(store, chat, board):
    """A message names who has voted and who is missing; an edit makes it another question."""
    panel = Panel(members=frozenset({"ana", "bo", "cy"}), votes=2)
    request = ask(store, panel=panel)
    board.show(request.id, "here")
    board.look()
    assert chat.shown()[0].missing == "2 more votes of ana, bo, cy"
    store.vote(request.id, YES, digest=request.digest, window="Slack")
    board.look()
    card = chat.shown()[0]
    assert card.missing == "1 more vote of bo, cy" and "ana approved in Slack" in card.votes[0]
    store.propose(request.id, edit(7, by="bo"), digest=request.digest)
    board.look()
    assert chat.shown()[0].proposal == "bo"
    store.revise(edited(request, 7), edit(7, by="bo"), changed="amount: 1 -> 7")
    board.look()
    card = chat.shown()[0]
    assert card.digest != request.digest and card.missing == "2 more votes of ana, bo, cy"
    assert [(one.name, one.value) for one in card.arguments] == [("amount (int)", "7")]


@pytest.mark.parametrize("error", [BUSY, LOST])
def test_a_chat_that_fails_is_asked_again(store, chat, board, told, error):
    """What is not taken is sent again, after as long as the chat asks for."""
    request = ask(store)
    board.show(request.id, "here")
    chat.fails = {1: error}
    pause = board.look()
    assert pause == 7 if error is BUSY else 0 < pause <= 1
    board.look()
    assert len(chat.shown()) == 1 and told == [f"{error}; it is tried again"]


def test_a_message_that_was_taken_without_an_answer_is_found(store, chat, board):
    """The chat is asked whether it has a message before it is given another one."""
    request = ask(store)
    board.show(request.id, "here")
    chat.fails = {-1: LOST}
    board.look()
    assert len(chat.messages) == 1
    board.look()
    board.look()
    assert len(chat.messages) == 1 and chat.shown()[0].id == request.id


def test_without_search_it_is_announced_again(store, chat, board):
    """Where a chat cannot be searched, twice is better than never; both messages end true."""
    chat.asked = False
    request = ask(store)
    board.show(request.id, "here")
    chat.fails = {-1: LOST}
    board.look()
    board.look()
    assert len(chat.messages) == 2
    board.adopt(request.id, "here", "m1")  # somebody clicks the one that nobody knew
    store.vote(request.id, NO, digest=request.digest)
    board.look()
    assert [card.state for card in chat.shown()] == [State.REJECTED] * 2


def test_a_refused_message_stands_in_nobodys_way(store, chat, board, told):
    """What a chat will never take is told once; others are shown all the same."""
    first, second = ask(store), ask(store)
    board.show(first.id, "nowhere")
    board.show(second.id, "here")
    chat.fails = {1: NO_SUCH_PLACE}
    board.look()
    board.look()
    assert [card.id for card in chat.shown()] == [second.id]
    assert told == [f"request {first.id[:8]} cannot be shown in nowhere: there is no such channel"]


def test_a_request_that_the_store_does_not_know_stands_in_nobodys_way(store, chat, board, told):
    """Notes about another store's requests are told of, and the others are shown."""
    board.show("0" * 32, "here")
    request = ask(store)
    board.show(request.id, "here")
    board.look()
    assert [card.id for card in chat.shown()] == [request.id] and "0" * 32 in told[0]


def test_a_reminder_is_written_once_while_it_waits(store, chat, board):
    """However often it is wished for; and never under what is decided."""
    first, second = ask(store), ask(store)
    for request in (first, second):
        board.show(request.id, "here")
    board.look()
    board.look()
    store.vote(second.id, NO, digest=second.digest)
    for request in (first, first, second):
        board.remind(request.id, "here", "still waiting")
    board.look()
    board.look()
    assert chat.replies == {("here", "m1"): ["still waiting"]}


def test_only_one_process_writes(store, chat, board, tmp_path):
    """Two programs with one file post one message; when the first ends, the second goes on."""
    other_chat, notes = Chat(), Notes(tmp_path / "notes.db")
    other = Board(store, other_chat, notes)
    request, second = ask(store), ask(store)
    board.show(request.id, "here")
    board.look()
    other.show(second.id, "here")
    other.look()
    board.look()
    assert len(chat.messages) == 2 and not other_chat.messages
    board._notes.close()
    third = ask(store)
    other.show(third.id, "here")
    other.look()
    assert [card.id for card in other_chat.shown()] == [third.id]
    notes.close()


STEPS = range(1, 40)


class Mortal:
    """Notes in a process that ends before or after the n-th thing it writes down."""

    def __init__(self, notes, steps):
        self._notes, self._steps = notes, steps

    def __getattr__(self, name):
        found = getattr(self._notes, name)
        if name not in {"want", "trying", "posted", "shows", "tell", "close_note"}:
            return found

        def counted(*args, **named):
            self._step()
            found(*args, **named)
            self._step()

        return counted

    def _step(self):
        self._steps[0] -= 1
        if self._steps[0] == 0:
            raise Killed


def life(store, chat, path, request, steps):
    """Announce a request and keep its message true, until the process is killed."""
    notes = Notes(path)
    board = Board(store, chat, Mortal(notes, steps), say=lambda _: None)
    try:
        board.show(request.id, "here")
        board.look()
        board.look()
        if store.get(request.id).state is State.PENDING:
            store.vote(request.id, NO, digest=request.digest)
        for _ in range(3):
            board.look()
    except Killed:
        return False
    finally:
        notes.close()
    return True


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step(tmp_path, step):
    """After a kill at any moment and a new start there is one message, and it tells the end."""
    with_store, chat = opened(tmp_path / "store.db"), Chat()
    request = ask(with_store)
    steps = [step]
    survived = life(with_store, chat, tmp_path / "notes.db", request, steps)
    assert life(with_store, chat, tmp_path / "notes.db", request, [0])
    assert [card.state for card in chat.shown()] == [State.REJECTED]
    assert survived == (steps[0] > 0)
    with_store.close()


def test_the_steps_reach_the_end(tmp_path):
    """The kills above cover all there is to write down."""
    with_store, chat = opened(tmp_path / "store.db"), Chat()
    steps = [10**6]
    assert life(with_store, chat, tmp_path / "notes.db", ask(with_store), steps)
    assert 10**6 - steps[0] < max(STEPS)
    with_store.close()


def test_notes_are_forgotten_in_the_end(tmp_path):
    """What has been over for a month takes no more room; what is open stays."""
    clock = [1e9]
    notes = Notes(tmp_path / "notes.db", clock=lambda: clock[0])
    for name in ("old", "new"):
        notes.want(name, "here")
    notes.close_note(notes.open()[0])
    clock[0] += KEPT + 1
    notes.want("newer", "here")
    notes.close_note(notes.open()[1])
    with sqlite3.connect(tmp_path / "notes.db") as raw:
        assert {row[0] for row in raw.execute("SELECT request FROM notes")} == {"new", "newer"}
    raw.close()
    notes.close()


def test_a_key_is_fresh_once(tmp_path):
    """The same key is refused until its time is over, in a new process too."""
    clock = [100.0]
    for _ in range(2):
        notes = Notes(tmp_path / "notes.db", clock=lambda: clock[0])
        assert notes.fresh(f"a{clock[0]}", 300) and not notes.fresh(f"a{clock[0]}", 300)
        assert not notes.fresh("a100.0", 300)
        notes.close()
        clock[0] = 399.0
    again = Notes(tmp_path / "notes.db", clock=lambda: 401.0)
    assert again.fresh("a100.0", 300)
    again.close()


def test_what_is_no_notes_file_is_refused(tmp_path):
    """Another file is not written into."""
    file = tmp_path / "notes.db"
    file.write_text("shopping list\n" * 100)
    with pytest.raises(OSError, match="cannot keep what was posted"):
        Notes(file)
    assert file.read_text().startswith("shopping list")


@pytest.fixture
def running(tmp_path, chat, told):
    """A board at work on a store by the real clock."""
    store = SqliteStore(tmp_path / "real.db")
    made = Board(
        store, chat, Notes(tmp_path / "real-notes.db"), say=told.append, patience=EAGER, looks=0.1
    )
    made.start()
    yield store, made
    made.close()
    store.close()


def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def in_chat(board, place="here"):
    """Return an approver that asks in that place."""

    async def approver(request):
        return await board.ask(request, place)

    return approver


def test_a_call_waits_for_the_chat(running, chat):
    """People answer in the chat, the call goes on, and the message says how it ended."""
    store, board = running
    paying = gate(pay, approver=in_chat(board), store=store, policies=[])

    def ana():
        card = eventually(lambda: chat.shown() and chat.shown()[0])
        store.vote(card.id, Approve(by="ana"), digest=card.digest, window="chat")

    threading.Thread(target=ana).start()
    assert paying(5) == "paid 5"
    board.close()
    assert chat.shown()[0].state is State.SUCCEEDED
    assert chat.replies["here", "m1"] == ['Approved by ana. It ran and succeeded.\n"paid 5"']


def test_a_place_that_does_not_exist_fails_closed(running, chat):
    """When nobody can ever see the question, the call is rejected at once and nothing runs."""
    store, board = running
    chat.fails = {1: NO_SUCH_PLACE}
    paying = gate(pay, approver=in_chat(board), store=store)
    with pytest.raises(PermissionError, match="no such channel"):
        paying(5)
    assert [one.state for one in store.search()] == [State.REJECTED]


def test_an_outage_does_not_hold_up_others(running, chat):
    """While the chat is away, others are answered elsewhere, and the question arrives later."""
    store, board = running
    chat.fails = dict.fromkeys(range(1, 40), LOST)
    slow = gate(pay, approver=in_chat(board), store=store)
    quick = gate(pay, approver=lambda _: YES, store=store)
    waiting = threading.Thread(target=lambda: slow(1), daemon=True)
    waiting.start()
    eventually(lambda: chat.calls)
    assert quick(2) == "paid 2" and not chat.messages
    chat.fails = {}
    card = eventually(lambda: chat.shown() and chat.shown()[0])
    store.vote(card.id, YES, digest=card.digest)
    waiting.join(5)
    assert not waiting.is_alive()


def test_an_answer_from_elsewhere_ends_the_question(running, chat):
    """Whoever asks in the chat hears what was decided in another window."""
    store, board = running

    async def both():
        request = store.submit(
            asked(asked_at=NOON, expires_at=asked().expires_at.replace(year=2999))
        )
        question = asyncio.create_task(board.ask(request.request, "here"))
        await soon(lambda: chat.messages)
        store.vote(request.request.id, NO, digest=request.request.digest, window="dashboard")
        return await question

    assert asyncio.run(both()) == NO
    eventually(lambda: chat.shown()[0].state is State.REJECTED)


def test_closing_says_the_last_word(running, chat):
    """What has happened is told before the program ends, without waiting for the next look."""
    store, board = running
    request = store.submit(asked(expires_at=NOON.replace(year=2999))).request
    board.show(request.id, "here")
    eventually(lambda: chat.messages)
    store.vote(request.id, NO, digest=request.digest)
    board.close()
    assert chat.shown()[0].state is State.REJECTED
