"""A tool knows which request it runs for, and nothing else is taken for it."""

import asyncio

import pytest
from people import YES

from core import MemoryStore, OutcomeUnknown, current_request, gate, run


@pytest.fixture
def store():
    return MemoryStore()


def yes(_request):
    return YES


def test_a_tool_knows_the_request_that_it_runs_for(store):
    """Its id is the stored one, sync and async, and afterwards there is none any more."""

    def tool() -> str:
        return current_request().id

    async def slow() -> str:
        await asyncio.sleep(0)
        return current_request().id

    first = gate(tool, approver=yes, store=store)()
    second = asyncio.run(gate(slow, approver=yes, store=store)())
    assert {stored.request.id for stored in store.search()} == {first, second}
    with pytest.raises(LookupError, match="no gated call"):
        current_request()


def test_calls_side_by_side_and_within_each_other_keep_apart(store):
    """Each sees its own request, also after the one inside has ended or failed."""
    seen = {}

    async def inner(name: str) -> None:
        await asyncio.sleep(0)
        seen[name] = current_request().arguments["name"]
        raise ValueError("it failed")

    asking = gate(inner, approver=yes, store=store)

    async def outer(name: str) -> None:
        before = current_request()
        with pytest.raises(ValueError, match="it failed"):
            await asking(f"{name} inside")
        assert current_request() is before
        seen[name] = before.arguments["name"]

    async def both() -> None:
        gated = gate(outer, approver=yes, store=store)
        await asyncio.gather(*[gated(f"{n}") for n in range(5)])

    asyncio.run(both())
    assert len(seen) == 10
    assert all(name == found for name, found in seen.items())


def test_a_look_for_what_happened_knows_it_too(store):
    """`reconcile` looks under the id that the cut-off call had given to its provider."""
    given = []

    def pay() -> None:
        given.append(current_request().id)
        raise OutcomeUnknown("the answer was lost")

    def look() -> str:
        return f"found it under {current_request().id}"

    paying = gate(pay, approver=yes, store=store, reconcile=look)
    with run("once"), pytest.raises(OutcomeUnknown):
        paying()
    with run("once"), pytest.raises(OutcomeUnknown):
        paying()
    [stored] = store.search()
    assert given == [stored.request.id]
    assert stored.outcome.finding == f"found it under {given[0]}"
