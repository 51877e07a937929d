"""A well-known framework on the same question, where it is installed: pydantic-ai's deferred tools.

It asks no store: the run ends with a request object and begins anew with an answer object, both in
this process. It keeps nothing, so it survives no crash, records no vote and leaves no trail; what
it does do here and a gate does not is drive a (pretended) model, twice per round trip.
"""

import asyncio
import time
from collections.abc import Callable
from statistics import median
from typing import Any

TIMES = 100


def round_trip(tool: Callable[[str, int], str]) -> list[tuple[str, float]]:
    """Return the median of asking and going on, in seconds; nothing without pydantic-ai."""
    try:
        import pydantic_ai
    except ImportError:
        return []
    name = f"pydantic-ai {pydantic_ai.__version__}: deferred tool, in memory, nothing kept"
    return [(name, asyncio.run(_median(tool)))]


async def _median(tool: Callable[[str, int], str]) -> float:
    from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, Tool
    from pydantic_ai.models.test import TestModel

    kinds: list[Any] = [str, DeferredToolRequests]
    gated = Tool(tool, requires_approval=True)
    agent: Any = Agent(TestModel(), output_type=kinds, tools=[gated])
    taken = list[int]()
    for _ in range(TIMES):
        start = time.perf_counter_ns()
        asked = await agent.run("refund")
        ids = [call.tool_call_id for call in asked.output.approvals]
        answers = DeferredToolResults(approvals=dict.fromkeys(ids, True))
        ended = await agent.run(message_history=asked.all_messages(), deferred_tool_results=answers)
        taken.append(time.perf_counter_ns() - start)
        assert isinstance(ended.output, str)
    return median(taken) / 1e9
