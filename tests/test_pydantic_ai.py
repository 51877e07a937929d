"""A live agent on gated tools: what it is told, and that its run goes on. Real HTTP throughout."""

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Literal

import pexpect
import pytest
from model_server import ModelServer, calls, text, trouble
from people import NO, YES, Breaking, Says, Silent, eventually
from pydantic import BaseModel, Field
from pydantic_ai import Agent, ModelRetry, Tool, ToolReturn
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from core import (
    Batch,
    Edit,
    MemoryStore,
    OutcomeUnknown,
    Rejected,
    SqliteStore,
    State,
    gate,
    run,
)
from core.approvers.deadline import Deadline
from core.approvers.scripted import Scripted
from core.runners.pydantic_ai import AgentFailed, Conversation, tools

ROOT = Path(__file__).parent.parent
NAMES = ["openai:gpt-5", "openai-chat:gpt-5", "ollama:test-model", "anthropic:claude-test"]
MODEL = "ollama:test-model"
PAY = ("pay", {"order": 1})


def always(_):
    """Approve."""
    return YES


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """A proxy in the developer's environment carries nothing of this."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def serve(monkeypatch):
    """Start servers that play a script, where every model name finds them."""

    @contextmanager
    def start(*turns, **options):
        with ModelServer(*turns, **options) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            monkeypatch.setenv("OLLAMA_BASE_URL", server.url)
            monkeypatch.setenv("ANTHROPIC_BASE_URL", server.root)
            monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
            yield server

    return start


class Shop:
    """Orders in a real table. `pay` pays for one, `orders` asks in SQL."""

    def __init__(self, file):
        self.file = file
        with self._open() as db:
            db.execute("CREATE TABLE orders (id INTEGER, paid INTEGER)")
            db.executemany("INSERT INTO orders VALUES (?, 0)", [(1,), (2,), (3,)])

    def _open(self):
        return closing(sqlite3.connect(self.file, isolation_level=None))

    def pay(self, order: int) -> str:
        """Pay for an order."""
        with self._open() as db:
            db.execute("UPDATE orders SET paid = paid + 1 WHERE id = ?", (order,))
        return f"order {order} is paid"

    def orders(self, sql: str) -> list[list[int]]:
        """Ask about orders."""
        with self._open() as db:
            return [list(row) for row in db.execute(sql)]

    @property
    def paid(self):
        return [order for order, times in self.orders("SELECT * FROM orders") for _ in range(times)]


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path / "shop.db")


def asked(functions, question="go on", *, model=MODEL, **options):
    """Ask one question and return the answer."""
    with Conversation(model, functions, **options) as talk:
        return talk.ask(question)


@pytest.mark.parametrize("model", NAMES)
def test_a_rejection_reaches_the_model_word_for_word(model, shop, serve):
    """It reads what was raised, the run goes on to an answer, and nothing was paid."""
    no = Says(NO, NO)
    pay = gate(shop.pay, approver=no)
    with pytest.raises(Rejected) as rejection:
        pay(1)
    with serve(calls(PAY), text("I did not pay.")) as server:
        assert asked([pay], model=model) == "I did not pay."
    assert server.results == [str(rejection.value)]
    assert "archive it first" in server.results[0]
    assert shop.paid == []


def test_an_approved_call_runs_once_and_the_model_reads_its_result(shop, serve):
    """The gate is not in the way: the result is the plain function's own."""
    with serve(calls(PAY), text("Paid.")) as server:
        assert asked([gate(shop.pay, approver=Says(YES))]) == "Paid."
    assert server.results == ["order 1 is paid"]
    assert shop.paid == [1]


def test_an_async_tool_is_refused_and_approved_like_a_sync_one(shop, serve):
    """The colour of a function changes nothing for the model."""

    async def pay(order: int) -> str:
        return shop.pay(order)

    with serve(calls(PAY), calls(PAY), text("Paid at last.")) as server:
        assert asked([gate(pay, approver=Says(NO, YES))]) == "Paid at last."
    assert server.results == [
        "pay was rejected by ana: archive it first. It was not run.",
        "order 1 is paid",
    ]
    assert shop.paid == [1]


def test_silence_is_never_called_a_denial(shop, serve):
    """When nobody answers, the model reads that, and not that somebody said no."""
    pay = gate(shop.pay, approver=Deadline(Silent(), seconds=0.05))
    with serve(calls(PAY), text("Later, then.")) as server:
        asked([pay])
    assert "nobody answered within 0.05 seconds" in server.results[0]
    assert "Silence is not a denial" in server.results[0]
    assert "rejected" not in server.results[0]
    assert "denied" not in server.results[0]
    assert shop.paid == []


def edit(**arguments):
    """Return the word of a person who changes these."""
    return Edit(by="ana", arguments=arguments)


def test_the_model_reads_what_a_person_changed(shop, serve):
    """Below the result stands which value became which."""
    with serve(calls(PAY), text("Order 2, then.")) as server:
        asked([gate(shop.pay, approver=Says(edit(order=2), YES))])
    assert server.results == ["order 2 is paid\n[pay ran as edited by ana: order: 1 -> 2]"]
    assert shop.paid == [2]


NOTE = "[look ran as edited by ana: n: 1 -> 2]"


def spelt(value):
    """Spell a value as pydantic-ai does."""
    return json.dumps(value, separators=(",", ":"))


SHAPES = [
    (None, NOTE),
    ([1, 2], spelt([[1, 2], NOTE])),
    ({"a": 1}, spelt([{"a": 1}, NOTE])),
    (7, spelt([7, NOTE])),
    (ToolReturn(return_value=7), spelt([7, NOTE])),
    ("text", f"text\n{NOTE}"),
]


@pytest.mark.parametrize("in_run", [False, True])
@pytest.mark.parametrize(("result", "heard"), SHAPES)
def test_a_change_is_told_whatever_the_result_is(result, heard, in_run, serve):
    """A result that cannot say it itself comes with a word on it, in a run and outside of one."""

    def look(n: int):
        return result

    tool = gate(look, approver=Says(edit(n=2), YES))
    with serve(calls(("look", {"n": 1})), text("ok")) as server:
        if in_run:
            with run("ticket") as work:
                asked([tool])
            assert work.notices == ([] if result == "text" else [NOTE])
        else:
            asked([tool])
    assert server.results == [heard]


def test_a_change_is_told_with_the_error_of_the_call(serve):
    """The model did not give the value that failed, so it reads that, once."""

    def look(n: int) -> int:
        raise LookupError(f"there is no {n}")

    tool = gate(look, approver=Says(edit(n=2), YES))
    with serve(calls(("look", {"n": 1})), text("ok")) as server:
        asked([tool])
    assert server.results == [f"LookupError: there is no 2\n{NOTE}"]


def test_each_of_several_calls_is_told_its_own_change(serve):
    """Calls that run side by side do not read each other's notices."""

    def look(n: int) -> list[int]:
        return [n]

    def plus_ten(request):
        n = request.arguments["n"]
        return edit(n=n + 10) if n < 10 else YES

    tool = gate(look, approver=plus_ten)
    with serve(calls(*[("look", {"n": n}) for n in range(4)]), text("ok")) as server:
        asked([tool])
    told = [f"[look ran as edited by ana: n: {n} -> {n + 10}]" for n in range(4)]
    assert [json.loads(heard) for heard in server.results] == [
        [[n + 10], told[n]] for n in range(4)
    ]


def test_an_unknown_outcome_says_not_to_repeat_the_call(shop, serve):
    """It may have happened, so the model reads that it must not try again."""

    def pay(order: int) -> str:
        shop.pay(order)
        raise OutcomeUnknown("the bank did not answer, so do not repeat it")

    with serve(calls(PAY), text("I leave it.")) as server:
        asked([gate(pay, approver=Says(YES))])
    assert server.results == ["the bank did not answer, so do not repeat it"]


@pytest.mark.parametrize(
    ("method", "said", "paid"),
    [
        ("submit", r"the disk is full", []),
        ("claim", r"the disk is full", []),
        ("finish", r"pay .* ended.*\(the disk is full\).*", [1]),
    ],
)
def test_a_store_that_fails_is_told_and_fails_closed(method, said, paid, shop, serve):
    """What could not be written down did not run, or its end is named unknown."""
    store = Breaking(MemoryStore(), method)
    with serve(calls(PAY), text("ok")) as server:
        asked([gate(shop.pay, approver=Says(YES), store=store)])
    assert re.fullmatch(said, server.results[0])
    assert shop.paid == paid


def test_a_changed_world_is_told(shop, serve):
    """What was approved is no longer what would run: the model reads that, and nothing runs."""
    looks = iter(["pays 1", "pays 2", "pays 3"])
    pay = gate(shop.pay, approver=Says(YES), preview=lambda order: next(looks))
    with serve(calls(PAY), text("ok")) as server:
        asked([pay])
    assert server.results[0].startswith("pay was not run: what it would do has changed")
    assert shop.paid == []


def test_what_cannot_be_frozen_is_told(serve):
    """Nobody is asked about an argument that nobody can be shown."""
    nobody, ran = Says(), []

    def wait(seconds: float) -> None:
        ran.append(seconds)

    with serve(calls(("wait", {"seconds": float("inf")})), text("ok")) as server:
        asked([gate(wait, approver=nobody)])
    assert server.results[0].startswith("wait was not run: ")
    assert nobody.seen == ran == []


def test_the_world_s_own_error_lets_the_model_repair_its_call(shop, serve):
    """It reads which class of error with which words, and asks again."""

    def repaired(request):
        (heard,) = request.results.values()
        table = "orders" if heard == "OperationalError: no such table: orderz" else heard
        return calls(("orders", {"sql": f"SELECT count(*), sum(paid) FROM {table}"}))

    wrong = calls(("orders", {"sql": "SELECT count(*) FROM orderz"}))
    with serve(wrong, repaired, text("Three orders.")) as server:
        assert asked([gate(shop.orders, approver=Says(YES, YES))]) == "Three orders."
    assert server.results[1] == "[[3,0]]"


def test_calls_of_one_turn_are_gated_each_by_itself(shop, serve):
    """One rejection and one error stop neither the others nor the run; each reads its own."""

    def ana(request):
        return NO if request.arguments == {"order": 2} else YES

    pay, orders = gate(shop.pay, approver=ana), gate(shop.orders, approver=ana)
    turn = calls(PAY, ("pay", {"order": 2}), ("orders", {"sql": "SELEC"}), ("pay", {"order": 3}))
    with serve(turn, text("Two are paid.")) as server:
        assert asked([pay, orders]) == "Two are paid."
    assert server.requests[-1].results == {
        "call_1": "order 1 is paid",
        "call_2": "pay was rejected by ana: archive it first. It was not run.",
        "call_3": 'OperationalError: near "SELEC": syntax error',
        "call_4": "order 3 is paid",
    }
    assert sorted(shop.paid) == [1, 3]


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_people_are_asked_about_all_calls_of_a_turn_at_once(colour, shop, serve):
    """A call that waits for a person blocks neither the event loop nor the other calls."""
    everybody = threading.Barrier(3)

    def ana(request):
        everybody.wait(10)
        return YES

    async def pay(order: int) -> str:
        return shop.pay(order)

    tool = gate(shop.pay if colour == "sync" else pay, approver=ana)
    with serve(calls(*[("pay", {"order": n}) for n in (1, 2, 3)]), text("ok")) as server:
        asked([tool])
    assert server.results == [f"order {n} is paid" for n in (1, 2, 3)]
    assert sorted(shop.paid) == [1, 2, 3]


async def answer(agent):
    """Ask an agent of pydantic-ai's own one question."""
    async with agent:
        return (await agent.run("go on")).output


class Address(BaseModel):
    street: str
    number: int = Field(ge=1)


def one(name: str, count: int = 3, *, kind: Literal["a", "b"] = "a") -> str:
    """Do one thing.

    Args:
        name: Of the thing.
        count: How often.
    """
    return name


def several(first: int, /, *others: int, near: Address | None = None, **more: float) -> None:
    """Do several things."""


def ship(to: Address) -> str:
    """Send it."""
    return to.street


async def later(when: Annotated[str, Field(pattern=r"\d\d:\d\d")], notes: list[str]) -> int:
    """Do it later."""
    return 1


@pytest.mark.parametrize("fn", [one, several, ship, later])
def test_the_model_sees_a_gated_tool_as_it_would_the_plain_one(fn, serve):
    """Name, description and schema are the same, in the library and on the wire."""
    (told,), plain = tools([gate(fn, approver=Says())]), Tool(fn)
    assert told.name == plain.name
    assert told.description == plain.description
    assert told.function_schema.json_schema == plain.function_schema.json_schema
    assert told.function_schema.return_schema == plain.function_schema.return_schema
    with serve(text("one"), text("two")) as server:
        asked([gate(fn, approver=Says())])
        asyncio.run(answer(Agent(MODEL, tools=[fn])))
    ours, theirs = (request.body["tools"] for request in server.requests)
    assert ours == theirs


def test_arguments_arrive_as_their_annotations_say(serve):
    """Models, extra positional and extra named arguments reach the gated function whole."""
    seen = Says(YES, YES)
    turn = calls(
        ("several", {"first": 1, "others": [2, 3], "near": {"street": "A", "number": 4}, "x": 0.5}),
        ("ship", {"street": "Elm", "number": 1}),
    )
    with serve(turn, text("ok")) as server:
        asked([gate(fn, approver=seen) for fn in (several, ship)])
    assert server.results == ["", "Elm"]
    shown = {request.name: dict(request.arguments) for request in seen.seen}
    assert shown["several"] == {
        "first": 1,
        "others": (2, 3),
        "near": Address(street="A", number=4),
        "more": {"x": 0.5},
    }
    assert shown["ship"] == {"to": Address(street="Elm", number=1)}


def test_a_plain_tool_stands_beside_gated_ones(shop, serve):
    """What needs no gate is handed over just the same, methods too."""
    look = ("orders", {"sql": "SELECT id FROM orders WHERE id = 1"})
    with serve(calls(look, PAY), text("ok")) as server:
        asked([shop.orders, gate(shop.pay, approver=Says(YES))])
    assert server.results == ["[[1]]", "order 1 is paid"]


def test_an_agent_of_one_s_own_takes_the_same_tools(shop, serve):
    """`Agent(model, tools=tools([...]))` is all that another program needs."""
    with serve(calls(PAY), text("ok")) as server:
        agent = Agent(MODEL, tools=tools([gate(shop.pay, approver=Says(NO))]))
        assert asyncio.run(answer(agent)) == "ok"
    assert server.results == ["pay was rejected by ana: archive it first. It was not run."]


def test_a_tool_may_still_steer_pydantic_ai(serve):
    """Its own exceptions do what they always do: `ModelRetry` asks for another try."""
    tries = []

    def guess(n: int) -> str:
        tries.append(n)
        if n != 7:
            raise ModelRetry("higher")
        return "yes"

    turns = calls(("guess", {"n": 1})), calls(("guess", {"n": 7})), text("Seven.")
    with serve(*turns) as server:
        asked([gate(guess, approver=Says(YES, YES))])
    assert tries == [1, 7]
    assert server.results == ['{"error":"higher"}', "yes"]


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_what_is_no_exception_ends_the_run(colour, serve):
    """Nobody's Ctrl-C is read out to a model as a result."""

    def stop() -> None:
        raise KeyboardInterrupt

    async def astop() -> None:
        raise KeyboardInterrupt

    fn = stop if colour == "sync" else astop
    with (
        serve(calls((fn.__name__, {})), text("never said")) as server,
        pytest.raises(KeyboardInterrupt),
    ):
        asked([fn])
    assert len(server.requests) == 1


def test_a_conversation_remembers(shop, serve):
    """The second question comes with the first, its calls and its answer."""
    pay = gate(shop.pay, approver=Says(NO))
    with (
        serve(calls(PAY), text("No."), text("Because ana said so.")) as server,
        Conversation(MODEL, [pay], instructions="You pay orders.") as talk,
    ):
        assert talk.ask("Pay order 1.") == "No."
        assert talk.ask("Why not?") == "Because ana said so."
    assert server.requests[-1].said == [
        ("system", "You pay orders."),
        ("user", "Pay order 1."),
        ("assistant", "No."),
        ("user", "Why not?"),
    ]
    assert server.requests[-1].wanted == {"call_1": ("pay", {"order": 1})}
    assert list(server.requests[-1].results) == ["call_1"]


def test_what_a_failed_question_has_done_stays_known(shop, serve):
    """A call that ran has run: the next question comes with it."""
    pay = gate(shop.pay, approver=Says(YES))
    with (
        serve(calls(PAY), trouble(400), text("It is paid already.")) as server,
        Conversation(MODEL, [pay]) as talk,
    ):
        with pytest.raises(AgentFailed, match="HTTP 400"):
            talk.ask("Pay order 1.")
        assert talk.ask("Did you?") == "It is paid already."
    assert server.results == ["order 1 is paid"]
    assert shop.paid == [1]


def test_a_question_that_came_to_nothing_leaves_nothing_behind(serve):
    """It can be asked again without standing there twice."""
    with serve(trouble(400), text("Here.")) as server, Conversation(MODEL, []) as talk:
        with pytest.raises(AgentFailed):
            talk.ask("Hello?")
        assert talk.ask("Hello?") == "Here."
    assert server.requests[-1].said == [("user", "Hello?")]


def test_a_model_object_with_a_client_of_its_own_serves_every_question(serve):
    """Its connections stay usable from one question to the next."""
    from openai import AsyncOpenAI

    with serve(text("one"), text("two")) as server:
        client = AsyncOpenAI(base_url=server.url, api_key="sk-own")
        model = OpenAIChatModel("gpt-5", provider=OpenAIProvider(openai_client=client))
        with Conversation(model, []) as talk:
            assert [talk.ask("1"), talk.ask("2")] == ["one", "two"]
            talk._loop.run(client.close())
    assert [request.key for request in server.requests] == ["sk-own", "sk-own"]


def test_in_a_run_the_same_work_is_not_done_twice(shop, serve, tmp_path):
    """The run's name reaches tools in their threads, in a conversation begun before it too."""
    for answer in ("first", "second"):
        store = SqliteStore(tmp_path / "approvals.db")
        pay = gate(shop.pay, approver=Says(YES), store=store)
        with (
            serve(text("Hello."), calls(PAY), text(answer)) as server,
            Conversation(MODEL, [pay]) as talk,
        ):
            talk.ask("Hello?")
            with run("ticket-17"):
                assert talk.ask("Pay order 1.") == answer
        assert server.results == ["order 1 is paid"]
        assert [stored.request.run for stored in store.search()] == ["ticket-17"]
        store.close()
    assert shop.paid == [1]


def test_outside_a_run_the_same_call_is_asked_about_again(shop, serve):
    """Two equal calls are two requests, and none of them has a key to be found by."""
    store = MemoryStore()
    pay = gate(shop.pay, approver=Says(YES, YES), store=store)
    with serve(calls(PAY), calls(PAY), text("Twice.")):
        asked([pay])
    assert shop.paid == [1, 1]
    assert [(stored.request.run, stored.request.key) for stored in store.search()] == [("", "")] * 2


def test_calls_of_one_turn_find_themselves_again_in_a_run(shop, serve, tmp_path):
    """In whatever order the threads come, each call of a repeated turn is the recorded one."""
    turn = calls(*[("pay", {"order": n}) for n in (1, 2, 3)])
    for _ in range(4):
        store = SqliteStore(tmp_path / "approvals.db")
        pay = gate(shop.pay, approver=Says(YES, YES, YES), store=store)
        with serve(turn, text("ok")) as server, run("ticket-17"):
            asked([pay])
        assert server.results == [f"order {n} is paid" for n in (1, 2, 3)]
        store.close()
    assert sorted(shop.paid) == [1, 2, 3]


def test_sequential_calls_keep_the_order_of_the_model(shop, serve):
    """One call has ended before the next is asked about, and a run numbers them alike each time."""
    store, now, most = MemoryStore(), [], []

    def ana(request):
        now.append(request.arguments["order"])
        most.append(len(store.pending()))
        return YES

    pay = gate(shop.pay, approver=ana, store=store)
    with serve(calls(*[("pay", {"order": n}) for n in (3, 1, 2)]), text("ok")), run("ticket-17"):
        asked([pay], sequential=True)
    assert (now, most, shop.paid) == ([3, 1, 2], [1, 1, 1], [1, 2, 3])
    keys = {stored.request.key[-1]: stored.request.arguments["order"] for stored in store.search()}
    assert keys == {"1": 3, "2": 1, "3": 2}


def test_a_model_that_never_stops_is_stopped(serve):
    """One question turns to the model so often and no more; the sentence says how often."""
    with serve({**calls(("look", {})), "again": True}) as server:
        said = sentence(lambda: asked([look], most_requests=4))
    assert said == f"{MODEL} had no answer after 4 requests, so it was stopped."
    assert len(server.requests) == 4


@pytest.mark.parametrize("model", NAMES)
def test_words_come_as_they_are_said(model, shop, serve):
    """Piece by piece on every wire, those between two calls too; the answer is the last of them."""
    heard = []
    turns = [{"text": "I look first.", **calls(("look", {}))}, calls(PAY), text("Order 1 is paid.")]
    with (
        serve(*turns) as server,
        Conversation(model, [look, gate(shop.pay, approver=always)]) as talk,
    ):
        assert talk.ask("Pay for order 1.", heard=heard.append) == "Order 1 is paid."
    assert "".join(heard) == "I look first.\nOrder 1 is paid.\n" and len(heard) > 6
    assert all(asked.body["stream"] for asked in server.requests) and shop.paid == [1]
    assert server.results == ["nothing", "order 1 is paid"]


@pytest.mark.parametrize("model", NAMES)
def test_a_refusal_reaches_a_model_that_streams(model, shop, serve):
    """It reads the same words as one that answers at once, and nothing is paid."""
    with (
        serve(calls(PAY), text("I did not pay.")) as server,
        Conversation(model, [gate(shop.pay, approver=Says(NO))]) as talk,
    ):
        assert talk.ask("Pay.", heard=lambda _: None) == "I did not pay."
    assert server.results == ["pay was rejected by ana: archive it first. It was not run."]
    assert shop.paid == []


def test_a_stream_that_is_refused_is_one_sentence(serve):
    """An error of the service ends the question, streamed or not."""
    with serve({**trouble(400, "look behind you"), "again": True}), Conversation(MODEL, []) as talk:
        said = sentence(lambda: talk.ask("Hello", heard=print))
    assert said == f"{MODEL} refused the question (HTTP 400): look behind you"


@pytest.mark.parametrize("model", NAMES)
def test_a_question_that_takes_too_many_tokens_is_stopped(model, serve):
    """One question may take so many tokens; the sentence says how many."""
    with serve({**calls(("look", {})), "again": True}) as server:
        said = sentence(lambda: asked([look], model=model, most_tokens=6))
    assert said == f"{model} had no answer within 6 tokens, so it was stopped."
    assert len(server.requests) == 4


def collecting(shop, approver, store):
    """Return `pay` in a batch, and the function that has it reviewed."""
    batch = Batch(approver=approver, store=store)
    return batch.gate(shop.pay), batch.wait_for_approvals


@pytest.mark.parametrize("model", NAMES)
def test_a_batch_reaches_the_model_as_text(model, shop, serve):
    """Calls are collected, a person looks once, and the model reads what became of each."""
    answers = Scripted(pay=lambda request: NO if request.arguments["order"] == 2 else YES)
    pay, wait = collecting(shop, answers, MemoryStore())
    turns = [calls(*[("pay", {"order": n}) for n in (1, 2, 3)]), calls(("wait_for_approvals", {}))]
    with serve(*turns, text("1 and 3 are paid.")) as server:
        talk = asked([pay, wait], model=model, placeholders=True, sequential=True)
    assert talk == "1 and 3 are paid." and shop.paid == [1, 3]
    assert server.results[:3] == [f"PENDING_APPROVAL_{n}" for n in (1, 2, 3)]
    assert json.loads(server.results[3]) == {
        "1": "order 1 is paid",
        "2": "REJECTED: pay was rejected by ana: archive it first. It was not run.",
        "3": "order 3 is paid",
    }


@pytest.mark.parametrize("model", NAMES)
def test_a_placeholder_may_stand_where_a_number_is_wanted(model, serve):
    """The result of one call is the argument of the next, though it is not there yet."""
    counted = []

    def count(what: str) -> int:
        """Count something."""
        return len(what)

    def add(number: int, to: list[int] | None = None) -> int:
        """Add."""
        counted.append(number)
        return number + sum(to or [])

    batch = Batch(approver=Scripted(count=YES, add=YES), store=MemoryStore())
    known = [batch.gate(count), batch.gate(add), batch.wait_for_approvals]
    wanted = [("count", {"what": "four"}), ("add", {"number": "PENDING_APPROVAL_1", "to": [2]})]
    with serve(*map(calls, wanted), calls(("wait_for_approvals", {})), text("6")) as server:
        assert asked(known, model=model, placeholders=True) == "6"
    assert json.loads(server.results[2]) == {"1": 4, "2": 6} and counted == [4]


def test_what_is_no_placeholder_still_has_to_fit(serve):
    """A batch lets placeholders through, and nothing else that is of another type."""
    batch = Batch(approver=Scripted(), store=MemoryStore())
    tool = batch.gate(square)
    wanted = [("square", {"number": word}) for word in ("PENDING_APPROVAL_0", "PENDING", "x")]
    with serve(*map(calls, wanted), text("ok")) as server:
        asked([tool], placeholders=True)
    assert all("number" in result and "square" not in result[:7] for result in server.results)
    assert not batch.wait_for_approvals()


def square(number: int) -> int:
    """Square."""
    return number * number


def look() -> str:
    """Look."""
    return "nothing"


def sentence(work):
    """Return the one sentence of the AgentFailed that `work` has to raise."""
    with pytest.raises(AgentFailed) as failed:
        work()
    said = str(failed.value)
    assert "\n" not in said and 20 < len(said) < 400
    return said


@pytest.mark.parametrize("model", NAMES)
@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "refuses the key (HTTP 401): look behind you"),
        (404, "does not exist there (HTTP 404): look behind you"),
        (429, "takes no more for now (HTTP 429): look behind you"),
        (400, "refused the question (HTTP 400): look behind you"),
        (500, "has trouble itself (HTTP 500), so try again later."),
    ],
)
def test_what_the_service_refuses_is_one_sentence(status, said, model, serve):
    """It names the model, the status and what the service said."""
    with serve({**trouble(status, "look behind you"), "again": True}):
        assert sentence(lambda: asked([], model=model)) == f"{model} {said}"


def test_a_service_that_stumbles_once_is_asked_again(serve):
    """A single 429 or 500 costs the person nothing."""
    with serve(trouble(429), trouble(500), text("Here.")) as server:
        assert asked([]) == "Here."
    assert [status for status, _ in server.refused] == [429, 500]


def test_a_key_that_is_not_taken_is_one_sentence(serve, monkeypatch):
    """The service's own word on the key is in it, the key is not."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-one")
    with serve(text("never said"), key="sk-right"):
        said = sentence(lambda: asked([], model="openai:gpt-5"))
    assert said == "openai:gpt-5 refuses the key (HTTP 401): sk-... is no key of ours."


def test_a_model_that_the_service_does_not_have_is_one_sentence(serve):
    """A typing error in the name is found out by asking."""
    with serve(text("never said")):
        said = sentence(lambda: asked([], model="ollama:lama"))
    assert said.startswith("ollama:lama does not exist there (HTTP 404): There is no model 'lama'")


@pytest.mark.slow
def test_a_service_that_cannot_be_reached_is_one_sentence(serve):
    """Nobody listens at the address any more."""
    with serve(text("never said")) as server:
        pass
    assert server.requests == []
    said = sentence(lambda: asked([]))
    assert said.startswith(f"{MODEL} cannot be reached at {server.url}")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("gpt-5", "gpt-5 cannot be used: Unknown model: gpt-5"),
        ("nobody:gpt-5", "nobody:gpt-5 cannot be used: Unknown model: nobody:gpt-5"),
        ("openai:gpt-5", "openai:gpt-5 cannot be used: Set the `OPENAI_API_KEY` environment"),
        pytest.param(
            "anthropic:claude",
            "anthropic:claude cannot be used: Set the `ANTHROPIC_API_KEY`",
            marks=pytest.mark.slow,
        ),
        ("ollama:llama", "ollama:llama cannot be used: Set the `OLLAMA_BASE_URL` environment"),
        ("groq:llama", "groq:llama cannot be used: Please install the `groq` package"),
    ],
)
def test_a_model_that_cannot_be_used_is_one_sentence(model, said, monkeypatch):
    """An unknown name, a missing key and a missing package are told before any question."""
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.delenv("OLLAMA_BASE_URL", raising=False)
    assert sentence(lambda: Conversation(model, [])).startswith(said)


def test_an_empty_key_is_one_sentence(monkeypatch):
    """A variable that is set to nothing is no key."""
    monkeypatch.setenv("OPENAI_API_KEY", "")
    said = sentence(lambda: Conversation("openai:gpt-5", []))
    assert said.startswith("openai:gpt-5 cannot be used: ")
    assert "OPENAI_API_KEY" in said


@pytest.mark.parametrize("use", [lambda: tools([look]), lambda: Conversation("test", [look])])
def test_without_pydantic_ai_the_extra_is_named(use, monkeypatch):
    """Absence is one sentence that says what to install."""
    monkeypatch.setitem(sys.modules, "pydantic_ai", None)
    assert sentence(use) == "An agent needs pydantic-ai: pip install 'gated-agents[agents]'"


def test_below_an_event_loop_one_is_told_what_to_do():
    """Blocking there would stop everybody else, so `ask` refuses."""

    async def inside():
        with Conversation("test", []) as talk:
            return sentence(lambda: talk.ask("Hello?"))

    assert asyncio.run(inside()).startswith("ask() blocks")


PROGRAM = """
import sys
from core import SqliteStore, gate
from core.approvers.inbox import Inbox
from core.approvers.terminal import Terminal
from core.runners.pydantic_ai import Conversation

folder, window, colour = sys.argv[1:]
store = SqliteStore(f"{folder}/approvals.db")
approver = Terminal(by="ana") if window == "terminal" else Inbox(store)

def pay(order: int) -> str:
    '''Pay for an order.'''
    open(f"{folder}/paid", "a").write(str(order))
    return f"order {order} is paid"

async def apay(order: int) -> str:
    return pay(order)

apay.__name__ = "pay"
tool = gate(pay if colour == "sync" else apay, approver=approver, store=store)
with Conversation("ollama:test-model", [tool]) as talk:
    try:
        print("answer:", talk.ask("go on"))
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.slow
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_ctrl_c_ends_a_call_that_waits_for_a_person(colour, tmp_path, serve):
    """The process is gone at once, though nobody has answered, and nothing was paid."""
    with serve(calls(PAY), text("never said")) as server:
        child = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PROGRAM, tmp_path, "inbox", colour],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        store = eventually(lambda: opened(tmp_path / "approvals.db"), 20)
        (waiting,) = eventually(store.pending, 20)
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=30) == ("interrupted\n", "")
        assert child.returncode == 0
    assert store.get(waiting.request.id).state is State.CANCELLED
    assert not (tmp_path / "paid").exists()
    assert len(server.requests) == 1
    store.close()


def opened(path):
    """Open the store that another process is making, once it is there."""
    return SqliteStore(path) if path.exists() else None


@pytest.mark.slow
def test_at_a_terminal_calls_of_one_turn_are_asked_one_after_another(tmp_path, serve, monkeypatch):
    """No prompt stands in another, nothing else is printed; Ctrl-C rejects its one call."""
    for quieting in ("PYTEST_VERSION", "CI"):  # pydantic-ai greets people, but no tests
        monkeypatch.delenv(quieting, raising=False)
    turn = calls(*[("pay", {"order": n}) for n in (1, 2, 3)])
    arguments = ["-W", "error", "-c", PROGRAM, str(tmp_path), "terminal", "sync"]
    about = {}
    with serve(turn, text("All told.")) as server:
        child = pexpect.spawn(sys.executable, arguments, cwd=ROOT, encoding="utf-8", timeout=20)
        for answer, keys in (("yes", "ay"), ("no", "rtoo early\r"), ("ctrl-c", "\x03")):
            child.expect_exact("r reject > ")
            assert child.before.count("approval needed") == 1
            about[answer] = int(re.search(r"order \(int\)[^\r]*(\d)\r", child.before)[1])
            assert "logfire" not in child.before.lower()
            child.send(keys[0])
            if answer != "ctrl-c":
                child.expect_exact({"yes": "yes, n no > ", "no": "what instead? "}[answer])
                child.send(keys[1:])
        child.expect_exact("answer: All told.")
        child.expect(pexpect.EOF)
    assert sorted(about.values()) == [1, 2, 3]
    assert (tmp_path / "paid").read_text() == str(about["yes"])
    assert {answer: server.results[n - 1] for answer, n in about.items()} == {
        "yes": f"order {about['yes']} is paid",
        "no": "pay was rejected by ana: too early. It was not run.",
        "ctrl-c": "pay was rejected by ana: interrupted at the terminal. It was not run.",
    }


def post(server, path, body, **headers):
    """Send a request as a careless client might; return the status and the error."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.url}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)["error"]


CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
HI, WANTS = {"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": [CALL]}
TOLD = {"role": "tool", "tool_call_id": "c1", "content": "nothing"}
ITEM = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
SAID = {"type": "function_call_output", "call_id": "c1", "output": "nothing"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/chat/completions", {"messages": [HI]}, 200),
        ("/chat/completions", {"messages": [HI, WANTS, TOLD]}, 200),
        ("/chat/completions", {"messages": [HI, WANTS]}, 400),
        ("/chat/completions", {"messages": [HI, WANTS, HI]}, 400),
        ("/chat/completions", {"messages": [HI, WANTS, TOLD, TOLD]}, 400),
        ("/chat/completions", {"messages": [HI, TOLD]}, 400),
        ("/chat/completions", {"messages": []}, 400),
        ("/chat/completions", {"messages": [HI], "previous_response_id": "r"}, 400),
        ("/chat/completions", {"messages": [HI], "model": "gpt-2"}, 404),
        ("/responses", {"input": "hi"}, 200),
        ("/responses", {"input": [HI, ITEM, SAID]}, 200),
        ("/responses", {"input": [HI, ITEM]}, 400),
        ("/responses", {"input": [HI, ITEM, SAID, SAID]}, 400),
        ("/responses", {"input": [HI, SAID]}, 400),
        ("/elsewhere", {}, 404),
    ],
)
def test_the_server_refuses_what_the_service_would(path, body, status):
    """A test that talks nonsense to the stand-in fails as it would with the real one."""
    with ModelServer({**text("Hello."), "again": True}) as server:
        got, error = post(server, path, {"model": "gpt-5", **body}, Authorization="Bearer sk-1")
        assert got == status
        assert (error is None) == (status == 200)
        assert error is None or {*error} == {"message", "type", "param", "code"}
        assert post(server, "/chat/completions", {"messages": [HI]})[0] == 401
        assert post(server, "/responses", b"{", Authorization="Bearer sk-1")[0] == 400


@pytest.mark.slow
def test_the_server_runs_as_a_program(tmp_path, monkeypatch):
    """Another process can talk to a script in a file."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps([calls(("look", {})), text("Nothing there.")]), "utf-8")
    program = [sys.executable, "-m", "tests.model_server", script]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        monkeypatch.setenv("OLLAMA_BASE_URL", child.stdout.readline().strip())
        assert asked([look]) == "Nothing there."
        child.terminate()
