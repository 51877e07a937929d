"""What holds for every function that an agent of Agentica is given: real SDK, real sandbox."""

import asyncio
import gc
import os
import signal
import threading
import time

import pytest
from agentica_server import serving
from people import Says, Silent, eventually, soon

from core import Approve, Edit, MemoryStore, Reject, State, gate
from core.approvers.deadline import Deadline
from core.runners.agentica import CHECKED, NO_SERVER, AgentFailed, Conversation, agent

YES = Approve(by="ana")
NO = Reject(by="ana", reason="at most 100")


@pytest.fixture
def server(monkeypatch):
    with serving() as server:
        monkeypatch.setenv("S_M_BASE_URL", server.url)
        yield server


class Till:
    """Money that an agent should not get at."""

    def __init__(self):
        self.paid = []

    def refund(self, charge: str, amount: int = 3, *, note: str = "") -> str:
        """Pay money back to whoever paid."""
        self.paid.append((charge, amount))
        return f"{charge}: {amount} refunded"

    async def refund_slowly(self, charge: str, amount: int = 3) -> str:
        """Pay money back, later."""
        return self.refund(charge, amount)

    def count(self, more: int) -> int:
        """Say how many were paid, and some more."""
        return len(self.paid) + more


@pytest.fixture
def till():
    return Till()


def ask(functions, question="Go on.", **options):
    """Put one question to an agent with these functions."""
    with Conversation(functions, **options) as talk:
        return talk.ask(question)


def over(limit):
    """A person who agrees up to a limit."""
    return lambda request: YES if request.arguments["amount"] <= limit else NO


async def within(work, seconds=30):
    """Wait for it, and take leave of the server, which the SDK by itself leaves to chance."""
    from agentica.agentica_client.global_csm import clear_global_csm

    try:
        return await asyncio.wait_for(work, seconds)
    finally:
        await clear_global_csm()


# What the agent sees


@pytest.mark.parametrize("name", ["refund", "refund_slowly"])
def test_the_stub_is_the_tool(server, till, name):
    """The agent's code finds a tool under its own name, with its parameters and its doc."""
    tool = getattr(till, name)
    server.says(f"return str([{name}.__name__, {name}.__doc__, inspect.signature({name})])")
    told = ask([gate(tool, approver=over(100))])
    note = ", *, note: str = ''" if name == "refund" else ""
    head, tail = f"(charge: str, amount: int = 3{note})", "_asyncio.Future[str]"
    assert told == f"['{name}', '{tool.__doc__}', <Signature {head} -> {tail}>]"
    assert till.paid == []


def test_what_is_approved_runs_as_it_was_asked(server, till):
    """A person says yes; the call runs once, and the agent's code gets what it returned."""
    server.says("return await refund('ch_1', 20)")
    assert ask([gate(till.refund, approver=over(100))]) == "ch_1: 20 refunded"
    assert till.paid == [("ch_1", 20)]


def test_a_rejection_is_an_exception_that_code_can_read(server, till):
    """The class and the whole message arrive, the code catches it, and adapts."""
    server.says(
        """
        try:
            answer = await refund('ch_1', 500)
        except PermissionError as refusal:
            print(type(refusal).__name__, '|', refusal)
            limit = int(str(refusal).partition('at most ')[2].partition('.')[0])
            answer = await refund('ch_1', limit)
        """,
        "return answer",
    )
    assert ask([gate(till.refund, approver=over(100))]) == "ch_1: 100 refunded"
    said = "refund was rejected by ana: at most 100. It was not run."
    assert server.seen[0].strip() == f"Rejected | {said}"
    assert till.paid == [("ch_1", 100)]


def test_a_rejection_that_nobody_catches_is_read_by_the_model(server, till):
    """The step ends with it, and the model reads it as it reads all output."""

    def model(task):
        seen = yield "await refund('ch_1', 500)"
        yield "return 'enough'" if "at most 100" in seen else "return 'lost'"

    server.model = model
    assert ask([gate(till.refund, approver=over(100))]) == "enough"
    assert till.paid == []


def test_an_edit_of_a_call_that_returns_text_stands_in_the_text(server, till):
    """The agent's code gets the result of what ran, and a word on what was changed."""
    server.says("return await refund('ch_1', 50)")
    told = ask([gate(till.refund, approver=Says(Edit(by="ana", arguments={"amount": 25})))])
    assert told == "ch_1: 25 refunded\n[refund ran as edited by ana: amount: 50 -> 25]"
    assert till.paid == [("ch_1", 25)]


def test_an_edit_of_a_call_that_returns_no_text_can_be_asked_for(server, till):
    """A number stays a number, and `edits()` says once what people changed."""
    server.says("n = await count(5)", "print(await edits())", "return str([n, await edits()])")
    told = ask([gate(till.count, approver=Says(Edit(by="ana", arguments={"more": 2})))])
    assert told == "[2, []]"
    assert server.seen[1].strip() == "['[count ran as edited by ana: more: 5 -> 2]']"


def test_an_edit_that_the_agent_did_not_ask_about_is_told_to_the_person(server, till):
    """What the agent leaves unread stands below its answer."""
    server.says("return str(await count(5))")
    told = ask([gate(till.count, approver=Says(Edit(by="ana", arguments={"more": 2})))])
    assert told == "2\n[count ran as edited by ana: more: 5 -> 2]"


def test_silence_is_told_apart_from_a_no(server, till):
    """Nobody answers: nothing runs, the code gets another class, and words that deny nothing."""
    server.says(
        """
        try:
            await refund('ch_1', 500)
        except PermissionError as silence:
            words = f'{type(silence).__name__} | {silence}'
        """,
        "return words",
    )
    told = ask([gate(till.refund, approver=Deadline(Silent(), seconds=0.2))])
    assert told.startswith("NotAnswered | refund was not run: ")
    assert "nobody answered" in told and "Silence is not a denial." in told
    assert till.paid == []


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (LookupError("no such charge"), "LookupError: no such charge"),
        (FileNotFoundError(2, "No such file", "x"), "FileNotFoundError: [Errno 2] No such file"),
        (RuntimeError(""), "RuntimeError: "),
    ],
)
def test_an_error_of_a_tool_keeps_its_class_and_its_words(server, error, seen):
    """What goes wrong in the tool itself is told as it is."""

    def fail(amount: int) -> str:
        raise error

    server.says(
        "try:\n    await fail(1)\nexcept Exception as e:\n    said = f'{type(e).__name__}: {e}'",
        "return said",
    )
    assert ask([gate(fail, approver=over(100))]).startswith(seen)


def test_what_is_only_noted_on_an_error_arrives_too(server):
    """An edit of a call that then failed is told with the failure: notes do not travel alone."""

    def fail(amount: int) -> str:
        raise LookupError(f"{amount} is not there")

    server.says(
        "try:\n    await fail(1)\nexcept LookupError as e:\n    said = str(e)", "return said"
    )
    told = ask([gate(fail, approver=Says(Edit(by="ana", arguments={"amount": 2})))])
    assert told.splitlines()[0] == "2 is not there"
    assert "as edited by ana" in told


# Several at once


def test_calls_of_one_agent_wait_side_by_side(server, till):
    """Two calls of one step are asked at the same time, and each gets its own answer."""
    both = threading.Barrier(2, timeout=10)

    def ana(request):
        both.wait()
        return over(100)(request)

    server.says(
        "return str(await asyncio.gather(refund('a', 1), refund('b', 500), return_exceptions=True))"
    )
    told = ask([gate(till.refund, approver=ana)])
    assert told.startswith("['a: 1 refunded', Rejected('refund was rejected by ana")
    assert till.paid == [("a", 1)]


def test_several_agents_work_on_one_loop_while_one_waits(server, till):
    """A person who takes long with one agent's call keeps neither the loop nor the other agents."""
    store, asked = MemoryStore(), threading.Event()

    def ana(request):
        asked.wait(10)  # blocks the thread of its own question
        return over(100)(request)

    patient = gate(till.refund, approver=ana, store=store)
    swift = gate(till.refund_slowly, approver=over(100))
    server.model = lambda task: iter([f"return await {task}"])

    async def work():
        one, two, three = (agent([fn]) for fn in (patient, swift, swift))
        waiting = asyncio.create_task(one.call(str, "refund('a', 1)"))
        await soon(store.pending)
        others = await asyncio.gather(
            two.call(str, "refund_slowly('b', 2)"), three.call(str, "refund_slowly('c', 3)")
        )
        assert not waiting.done()
        asked.set()
        try:
            return [*others, await waiting]
        finally:
            await asyncio.gather(one.close(), two.close(), three.close())

    told = asyncio.run(within(work()))
    assert told == ["b: 2 refunded", "c: 3 refunded", "a: 1 refunded"]
    assert sorted(till.paid) == [("a", 1), ("b", 2), ("c", 3)]


def test_a_conversation_goes_on(server, till):
    """What the agent's code has made is there for the next question."""
    server.model = lambda task: iter([task])
    with Conversation([gate(till.refund, approver=over(100))]) as talk:
        assert talk.ask("paid = await refund('a', 1); return paid") == "a: 1 refunded"
        assert talk.ask("return paid + ', still'") == "a: 1 refunded, still"


def test_whoever_listens_hears_the_answer(server):
    """In one piece, when it is there; between its calls the agent writes nothing but code."""
    heard = []
    server.says("return 'done'")
    with Conversation([]) as talk:
        assert talk.ask("Go on.", heard=heard.append) == "done"
    assert heard == ["done\n"]


def test_a_question_asked_from_a_running_loop_is_answered(server, till):
    """Blocking is the caller's choice; the agent has a loop of its own."""
    server.says("return await refund_slowly('a', 1)")

    async def work():
        return ask([gate(till.refund_slowly, approver=over(100))])

    assert asyncio.run(work()) == "a: 1 refunded"


# Cancelling


@pytest.mark.parametrize("name", ["refund", "refund_slowly"])
def test_a_task_that_is_cancelled_takes_its_questions_back(server, till, name):
    """Whoever gives up waiting for the agent leaves nothing that somebody could still approve."""
    store, nobody = MemoryStore(), Silent()
    server.says(f"return await {name}('a', 1)")

    async def work():
        one = agent([gate(getattr(till, name), approver=nobody, store=store)])
        task = asyncio.create_task(one.call(str, "Go on."))
        (stored,) = await soon(store.pending)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await soon(lambda: not store.pending())
        await one.close()
        return stored.request.id

    asked = asyncio.run(within(work()))
    assert store.get(asked).state is State.CANCELLED
    assert (till.paid, nobody.withdrawn) == ([], 1)


def test_ctrl_c_drops_the_question_and_the_next_one_is_answered(server, till):
    """The call that waited is withdrawn before Ctrl-C is seen, and the agent begins anew."""
    store, nobody = MemoryStore(), Silent()
    refund = gate(till.refund, approver=nobody, store=store)
    server.model = lambda task: iter([task])

    def interrupt():
        eventually(store.pending)
        os.kill(os.getpid(), signal.SIGINT)

    with Conversation([refund]) as talk:
        talk.ask("kept = 1; return 'begun'")
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            talk.ask("return await refund('a', 1)")
        assert (store.pending(), till.paid, nobody.withdrawn) == ([], [], 1)
        assert talk.ask("return str('kept' in globals())") == "False"


def test_ctrl_c_waits_for_what_is_being_taken_back(server):
    """What a call does when it is cancelled is done before Ctrl-C is seen."""
    begun, tidied = threading.Event(), []

    async def hold() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.3)
            tidied.append(1)

    def interrupt():
        begun.wait(10)
        os.kill(os.getpid(), signal.SIGINT)

    server.says("return await hold()")
    threading.Thread(target=interrupt).start()
    with Conversation([hold]) as talk, pytest.raises(KeyboardInterrupt):
        talk.ask("Go on.")
    assert tidied == [1]


def test_what_the_agent_leaves_behind_is_withdrawn(server, till):
    """A call that the agent's code did not wait for is not asked on when its task has ended."""
    store = MemoryStore()

    def model(task):
        yield "pending = refund('a', 1)"
        eventually(store.pending)
        yield "return 'done'"

    server.model = model
    assert ask([gate(till.refund, approver=Silent(), store=store)]) == "done"
    eventually(lambda: not store.pending())
    assert till.paid == []


# The wall

RAW = """
from agentica_internal.warpc.request.request_resource import *
handle = refund.__dict__['___vhdl___']

def raw(request):
    try:
        return handle.hdlr(handle, request)
    except Exception as problem:
        return f'{type(problem).__name__}: {problem}'
"""
TRIES = {
    "getattr": "ResourceGetAttr(refund, '__closure__')",
    "globals": "ResourceGetAttr(refund, '__globals__')",
    "several": "ResourceGetAttr(refund, ('__code__', '__name__'))",
    "hasattr": "ResourceHasAttr(refund, '__wrapped__')",
    "setattr": "ResourceSetAttr(refund, '__defaults__', (1,))",
    "delattr": "ResourceDelAttr(refund, '__doc__')",
    "method": "ResourceCallMethod(refund, '__get__', (1,))",
    "system": "ResourceCallSystemMethod(refund, repr)",
}


@pytest.mark.parametrize("wish", TRIES.values(), ids=TRIES)
def test_the_agents_side_reads_no_attribute_of_this_side(server, till, wish):
    """Whatever is asked past a call is refused, even under the SDK's own protocol."""
    server.says(RAW, f"return str(raw({wish}))")
    told = ask([gate(till.refund, approver=over(100))])
    assert told == "PermissionError: an agent may call the functions it was given, and nothing else"


def test_without_the_wall_an_agent_gets_past_every_gate(server, till):
    """The attack is real: the SDK alone hands out the closure, and what is in it can be called."""
    from agentica import Agent

    server.says(
        RAW,
        """
        def closure(fn):
            return [cell.cell_contents for cell in raw(ResourceGetAttr(fn, '__closure__'))]
        """,
        "(ask,) = closure(refund)",
        "(wiring,) = closure(ask)",
        "return wiring.tool.call(None, {'charge': 'past', 'amount': 9, 'note': ''})",
    )

    async def work():
        refund = gate(till.refund, approver=over(0))
        bare = Agent("Pay.", {"refund": refund}, listener=None)
        try:
            return await bare.call(str, "Go on.")
        finally:
            await bare.close()

    told = asyncio.run(within(work()))
    assert (told, till.paid) == ("past: 9 refunded", [("past", 9)])


OBJECTS = ["Lying('ch_1')", "Own()", "Lying", "(lambda: 'ch_1')", "refund", "print", "[refund]"]
CLASSES = """
class Lying(str):
    __firstlineno__ = None  # otherwise Python 3.13 makes a class that the SDK cannot send
    def __eq__(self, other):
        return True
    __hash__ = str.__hash__

class Own:
    __firstlineno__ = None
    def __len__(self):
        return 5
"""


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("value", OBJECTS)
def test_only_data_comes_in(server, till, value, gated):
    """No object of the agent's reaches a tool, gated or free: its methods would run with it."""
    people = Says()
    server.says(
        CLASSES,
        f"try:\n    said = await refund({value})\nexcept TypeError as e:\n    said = str(e)",
        "return said",
    )
    told = ask([gate(till.refund, approver=people) if gated else till.refund])
    assert "only data goes in: text, numbers, dates, lists and dictionaries" in told
    assert (till.paid, people.seen) == ([], [])


def test_nothing_that_the_agents_side_defines_is_made_here(server, till, monkeypatch):
    """A definition, with names and parameters of the agent's choice, is not even decoded."""
    from agentica_internal.warpc.frame import Frame

    made = []
    monkeypatch.setattr(Frame, "decode_incoming_definition", lambda *args: made.append(args))
    server.says(
        CLASSES, "try:\n    await refund(Own())\nexcept TypeError:\n    pass", "return 'ok'"
    )
    assert (ask([till.refund]), made) == ("ok", [])


def test_only_data_goes_out(server, till):
    """An object that a tool returns arrives as its text, and nothing of it can be asked for."""

    class Receipt:
        till = "the whole till"

        def __str__(self):
            return "a receipt"

    def receipts() -> dict:
        return {1: [Receipt()], 2: 3}

    server.says("return repr(await receipts())")
    assert ask([receipts]) == "{1: ['a receipt'], 2: 3}"


def test_what_is_handed_over_later_cannot_be_called(server, till):
    """Only the functions an agent was made with are behind the wall's one door."""
    server.says(
        "try:\n    said = await count(1)\nexcept PermissionError as e:\n    said = str(e)",
        "return said",
    )

    async def work():
        one = agent([gate(till.refund, approver=over(100))])
        try:
            return await one.call(str, "Go on.", count=gate(till.count, approver=over(0)))
        finally:
            await one.close()

    told = asyncio.run(within(work()))
    assert told == "an agent may call the functions it was given, and nothing else"


def test_what_the_agents_side_prints_stays_off_this_terminal(server, till, monkeypatch):
    """Words for the terminal, with which an agent could play the window that asks, are dropped."""
    server.says(
        """
        import gc
        from agentica_internal.warpc.messages import RemotePrintMsg
        from agentica_internal.warpc.worlds.agent_world import AgentWorld
        (world,) = [one for one in gc.get_objects() if isinstance(one, AgentWorld)]
        world.send_msg(RemotePrintMsg('approve? [y/n]'))
        """,
        "return 'sent'",
    )
    printed = []
    monkeypatch.setattr("agentica_internal.core.print.remote_print", printed.append)
    assert (ask([till.refund]), printed) == ("sent", [])


@pytest.mark.parametrize(
    ("answer", "said"), [("5", "no text for an answer, but int"), ("Lying('ok')", "gave no answer")]
)
def test_an_answer_is_text_or_none_at_all(server, till, answer, said):
    """An object of the agent's side is no answer: it would be read on this side, and run there."""
    server.says(CLASSES, f"return {answer}")
    with pytest.raises(AgentFailed, match=said):
        ask([till.refund])


def test_what_a_call_carries_is_written_into_no_log(server, till, tmp_path, monkeypatch):
    """The SDK keeps its last messages for a file when it fails; here there are none to keep."""
    from agentica_internal.core.log.log_streams import RING_BUFFER

    monkeypatch.chdir(tmp_path)
    server.says("return await refund('hidden-7f3a', 1)")
    ask([gate(till.refund, approver=over(100))])
    assert till.paid == [("hidden-7f3a", 1)]
    assert not [line for line in RING_BUFFER if "hidden-7f3a" in line]
    assert not (tmp_path / "logs").exists()


# What can be wrong


def test_no_server_is_one_sentence(monkeypatch):
    """Neither a key nor an address: what to set is said at once."""
    with pytest.raises(AgentFailed) as failed:
        Conversation([], environ={"AGENTICA_API_KEY": ""})
    assert str(failed.value) == NO_SERVER


def test_another_version_is_not_trusted(monkeypatch):
    """What the wall was checked with is named; another version may have other ways in."""
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9.0")
    with pytest.raises(AgentFailed, match=rf"9\.0 is installed, and only {CHECKED} is known"):
        Conversation([], environ={"S_M_BASE_URL": "http://127.0.0.1:1"})


@pytest.mark.parametrize("names", [["count", "count"], ["_hidden"], ["edits"]])
def test_tools_that_cannot_be_told_apart_are_refused(names):
    """A name that is taken, or that code could not use, is found before anything begins."""

    def tool(name):
        def made() -> None: ...

        made.__name__ = name
        return made

    with pytest.raises(ValueError, match="rename it"):
        Conversation(map(tool, names), environ={"S_M_BASE_URL": "http://127.0.0.1:1"})


def test_a_server_that_is_not_there_is_one_sentence(till, monkeypatch, caplog):
    """Where nobody listens, the address is named and no traceback follows, now or later."""
    monkeypatch.setenv("S_M_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(AgentFailed, match=r"cannot be reached at http://127\.0\.0\.1:9: \S"):
        ask([till.refund])
    gc.collect()
    assert caplog.text == ""


def test_a_wrong_key_is_one_sentence(till, monkeypatch):
    """The server does not know the key: that is said, and nothing else happens."""
    with serving(key="right") as server:
        monkeypatch.setenv("S_M_BASE_URL", server.url)
        with pytest.raises(AgentFailed, match="refuses the key: unknown key"):
            ask([till.refund])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MaxRoundsError", "had no answer after 7 rounds, so it was stopped."),
        ("MaxTokensError", "had no answer within 9,000 tokens, so it was stopped."),
        ("OverloadedError", "gave no answer: OverloadedError: too much to do"),
    ],
)
def test_limits_and_troubles_of_the_server_are_one_sentence(server, till, name, said):
    """What the server says of its own is told in words."""
    server.fails = (name, "too much to do")
    with pytest.raises(AgentFailed) as failed:
        ask([till.refund], most_rounds=7, most_tokens=9_000)
    assert str(failed.value) == f"Agentica {said}"


def test_an_error_that_the_agent_raises_is_told(server, till):
    """An agent that gives up says why, and the conversation goes on."""
    server.model = lambda task: iter([task])
    with Conversation([till.refund]) as talk:
        with pytest.raises(AgentFailed, match="gave no answer: ValueError: I cannot"):
            talk.ask("raise AgentError(ValueError('I cannot'))")
        assert talk.ask("return 'now I can'") == "now I can"


def test_the_server_is_told_what_the_agent_is_for(server, till):
    """Instructions, model and limits are what the server makes the agent with."""
    server.says("return 'ok'")
    ask([till.refund], instructions="Pay back.", model="some:model", most_rounds=7)
    (wish,) = server.created
    assert (wish["model"], wish["max_rounds"]) == ("some:model", 7)
    assert wish["doc"].startswith("Pay back.")


def test_closing_ends_the_sandbox(server, till):
    """Leaving a conversation leaves no agent on the server and no thread here."""
    server.says("return 'ok'")
    before = threading.active_count()
    talk = Conversation([till.refund])
    talk.ask("Go on.")
    assert server.sandboxes
    talk.close()
    talk.close()
    assert not server.sandboxes
    time.sleep(0)
    assert threading.active_count() <= before
