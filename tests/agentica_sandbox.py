"""An agent's side of Agentica, a process of its own: its world and its Python, bytes in, bytes out.

On its own side of the wall everything is Agentica's: how a remote function is called, what an
exception looks like there, how code runs and what it prints. It reads and writes messages on its
standard streams, each after four bytes with its length.
"""

import asyncio
import inspect
import os
import queue
import sys
import threading

from agentica_internal.repl.all import BaseRepl
from agentica_internal.warpc.worlds.agent_world import AgentWorld
from agentica_internal.warpc.worlds.interface import QUIT


class AgentError(BaseException):
    """What an agent's code raises on purpose, to end its task with an error."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner if isinstance(inner, BaseException) else RuntimeError(inner)


class Repl(BaseRepl):
    """Runs code in steps; the last value of a step is awaited, as on the real server."""

    def __post_init__(self):
        self.options.run_is_await = True
        self.vars.hide(["__return_type", "__task_desc", "__role"])

    def on_raised_exception(self, evaluation, error, /):
        if isinstance(error.exception, AgentError):
            error.set_exception(error.exception.inner)
        super().on_raised_exception(evaluation, error)


def main():
    """Serve one agent until nothing more comes in."""
    inward, outward = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the agent's code writes past its own `print` is no message
    inbox: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=receive, args=(inward, inbox), daemon=True).start()

    def send(message):
        outward.write(len(message).to_bytes(4) + message)
        outward.flush()

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    repl = Repl()
    repl.vars.builtins["AgentError"] = AgentError
    repl.preload_modules([asyncio, inspect])
    world = AgentWorld(name="agent", world_id=os.getpid() % 256)
    world.attach_repl(repl)
    world.set_loop(loop)
    repl.set_loop(loop)
    world.run_msg_loop(send, inbox.get, lambda: not inbox.empty())
    sys.stderr.close()
    os._exit(0)  # an answer that never came must not keep the process


def receive(inward, inbox):
    """Put every message into the inbox, and in the end that there are no more."""
    while length := inward.read(4):
        inbox.put(inward.read(int.from_bytes(length)))
    inbox.put(QUIT)


if __name__ == "__main__":
    main()
