"""A live agent on gated tools, with pydantic-ai: every refusal reaches the model as text.

By itself pydantic-ai ends the whole run when a tool raises. A rejection is no reason for that: the
model is to read who said no, why, and what to do instead, and to go on.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from contextvars import copy_context
from dataclasses import replace
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Self, Union, cast

from ..batches.placeholders import WHOLE
from ..messages import collected
from .hearing import AgentFailed, called, first_line, why

if TYPE_CHECKING:
    from pydantic_ai import Agent, Tool
    from pydantic_ai.exceptions import ModelHTTPError
    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import Model

MISSING = "An agent needs pydantic-ai: pip install 'gated-agents[agents]'"
BLOCKS = "ask() blocks, and an event loop runs here: await an agent of your own, with `tools`"
ATTEMPTS = 3
"""How often a model may get the arguments of one call wrong; small ones need it."""


def tools(
    functions: Iterable[Callable[..., Any]],
    *,
    sequential: bool = False,
    placeholders: bool = False,
) -> list[Tool[Any]]:
    """Return functions as tools for an agent: `Agent(model, tools=tools([refund, ship]))`.

    The model sees the names, parameters and docstrings of the functions. Whatever `Exception` a
    function raises becomes the text of the result, so that the model can adapt to a rejection and
    mend what it got wrong. pydantic-ai's own exceptions, such as `ModelRetry`, do what they always
    do, and so does what is no `Exception`, such as `KeyboardInterrupt`.

    Args:
        functions: Gated or plain, sync or async. Sync ones run in threads.
        sequential: Whether calls of one turn go one after another, in the order of the model.
            Otherwise people are asked about all of them at once.
        placeholders: Whether functions are collected in a batch, so that any argument may be
            `"PENDING_APPROVAL_1"` instead of a value of its own type.

    Raises:
        AgentFailed: pydantic-ai is not installed.
    """
    _check_that_it_is_there()
    from pydantic_ai import Tool

    heard = [_heard(fn) for fn in functions]
    if placeholders:
        heard = [_taking_placeholders(fn) for fn in heard]
    return [Tool[Any](fn, sequential=sequential) for fn in heard]


def _heard(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return `fn` as a coroutine function that is never silent."""

    @wraps(fn)
    async def call(*args: Any, **named: Any) -> Any:
        with collected() as notices:
            try:
                result = await called(fn, args, named)
            except Exception as error:
                if _steers(error):
                    raise
                return why(error, notices)
        return _with(result, notices)

    return call


def _taking_placeholders(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Let every parameter of `fn` be a placeholder too; otherwise a model could not pass one on."""
    from pydantic import Field

    placeholder = Annotated[str, Field(pattern=f"^{WHOLE.pattern}$")]
    signature = inspect.signature(fn, eval_str=True)
    widened = [
        one.replace(annotation=Union[one.annotation, placeholder])  # noqa: UP007 - made as it runs
        if one.annotation is not one.empty
        else one
        for one in signature.parameters.values()
    ]
    wide: Any = fn
    del wide.__wrapped__
    wide.__signature__ = signature.replace(parameters=widened)
    wide.__annotations__ = {one.name: one.annotation for one in widened}
    return fn


def _steers(error: Exception) -> bool:
    """Whether an exception tells pydantic-ai what to do next, rather than what went wrong."""
    return any(kind.__module__.partition(".")[0] == "pydantic_ai" for kind in type(error).__mro__)


def _with(result: Any, notices: Sequence[str]) -> Any:
    """Return a result with a word on what people changed, where it could not say so itself."""
    if not notices:
        return result
    from pydantic_ai import ToolReturn

    if type(result) is ToolReturn:
        return replace(result, return_value=_with(result.return_value, notices))
    return "\n".join(notices) if result is None else [result, *notices]


class Conversation:
    """Questions to one agent, which remembers what was said and done before.

    `with Conversation("openai:gpt-5", [refund]) as talk: print(talk.ask("Refund order 7."))`

    What a question has begun stays known to the model, even when it failed or was interrupted:
    calls that ran, have run.

    Args:
        model: Any name that pydantic-ai knows, or one of its models.
        functions: The agent's tools, gated or plain.
        instructions: What the agent is for.
        sequential: Whether calls of one turn go one after another; see `tools`.
        most_requests: How often one question may turn to the model before it is stopped.
        most_tokens: How many tokens one question may take, in and out; `None` for any number.
        placeholders: Whether calls may be collected in a batch; see `tools`.

    Raises:
        AgentFailed: pydantic-ai or the model's own library is not installed, the model is unknown,
            or its key is missing.
    """

    def __init__(
        self,
        model: Model | str,
        functions: Iterable[Callable[..., Any]],
        *,
        instructions: str = "",
        sequential: bool = False,
        most_requests: int = 50,
        most_tokens: int | None = None,
        placeholders: bool = False,
    ) -> None:
        _check_that_it_is_there()
        import pydantic_ai

        pydantic_ai.BANNER_ENABLED = False  # the terminal is for the questions
        self._name = model if isinstance(model, str) else f"{model.system}:{model.model_name}"
        self._most, self._most_tokens = most_requests, most_tokens
        found = _model(model)
        self._place = found.base_url or "its address"
        self._agent: Agent[None, str] = pydantic_ai.Agent(
            found,
            tools=tools(functions, sequential=sequential, placeholders=placeholders),
            instructions=instructions or None,
            retries=ATTEMPTS,
        )
        self._messages: list[ModelMessage] = []
        # One loop for all questions: a model's connections do not outlive the loop they came from.
        self._loop = asyncio.Runner()

    def ask(self, question: str, *, heard: Callable[[str], object] | None = None) -> str:
        """Return the agent's answer. Blocks, and people may be asked meanwhile.

        Args:
            heard: Takes what the model says piece by piece, as it says it: words between two
                calls too, which are no part of the answer. Each passage ends with a line break.

        Raises:
            AgentFailed: There is none, and the sentence says why.
            KeyboardInterrupt: Ctrl-C; a call that waited for a person was not run.
        """
        if _is_below_a_loop():
            raise AgentFailed(BLOCKS)
        # In this very context: a run that was entered since the last question counts.
        return self._loop.run(self._answer(question, heard), context=copy_context())

    async def _answer(self, question: str, heard: Callable[[str], object] | None) -> str:
        from pydantic_ai import UsageLimits, capture_run_messages

        before = self._messages
        limits = UsageLimits(request_limit=self._most, total_tokens_limit=self._most_tokens)
        with capture_run_messages() as said:
            try:
                async with self._agent:
                    ended = await self._agent.run(
                        question,
                        message_history=before,
                        usage_limits=limits,
                        event_stream_handler=_listener(heard) if heard else None,
                    )
            except Exception as error:
                raise AgentFailed(self._problem(error)) from error
            finally:
                if len(said) > len(before) + 1:  # otherwise only the question, without any effect
                    self._messages = said
        return ended.output

    def _problem(self, error: Exception) -> str:
        """Return one sentence on why there is no answer."""
        from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError, UsageLimitExceeded

        match error:
            case UsageLimitExceeded() if "token" in str(error):
                said = f"had no answer within {self._most_tokens:,} tokens, so it was stopped."
            case UsageLimitExceeded():
                said = f"had no answer after {self._most} requests, so it was stopped."
            case ModelHTTPError(status_code=401 | 403 as status):
                said = f"refuses the key (HTTP {status}): {_words(error)}"
            case ModelHTTPError(status_code=404):
                said = f"does not exist there (HTTP 404): {_words(error)}"
            case ModelHTTPError(status_code=429):
                said = f"takes no more for now (HTTP 429): {_words(error)}"
            case ModelHTTPError(status_code=status) if status >= 500:
                said = f"has trouble itself (HTTP {status}), so try again later."
            case ModelHTTPError(status_code=status):
                said = f"refused the question (HTTP {status}): {_words(error)}"
            case ModelAPIError():
                said = f"cannot be reached at {self._place}: {first_line(error)}"
            case _:
                said = f"gave no answer: {first_line(error)}"
        return f"{self._name} {said}"

    def close(self) -> None:
        """Let go of the event loop. Closing twice is fine."""
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _listener(heard: Callable[[str], object]) -> Callable[..., Awaitable[None]]:
    """Return what hands each piece of the model's words on to `heard`."""
    from pydantic_ai.messages import (
        PartDeltaEvent,
        PartEndEvent,
        PartStartEvent,
        TextPart,
        TextPartDelta,
    )

    async def listen(_: object, events: AsyncIterable[object]) -> None:
        async for event in events:
            match event:
                case PartStartEvent(part=TextPart(content=words)) if words:
                    heard(words)
                case PartDeltaEvent(delta=TextPartDelta(content_delta=words)) if words:
                    heard(words)
                case PartEndEvent(part=TextPart()):
                    heard("\n")
                case _:
                    pass

    return listen


def _model(model: Model | str) -> Model:
    """Return the model of that name.

    Raises:
        AgentFailed: It is unknown, or something that it needs is missing.
    """
    from pydantic_ai.models import infer_model

    try:
        return infer_model(model)
    except Exception as problem:  # each provider has its own for a key that is missing or empty
        text = first_line(problem).partition(" To try Pydantic AI without")[0]  # an advert follows
        raise AgentFailed(f"{model} cannot be used: {text}") from problem


def _check_that_it_is_there() -> None:
    try:
        import_module("pydantic_ai")
    except ModuleNotFoundError:
        raise AgentFailed(MISSING) from None


def _is_below_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _words(error: ModelHTTPError) -> str:
    """Return what the service said about an error, as far as it said something."""
    body: object = error.body
    while isinstance(body, dict):
        known = cast("dict[str, object]", body)
        body = known.get("message") or known.get("error")
    return first_line(body)
