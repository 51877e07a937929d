"""Whatever the tool, the rules and the people: it runs at most once, and only as decided."""

import asyncio
import inspect
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from core import (
    Approve,
    Edit,
    MemoryStore,
    OutcomeUnknown,
    Panel,
    Reject,
    Rejected,
    State,
    StoreError,
    gate,
    run,
)

KINDS = ["positional", "plain", "keyword"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
PEOPLE = st.sampled_from(["ana", "bob", "agent", "ANA ", ""])
WORDS = st.one_of(
    st.builds(Approve, by=PEOPLE),
    st.builds(Reject, by=PEOPLE, reason=st.text(max_size=5)),
    st.builds(
        Edit, by=PEOPLE, arguments=st.dictionaries(st.sampled_from("abc"), VALUES, max_size=2)
    ),
    st.none(),
    st.just("yes"),
    st.just(ZeroDivisionError()),
)
RULES = st.lists(st.one_of(st.none(), st.builds(Approve, by=st.just("rule")), WORDS), max_size=3)


@st.composite
def tools(draw):
    """Return the source of a function with up to three parameters, and how to call it."""
    kinds = sorted(draw(st.lists(st.sampled_from(KINDS), max_size=3)), key=KINDS.index)
    names, parts, args, kwargs = "abc"[: len(kinds)], [], [], {}
    for number, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        if kind == "keyword" and "keyword" not in kinds[:number]:
            parts.append("*")
        parts.append(name)
        if kind == "positional" and "positional" not in kinds[number + 1 :]:
            parts.append("/")
        value = draw(VALUES)
        if kind == "keyword" or (kind == "plain" and kwargs):
            kwargs[name] = value
        else:
            args.append(value)
    is_async = draw(st.booleans())
    body = f"def tool({', '.join(parts)}):\n    return record(locals())"
    return f"{'async ' if is_async else ''}{body}", args, kwargs


def call(fn, args, kwargs):
    """Call a function of either colour; return what it returned or raised."""
    try:
        found = fn(*args, **kwargs)
        return asyncio.run(found) if inspect.iscoroutine(found) else found
    except (Rejected, OutcomeUnknown, StoreError) as error:
        return error


def said(words, record):
    """Return an approver or a policy that says one word after another, then no."""
    left = list(words)

    def says(request):
        record.append(request)
        word = left.pop(0) if left else Reject(by="ana", reason="enough")
        if isinstance(word, Exception):
            raise word
        return word

    return says


@given(
    tool=tools(),
    rules=RULES,
    words=st.lists(WORDS, max_size=4),
    votes=st.integers(1, 2),
    attempts=st.integers(1, 3),
)
def test_a_call_runs_at_most_once_and_only_as_decided(tool, rules, words, votes, attempts):
    """Over any number of attempts of a run, what ran is what is on record as decided."""
    source, args, kwargs = tool
    ran, asked, store = [], [], MemoryStore()
    namespace = {"record": lambda arguments: ran.append(arguments) or "done", "__name__": "tools"}
    exec(source, namespace)
    fn, given_arguments = (
        namespace["tool"],
        inspect.signature(namespace["tool"]).bind(*args, **kwargs),
    )
    gated = gate(
        fn,
        approver=said(words, asked),
        policies=[lambda request, word=word: said([word], [])(request) for word in rules],
        store=store,
        panel=Panel(votes=votes),
        decide_within=timedelta(seconds=0.02 if votes == 2 else 5),
    )
    ends = []
    for _ in range(attempts):
        with run("ticket"):
            ends.append(call(gated, args, kwargs))
    (stored,) = store.search()
    assert len(ran) <= 1
    assert (stored.state is State.SUCCEEDED) == (len(ran) == 1)
    assert len({str(end) for end in ends}) == 1, "every attempt hears the same"
    if ran:
        assert repr(ran[0]) == repr(dict(stored.request.arguments))
        assert isinstance(stored.decision, Approve)
        if stored.votes:
            voters = {vote.by.strip().casefold() for vote in stored.votes}
            assert len(voters) >= votes
            assert not voters & {"agent", ""}
        if not stored.changed:
            assert repr(ran[0]) == repr(dict(given_arguments.arguments))
    else:
        assert isinstance(ends[0], Rejected)
    assert store.pending() == []
    assert list(store.unexplained()) == []


@given(tool=tools(), word=WORDS)
def test_what_is_shown_is_what_runs(tool, word):
    """The person is shown the very arguments that the function then gets, in their order."""
    source, args, kwargs = tool
    ran, asked, store = [], [], MemoryStore()
    namespace = {"record": ran.append, "__name__": "tools"}
    exec(source, namespace)
    gated = gate(namespace["tool"], approver=said([word], asked), store=store)
    call(gated, args, kwargs)
    for arguments in ran:
        shown = store.search()[0].request
        assert list(shown.arguments) == list(arguments)
        assert repr(dict(shown.arguments)) == repr(arguments)
        if isinstance(word, Approve):
            assert asked[-1].digest == shown.digest
