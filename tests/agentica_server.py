"""A stand-in for Agentica's server, on this machine: its protocol, and a script for its model.

It speaks what the server speaks, HTTP and a WebSocket, and gives each agent a process of its own.
Only the model is made up: a generator that is given the task, yields code, and is sent what that
code printed.

    def model(task):
        seen = yield "print(await refund('ch_1', 20_00))"
        yield "return 'done'" if "refunded" in seen else "return 'it did not work'"
"""

import asyncio
import sys
import textwrap
import threading
import uuid
from base64 import b64decode
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from agentica_internal.multiplex_protocol import (
    MultiplexDataMessage,
    MultiplexErrorMessage,
    MultiplexInvokeMessage,
    MultiplexNewIIDResponse,
    multiplex_from_json,
    multiplex_to_json,
)
from agentica_internal.warpc.messages import (
    FramedRequestMsg,
    FramedResponseMsg,
    FutureResultMsg,
    RPCMsg,
    bytes_to_repl_init_data,
)
from agentica_internal.warpc.msg.term_result import ResultMsg
from agentica_internal.warpc.pure import PURE_CODEC
from agentica_internal.warpc.request.request_repl import ReplCallMethod, ReplRunCode
from msgspec import Raw
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

SANDBOX = Path(__file__).with_name("agentica_sandbox.py")


@dataclass(kw_only=True, eq=False)
class Sandbox:
    """The process of one agent.

    Attributes:
        to_host: Takes the messages that are meant for the host of the agent.
    """

    process: asyncio.subprocess.Process
    to_host: object = None
    awaited: dict = field(default_factory=dict)
    last: int = -256

    @classmethod
    async def start(cls):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            SANDBOX,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        made = cls(process=process)
        made.reading = asyncio.create_task(made.read())
        return made

    async def read(self):
        with suppress(asyncio.IncompleteReadError):
            while True:
                length = int.from_bytes(await self.process.stdout.readexactly(4))
                message = await self.process.stdout.readexactly(length)
                decoded = RPCMsg.from_msgpack(message)
                answer = isinstance(decoded, FramedResponseMsg) and self.awaited.pop(
                    decoded.mid, None
                )
                if answer:
                    answer.set_result(decoded)
                else:
                    self.to_host(message)
        for answer in self.awaited.values():
            answer.set_exception(RuntimeError("the agent's process has ended"))

    def send(self, message):
        self.process.stdin.write(len(message).to_bytes(4) + message)

    async def ask(self, request, defs=(), fmt="json"):
        self.last -= 1
        answer = self.awaited[self.last] = asyncio.get_running_loop().create_future()
        framed = FramedRequestMsg(mid=self.last, fid=0, request=request, fmt=fmt, defs=defs)
        self.send(framed.to_msgpack())
        return (await answer).result.decode(PURE_CODEC).realize()

    async def begin(self, globals_payload, locals_payload):
        request, defs = bytes_to_repl_init_data(globals_payload, locals_payload)
        await self.ask(request, defs)

    async def run(self, code):
        code = textwrap.dedent(code).strip("\n")
        return await self.ask(ReplRunCode(code).encode(PURE_CODEC))

    async def ended(self, method):
        request = ReplCallMethod(method, (), {}).encode(PURE_CODEC)
        return Raw(bytes(await self.ask(request, fmt="raw")))

    async def stop(self):
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        self.reading.cancel()


@dataclass(kw_only=True)
class Server:
    """What a test knows of the server.

    Attributes:
        model: Makes the generator for a task.
        fails: Name and message of an error to answer with instead.
        seen: What the code of all agents printed, step by step.
        problems: What went wrong with the script of a model.
        created: What clients wanted each agent to be.
        key: Who asks has to have it, if it is given.
    """

    model: object = None
    key: str = ""
    fails: tuple = ()
    url: str = ""
    seen: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    created: list = field(default_factory=list)
    sandboxes: dict = field(default_factory=dict)

    def says(self, *steps):
        """Let the model write these steps, whatever it reads."""
        self.model = lambda task: iter(steps)

    def app(self):
        return Starlette(
            routes=[
                Route("/session/register", self.register, methods=["POST"]),
                Route("/agent/create", self.create, methods=["POST"]),
                Route("/agent/destroy/{uid}", self.destroy, methods=["DELETE"]),
                Route("/logs/{uid}/{iid}", self.logs),
                WebSocketRoute("/socket", self.socket),
            ],
            lifespan=self.lifespan,
        )

    @asynccontextmanager
    async def lifespan(self, _):
        yield
        for sandbox in self.sandboxes.values():
            await sandbox.stop()

    async def register(self, request):
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return JSONResponse({"detail": "unknown key"}, 401)
        return Response()

    async def create(self, request):
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return JSONResponse({"detail": "unknown key"}, 401)
        uid, wish = str(uuid.uuid4()), await request.json()
        self.created.append(wish)
        sandbox = self.sandboxes[uid] = await Sandbox.start()
        sandbox.scope = b64decode(wish["warp_globals_payload"])
        return JSONResponse({"uid": uid, "session_manager_id": "here"})

    async def destroy(self, request):
        if sandbox := self.sandboxes.pop(request.path_params["uid"], None):
            await sandbox.stop()
        return Response()

    async def logs(self, _):
        return JSONResponse([])

    async def socket(self, socket):
        await socket.accept()
        outbox, tasks = asyncio.Queue(), set()

        async def write():
            while True:
                await socket.send_bytes(multiplex_to_json(await outbox.get()))

        tasks.add(asyncio.create_task(write()))
        try:
            while True:
                match multiplex_from_json(await socket.receive_bytes()):
                    case MultiplexInvokeMessage() as wish:
                        tasks.add(asyncio.create_task(self.invoke(wish, outbox.put_nowait)))
                    case MultiplexDataMessage(uid=uid, data=data) if uid in self.sandboxes:
                        self.sandboxes[uid].send(data)
        except WebSocketDisconnect:
            pass
        finally:
            for task in tasks:
                task.cancel()

    async def invoke(self, wish, reply):
        uid, iid = wish.uid, str(uuid.uuid4())
        reply(MultiplexNewIIDResponse(uid=uid, iid=iid, match_id=wish.match_id))
        if self.fails:
            name, text = self.fails
            return reply(
                MultiplexErrorMessage(iid=iid, error_name=name, error_message=text, uid=uid)
            )
        sandbox = self.sandboxes[uid]
        sandbox.to_host = lambda data: reply(MultiplexDataMessage(uid=uid, iid=iid, data=data))
        try:
            await sandbox.begin(sandbox.scope, wish.warp_locals_payload)
            result = await self.think(sandbox, self.model(str(wish.prompt)))
            message = FutureResultMsg(fid=iid, result=result)
            sandbox.to_host(message.to_msgpack())
        except Exception as problem:
            self.problems.append(problem)
            name, text = type(problem).__name__, str(problem)
            reply(MultiplexErrorMessage(iid=iid, error_name=name, error_message=text, uid=uid))

    async def think(self, sandbox, model):
        """Let the model write code, step by step, until a step returns or raises."""
        code = next(model)
        while True:
            info = await sandbox.run(code)
            self.seen.append(info["output"])
            if info["has_raised_error"] and "AgentError" in code:
                return ResultMsg(error=await sandbox.ended("get_last_exception"))
            if info["has_return_value"]:
                return ResultMsg(value=await sandbox.ended("get_last_return_value"))
            try:
                code = model.send(info["output"]) if hasattr(model, "send") else next(model)
            except StopIteration:
                raise RuntimeError(
                    f"the script has no more steps after: {info['output']}"
                ) from None


@contextmanager
def serving(*, key=""):
    """Serve on this machine while the block runs, and yield the server."""
    server = Server(key=key)
    config = uvicorn.Config(server.app(), port=0, log_level="error", ws_max_size=2**26)
    http = uvicorn.Server(config)
    http.install_signal_handlers = lambda: None
    thread = threading.Thread(target=http.run, daemon=True)
    thread.start()
    while not http.started:
        assert thread.is_alive(), "the server did not start"
        threading.Event().wait(0.01)
    server.url = f"http://127.0.0.1:{http.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        http.should_exit = True
        thread.join(10)
