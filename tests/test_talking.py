"""What an agent says is shown as it comes, once, and cannot touch the terminal."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_server import ModelServer, calls, text, trouble

from core.display import safe
from core.runners.hearing import AgentFailed
from core.runners.talking import DROPPED, Saying, answer, converse, talk

MODEL = "openai:gpt-5"


@pytest.fixture
def served(monkeypatch):
    """Return what lets a model on this machine say some turns."""

    def serve(*turns):
        server = ModelServer(*turns)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        return server

    return serve


class Piecewise:
    """An agent that says these pieces; its answer is another text."""

    def __init__(self, pieces, answer):
        self.pieces, self.answer = pieces, answer

    def ask(self, _, *, heard=None):
        for piece in self.pieces if heard else []:
            heard(piece)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def at_a_terminal(monkeypatch):
    """Return what makes standard output say that it is a terminal; the test still reads it."""
    return lambda: monkeypatch.setattr(sys.stdout, "isatty", lambda: True)


def look():
    """Look around."""
    return "nothing"


@given(st.lists(st.text()))
def test_what_is_shown_is_what_was_said(pieces):
    """However it was cut: every character, in order, and the last line ends."""
    shown = []
    said = Saying(shown.append)
    for piece in pieces:
        said.hear(piece)
    said.end()
    whole = "".join(pieces)
    assert "".join(shown).removesuffix("\n") == whole.removesuffix("\n")
    assert not whole or "".join(shown).endswith("\n")
    assert said.ends_with(whole)


def test_a_word_is_shown_when_it_is_whole():
    """What hides between two pieces is seen by whoever makes it safe."""
    shown = []
    said = Saying(shown.append)
    for piece in ("Two wor", "ds, and e\x1b[", "2J more"):
        said.hear(piece)
    assert shown == ["Two ", "words, and ", "e\x1b[2J "]
    assert "\x1b" not in "".join(map(safe, shown))


@pytest.mark.parametrize(
    ("pieces", "text", "shown"),
    [
        (["I look.\n", "Do", "ne.\n"], "Done.", "I look.\nDone.\n"),
        (["I look.\n"], "Done.", "I look.\nDone.\n"),
        ([], "Done.", "Done.\n"),
        (["One\n", "Two\n"], "One\n\nTwo", "One\nTwo\n"),
        (["\x1b[2J\n"], "\x1b[2J", "⟨U+001B⟩[2J\n"),
    ],
    ids=["streamed", "between calls only", "nothing", "in two passages", "hostile"],
)
def test_an_answer_is_shown_once(capsys, at_a_terminal, pieces, text, shown):
    """Whether or not it came in pieces."""
    at_a_terminal()
    answer(Piecewise(pieces, text), "What is it?")
    assert capsys.readouterr().out == shown


def test_what_was_begun_is_shown_when_an_agent_fails(capsys, at_a_terminal):
    """Its last words end their line, and the failure passes through."""
    at_a_terminal()
    with pytest.raises(AgentFailed, match="gone"):
        answer(Piecewise(["I will n"], AgentFailed("gone")), "What is it?")
    assert capsys.readouterr().out == "I will n\n"


def test_a_pipe_gets_the_answer_alone(capsys, served):
    """Words between two calls are for people who wait at a terminal."""
    with served({"text": "I look first.", **calls(("look", {}))}, text("Nothing.")) as server:
        converse(MODEL, [look], "What is there?")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("Nothing.\n", "")
    assert not any(asked.body.get("stream") for asked in server.requests)


def test_a_terminal_gets_all_words_as_they_are_said(capsys, served, at_a_terminal):
    """Those between two calls stand before the call."""
    at_a_terminal()
    with served({"text": "I look first.", **calls(("look", {}))}, text("Nothing.")) as server:
        converse(MODEL, [look], "What is there?")
    assert capsys.readouterr().out == "I look first.\nNothing.\n"
    assert all(asked.body["stream"] for asked in server.requests)


def test_a_talk_goes_on_until_the_person_leaves(capsys):
    """A question that fails or is dropped is told; blank ones are not asked; Ctrl-D leaves."""
    typed = iter(["  one ", "", "fail", "drop", "two"])
    asked = []

    def read(_):
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    def ask(question):
        asked.append(question)
        if question == "fail":
            raise AgentFailed("no key")
        if question == "drop":
            raise KeyboardInterrupt

    talk(ask, read=read)
    assert asked == ["one", "fail", "drop", "two"]
    assert capsys.readouterr().out.splitlines()[1:] == ["no key", DROPPED, ""]


def test_an_agent_that_cannot_be_used_is_one_sentence(served):
    """With one question, the failure is for the program to tell."""
    with (
        served({**trouble(401), "again": True}),
        pytest.raises(AgentFailed, match="refuses the key"),
    ):
        converse(MODEL, [look], "Hello")
