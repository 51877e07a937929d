"""A live agent on gated tools, with Agentica: it writes Python, and its calls come back here.

The agent's code runs in a sandbox on a server; a call of one of its functions is asked and run on
this side. A refusal arrives there as an exception that the code can catch, read and adapt to.
"""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import wait
from functools import partial
from importlib import import_module, metadata
from typing import Any, Self

from .calls_only import guarded, settled, tools
from .hearing import AgentFailed, first_line

CHECKED = "0.4.1"
MISSING = (
    "An Agentica agent needs Python 3.12 or 3.13 and the SDK:"
    f" pip install symbolica-agentica=={CHECKED} agentica-internal=={CHECKED} 'xxhash<4'"
)
NO_SERVER = (
    "An Agentica agent needs a server: set AGENTICA_API_KEY to your key, or S_M_BASE_URL to the"
    " address of a session manager of your own"
)
TOLD = (
    "Await every call of a tool. Where one returns no text, edits() says whether people changed"
    " its arguments."
)
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_STOP = 5.0


def agent(
    functions: Iterable[Callable[..., Any]],
    *,
    instructions: str = "",
    model: str = "",
    most_rounds: int = 50,
    most_tokens: int | None = None,
    edits: list[str] | None = None,
) -> Any:
    """Return an agent of Agentica that holds these functions.

    `answer = await agent([refund]).call(str, "Refund order 7.")`

    Its code sees each under its own name, with its parameters and its doc, and awaits it. An
    exception arrives with its class and its message. Nothing else on this side can be reached, and
    what is handed over later, as in `call(int, "...", ship=ship)`, cannot be called.

    Args:
        functions: Gated or plain, sync or async. They take and return data; a result that is
            none, such as an object of yours, arrives as its text.
        instructions: What the agent is for.
        model: Any name that Agentica's server knows; its default if empty.
        most_rounds: How often one task may turn to the model before it is stopped.
        most_tokens: How many tokens one task may take; `None` for any number.
        edits: Takes what people changed, where no result could say so itself. The agent's code
            takes it from there: it is given a function of that name beside its tools.

    Raises:
        AgentFailed: Agentica is not installed, or another version of it.
        ValueError: Two functions have one name.
        TypeError: One is no function, or does not tell its parameters.
    """
    sdk = _loaded()
    scope = tools(functions, [] if edits is None else edits)
    limits = import_module("agentica.common").MaxTokens(
        per_invocation=most_tokens, per_round=None, rounds=most_rounds
    )
    named = {"model": model} if model else {}
    return sdk.Agent(
        f"{instructions}\n{TOLD}".strip(),
        scope,
        listener=None,
        max_tokens=limits,
        _world=guarded(scope.values()),
        **named,
    )


class Conversation:
    """Questions to one agent, which remembers what was said and what its code has made.

    `with Conversation([refund]) as talk: print(talk.ask("Refund order 7."))`

    A question that fails or is interrupted ends the agent's sandbox, and the next one begins with
    an empty one. Calls that ran, have run.

    Args:
        functions: The agent's tools; see `agent`.
        instructions: What the agent is for.
        model: Any name that Agentica's server knows; its default if empty.
        most_rounds: How often one question may turn to the model before it is stopped.
        most_tokens: How many tokens one question may take; `None` for any number.
        environ: Where the server's address or key is looked for; else the process's variables.

    Raises:
        AgentFailed: Agentica is not installed, or no server is named.
        ValueError: As for `agent`.
        TypeError: As for `agent`.
    """

    def __init__(
        self,
        functions: Iterable[Callable[..., Any]],
        *,
        instructions: str = "",
        model: str = "",
        most_rounds: int = 50,
        most_tokens: int | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        _loaded()
        self._server = _server(os.environ if environ is None else environ)
        self._edits: list[str] = []
        self._most, self._most_tokens = most_rounds, most_tokens
        self._new = partial(
            agent,
            [*functions],
            instructions=instructions,
            model=model,
            most_rounds=most_rounds,
            most_tokens=most_tokens,
            edits=self._edits,
        )
        self._agent = self._new()  # says right now what is wrong with the functions
        # Not on the main thread: there Agentica takes Ctrl-C for itself, and cancels no call.
        self._loop, self._closing = asyncio.new_event_loop(), asyncio.Event()
        self._loop.set_exception_handler(_unheard)
        self._thread = threading.Thread(target=self._serve, daemon=True, name="agentica")
        self._thread.start()

    def ask(self, question: str, *, heard: Callable[[str], object] | None = None) -> str:
        """Return the agent's answer. Blocks, and people may be asked meanwhile.

        What people changed, and no result could say, stands at the end.

        Args:
            heard: Takes the answer too, in one piece: between its calls the agent says nothing.

        Raises:
            AgentFailed: There is none, and the sentence says why.
            KeyboardInterrupt: Ctrl-C; a call that waited for a person was not run.
        """
        answer = self._waited(self._answer(question))
        edits = [*self._edits]
        self._edits.clear()
        said = "\n".join([answer, *edits])
        if heard:
            heard(f"{said}\n")
        return said

    async def _answer(self, question: str) -> str:
        try:
            self._agent = self._agent or self._new()
            answer = await self._agent.call(str, question)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            await self._end()
            raise
        except BaseException as error:  # some of Agentica's own are no `Exception`
            await self._end()
            raise AgentFailed(self._problem(error)) from error
        if type(answer) is str:
            return answer
        await self._end()
        raise AgentFailed(f"Agentica gave no text for an answer, but {type(answer).__name__}")

    async def _end(self) -> None:
        """Let go of the agent, and of the calls it has under way."""
        gone, self._agent = self._agent, None
        if gone is not None:
            await settled(gone._world)
            await gone.close()

    def _waited(self, question: Coroutine[Any, Any, str]) -> str:
        """Wait for the loop's thread; when the person interrupts, until nothing is under way."""
        over = threading.Event()

        async def watched() -> str:
            try:
                return await question
            finally:
                over.set()

        done = asyncio.run_coroutine_threadsafe(watched(), self._loop)
        try:
            while not done.done():  # a look now and then, as a lock would not let Ctrl-C through
                wait([done], SECONDS_BETWEEN_LOOKS)
            return done.result()
        except KeyboardInterrupt:
            done.cancel()
            over.wait(SECONDS_TO_STOP)
            raise

    def _problem(self, error: BaseException) -> str:
        """Return one sentence on why there is no answer."""
        kind, status = type(error).__name__, getattr(error, "http_status_code", None)
        origin = type(error).__module__.partition(".")[0]
        if kind == "InvalidAPIKey" or status in {401, 403}:
            said = f"refuses the key: {first_line(error)}"
        elif kind == "MaxRoundsError":
            said = f"had no answer after {self._most} rounds, so it was stopped."
        elif kind == "MaxTokensError":
            said = f"had no answer within {self._most_tokens:,} tokens, so it was stopped."
        elif origin in {"httpx", "websockets"}:
            said = f"cannot be reached at {self._server}: {first_line(error)}"
        else:
            said = f"gave no answer: {kind}: {first_line(error)}"
        return f"Agentica {said}"

    def close(self) -> None:
        """Let go of the agent and its server. Closing twice is fine."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_closed())

    async def _until_closed(self) -> None:
        """Wait until nobody asks any more, and take leave of the server."""
        await self._closing.wait()
        await self._end()
        await import_module("agentica.agentica_client.global_csm").clear_global_csm()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _loaded() -> Any:
    """Import the SDK, which takes seconds, and keep it from writing down what is said.

    By itself it writes a file for every agent, and one with all messages when something fails.
    `agentica.logging.set_default_agent_listener` brings the first kind back.

    Raises:
        AgentFailed: It is not there, or of a version whose ways in nobody has checked.
    """
    try:
        found = metadata.version("symbolica-agentica")
        with warnings.catch_warnings(record=True):  # of what it is built on
            sdk, listeners = import_module("agentica"), import_module("agentica.logging")
        log: Any = import_module("agentica_internal.core.log")
    except (ImportError, RuntimeError):
        raise AgentFailed(MISSING) from None
    if found != CHECKED:
        raise AgentFailed(f"Agentica {found} is installed, and only {CHECKED} is known to be tight")
    listeners.set_default_agent_listener(None, local_context=False)
    log.set_log_tags("0")
    log.clear_ring_buffer()
    return sdk


def _server(environ: Mapping[str, str]) -> str:
    """Say which server Agentica will turn to.

    Raises:
        AgentFailed: None is named.
    """
    if environ.get("AGENTICA_API_KEY"):
        return environ.get("AGENTICA_BASE_URL", "its own address")
    if own := environ.get("S_M_BASE_URL"):
        return own
    raise AgentFailed(NO_SERVER)


def _unheard(_: object, __: object) -> None:
    """A connection that fails in the background fails the question too, which says so."""
