"""A Slack workspace on this machine: Web API over HTTP, Socket Mode over a websocket, people.

It keeps the rules that a client easily breaks: which token and scope a method takes, whether the
bot is in a channel, types, fields and limits of blocks and modals, that a message of the bot alone
can be changed, that a trigger opens one modal and lives three seconds, that a click's own address
takes five answers within half an hour, that clicks and forms are acknowledged within three seconds,
signatures of requests over HTTP, and rate limits with `Retry-After`.
A click goes to one of the open sockets; when none answers, the person sees an error.

It leaves out everything that the window has no use for: other methods and events, files, markup,
shortcuts, workflows, Enterprise Grid, and pages of a long history.
"""

import asyncio
import hashlib
import hmac
import json
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import count

import slack_schema
import uvicorn
from slack_people import User
from slack_schema import Invalid
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

SECONDS_TO_ACKNOWLEDGE = 3.0
SECONDS_OF_A_TRIGGER = 3.0
SECONDS_OF_A_RESPONSE, RESPONSES = 30 * 60, 5
SCOPES = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.postEphemeral": "chat:write",
    "conversations.info": "channels:read",
    "conversations.history": "channels:history",
    "users.info": "users:read",
}
READS = {"conversations.info", "conversations.history", "users.info"}
"""Methods that take fields as a form or in the address; JSON is not looked at."""
OURS = "chat:write,channels:read,groups:read,channels:history,groups:history,users:read"


@dataclass
class Trouble:
    """What happens to the next calls of a method instead of an answer.

    Attributes:
        taken: Whether the call is done all the same, and only its answer gets lost.
    """

    times: int = 1
    status: int = 200
    error: str = ""
    retry_after: int = 0
    taken: bool = False


@dataclass
class Channel:
    """A channel, and who is in it."""

    id: str
    name: str
    has_bot: bool = True
    is_archived: bool = False
    messages: dict = field(default_factory=dict)


class Error(Exception):
    """An answer that is not ok."""

    def __init__(self, error, **more):
        super().__init__(error)
        self.body = {"ok": False, "error": error, **more}


class SlackApi:
    """The workspace; `with SlackApi() as api:`.

    Attributes:
        calls: Method and fields of everything that was asked.
        request_url: Where clicks go over HTTP; empty for Socket Mode.
        late: What was not acknowledged in time.
    """

    def __init__(self, *, team="T024BE7LD"):
        self.team, self.bot = team, "U0BOT"
        self.bot_token, self.app_token = "xoxb-test-bot", "xapp-test-app"
        self.signing_secret, self.request_url = "8f742231b10e8888abcd99yyyzzz85a5", ""
        self.scopes, self.clock = set(OURS.split(",")), time.time
        self.channels = {"C024BE91L": Channel("C024BE91L", "releases")}
        self.users, self.calls, self.late = {}, [], []
        self.ephemerals = defaultdict(list)
        self._troubles, self._triggers, self._ids = defaultdict(list), {}, count(1)
        self._responses = {}
        self._sockets, self._tickets, self._waiting = [], set(), {}
        self._lock = threading.RLock()
        app = Starlette(
            routes=[
                Route("/api/{method}", self._method, methods=["POST"]),
                Route("/actions/{token}", self._responded, methods=["POST"]),
                WebSocketRoute("/link", self._socket),
            ]
        )
        config = uvicorn.Config(
            app,
            port=0,
            log_config=None,
            ws="websockets-sansio",
            lifespan="off",
            date_header=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self):
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/api/"
        return self

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join(10)

    # What a test looks at.

    def user(self, user_id, **fields):
        """Return a person of the workspace."""
        return self.users.setdefault(user_id, User(self, user_id, **fields))

    def channel(self, channel_id, name="other", **fields):
        """Make another channel."""
        made = self.channels[channel_id] = Channel(channel_id, name, **fields)
        return made

    def messages(self, channel="C024BE91L"):
        """Return the messages of a channel as they are now, without replies, oldest first."""
        with self._lock:
            found = self.channels[channel].messages.values()
            return [dict(one) for one in found if "thread_ts" not in one]

    def replies(self, message):
        """Return what is written under a message."""
        with self._lock:
            found = self.channels[message["channel"]].messages.values()
            return [dict(one) for one in found if one.get("thread_ts") == message["ts"]]

    def fail(self, method, **trouble):
        """Let the next calls of a method fail."""
        self._troubles[method].append(Trouble(**trouble))

    @property
    def is_connected(self):
        """Whether somebody hears clicks."""
        return bool(self._sockets)

    def disconnect(self):
        """Close all sockets, as Slack does every now and then."""
        for socket in [*self._sockets]:
            self._in_loop(socket.close())

    # What people do.

    def trigger(self, user):
        """Return a trigger for one modal of that person."""
        made = f"{next(self._ids)}.{self.team}.trigger"
        self._triggers[made] = (self.clock(), user)
        return made

    def response_url(self, user, channel):
        """Return an address at which that person can be answered."""
        token = f"T{next(self._ids)}"
        self._responses[token] = [self.clock(), 0, user.id, channel]
        return f"{self.root}/actions/{token}"

    def deliver(self, payload, *, seconds=SECONDS_TO_ACKNOWLEDGE):
        """Hand a payload to the app, and return its answer; `None` when there is none in time."""
        sent = self._over_http if self.request_url else self._over_socket
        answer = sent(payload, seconds)
        if answer is None:
            self.late.append(payload)
        return answer

    def signed(self, payload, *, at=None, secret=None):
        """Return headers and body of a request over HTTP."""
        from urllib.parse import urlencode

        body = urlencode({"payload": json.dumps(payload)}).encode()
        stamp = str(int(self.clock() if at is None else at))
        base = b"v0:" + stamp.encode() + b":" + body
        key = (secret or self.signing_secret).encode()
        signature = "v0=" + hmac.new(key, base, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": signature,
        }, body

    def _over_http(self, payload, seconds):
        import requests

        headers, body = self.signed(payload)
        try:
            answer = requests.post(self.request_url, data=body, headers=headers, timeout=seconds)
        except requests.RequestException:
            return None
        return answer.json() if answer.status_code == 200 else None

    def _over_socket(self, payload, seconds):
        if not self._sockets:
            return None
        envelope = f"e{next(self._ids)}"
        message = {
            "envelope_id": envelope,
            "type": "interactive",
            "accepts_response_payload": True,
            "payload": payload,
        }
        heard = self._waiting[envelope] = threading.Event()
        heard.answer = None
        try:
            self._in_loop(self._sockets[-1].send_text(json.dumps(message)))
        except Exception:
            return None
        return heard.answer if heard.wait(seconds) else None

    def _in_loop(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    async def _socket(self, socket):
        self._loop = asyncio.get_running_loop()
        ticket = socket.query_params.get("ticket")
        if ticket not in self._tickets:
            await socket.close()
            return
        self._tickets.discard(ticket)
        await socket.accept()
        await socket.send_text(json.dumps({"type": "hello", "num_connections": 1}))
        self._sockets.append(socket)
        try:
            while True:
                said = json.loads(await socket.receive_text())
                if heard := self._waiting.pop(said.get("envelope_id"), None):
                    heard.answer = said.get("payload") or {}
                    heard.set()
        except WebSocketDisconnect:
            pass
        finally:
            self._sockets.remove(socket)

    # The Web API.

    async def _method(self, request):
        method = request.path_params["method"]
        if request.headers.get("content-type", "").startswith("application/json"):
            fields = json.loads(await request.body() or b"{}") if method not in READS else {}
        else:
            fields = dict(await request.form())
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return await run_in_threadpool(self._answer, method, token, fields)

    async def _responded(self, request):
        begun, used, user, channel = known = self._responses[request.path_params["token"]]
        fields = await request.json()
        if self.clock() - begun > SECONDS_OF_A_RESPONSE or used >= RESPONSES:
            return PlainTextResponse("expired_url", 404)
        if fields.get("response_type") != "ephemeral" or fields.get("replace_original"):
            return PlainTextResponse("only the person is answered here", 400)
        known[1] += 1
        try:
            self._checked(fields)
        except (Invalid, Error) as error:
            return PlainTextResponse(str(error), 400)
        self.ephemerals[user].append({**fields, "channel": channel})
        return PlainTextResponse("ok")

    def _answer(self, method, token, fields):
        headers = {
            "x-oauth-scopes": ",".join(sorted(self.scopes)),
            "date": formatdate(self.clock()),
        }
        with self._lock:
            self.calls.append((method, fields))
            trouble = self._trouble(method)
            try:
                known = trouble is None or trouble.taken
                body = self._done(method, token, fields) if known else {}
            except Error as error:
                body = error.body
        if trouble is not None:
            if trouble.status == 429:
                headers["retry-after"] = str(trouble.retry_after)
                return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers)
            if trouble.status >= 500:
                return PlainTextResponse("upstream", trouble.status, headers)
            body = {"ok": False, "error": trouble.error}
        return JSONResponse(body, headers=headers)

    def _trouble(self, method):
        for one in self._troubles[method]:
            if one.times > 0:
                one.times -= 1
                return one
        return None

    def _done(self, method, token, fields):
        wanted = self.app_token if method == "apps.connections.open" else self.bot_token
        if not token:
            raise Error("not_authed")
        if token != wanted:
            raise Error(
                "invalid_auth"
                if token not in (self.app_token, self.bot_token)
                else "not_allowed_token_type"
            )
        if (scope := SCOPES.get(method)) and scope not in self.scopes:
            raise Error("missing_scope", needed=scope, provided=",".join(sorted(self.scopes)))
        done = getattr(self, "_" + method.replace(".", "_").lower(), None)
        if done is None:
            raise Error("unknown_method")
        try:
            return {"ok": True, **done(fields)}
        except Invalid as invalid:
            told = {"response_metadata": {"messages": [f"[ERROR] {invalid}"]}}
            raise Error(invalid.error, **told) from None

    def _auth_test(self, _):
        return {"team_id": self.team, "user_id": self.bot, "bot_id": "B0BOT", "team": "Test"}

    def _apps_connections_open(self, _):
        ticket = f"ticket-{next(self._ids)}"
        self._tickets.add(ticket)
        return {"url": f"{self.root.replace('http', 'ws')}/link?ticket={ticket}"}

    def _chat_postmessage(self, fields):
        channel = self._open_channel(fields)
        self._checked(fields)
        ts = f"{int(self.clock())}.{next(self._ids):06}"
        kept = {
            name: fields[name]
            for name in ("text", "blocks", "metadata", "thread_ts")
            if name in fields
        }
        if "thread_ts" in kept and kept["thread_ts"] not in channel.messages:
            raise Error("thread_not_found")
        channel.messages[ts] = {**kept, "ts": ts, "channel": channel.id, "user": self.bot}
        return {"ts": ts, "channel": channel.id, "message": channel.messages[ts]}

    def _chat_update(self, fields):
        channel = self._open_channel(fields)
        self._checked(fields)
        message = channel.messages.get(fields.get("ts"))
        if message is None:
            raise Error("message_not_found")
        if message["user"] != self.bot:
            raise Error("cant_update_message")
        message |= {"text": fields["text"], "blocks": fields["blocks"]}
        return {"ts": fields["ts"], "channel": channel.id, "text": fields["text"]}

    def _chat_postephemeral(self, fields):
        channel = self._open_channel(fields)
        self._checked(fields)
        self.ephemerals[fields["user"]].append({**fields, "channel": channel.id})
        return {"message_ts": f"{int(self.clock())}.{next(self._ids):06}"}

    def _conversations_info(self, fields):
        channel = self.channels.get(fields.get("channel"))
        if channel is None:
            raise Error("channel_not_found")
        about = {"id": channel.id, "name": channel.name, "is_archived": channel.is_archived}
        return {"channel": {**about, "is_member": channel.has_bot}}

    def _conversations_history(self, fields):
        channel = self.channels.get(fields.get("channel"))
        if channel is None:
            raise Error("channel_not_found")
        since = float(fields.get("oldest", 0))
        found = [one for one in channel.messages.values() if "thread_ts" not in one]
        found = [one for one in found if float(one["ts"]) > since]
        if not fields.get("include_all_metadata"):
            found = [{k: v for k, v in one.items() if k != "metadata"} for one in found]
        return {"messages": found[::-1], "has_more": False}

    def _views_open(self, fields):
        begun, user = self._triggers.pop(fields.get("trigger_id"), (None, None))
        if begun is None:
            raise Error("exchanged_trigger_id")
        if self.clock() - begun > SECONDS_OF_A_TRIGGER:
            raise Error("expired_trigger_id")
        slack_schema.view(fields["view"])
        view = {**fields["view"], "id": f"V{next(self._ids)}", "hash": str(next(self._ids))}
        user.view = view
        return {"view": view}

    def _users_info(self, fields):
        found = self.users.get(fields.get("user"))
        if found is None:
            raise Error("user_not_found")
        about = {"id": found.id, "deleted": found.is_deleted, "is_bot": found.is_bot}
        return {"user": {**about, "team_id": found.team, "real_name": found.id}}

    def _open_channel(self, fields):
        place = fields.get("channel", "")
        if place in self.users:
            place = self.channels.setdefault(f"D{place}", Channel(f"D{place}", "direct")).id
        channel = self.channels.get(place)
        if channel is None:
            raise Error("channel_not_found")
        if channel.is_archived:
            raise Error("is_archived")
        if not channel.has_bot:
            raise Error("not_in_channel")
        return channel

    def _checked(self, fields):
        if not fields.get("text") and not fields.get("blocks"):
            raise Error("no_text")
        if len(fields.get("text", "")) > 40_000:
            raise Error("msg_too_long")
        slack_schema.blocks(fields.get("blocks", []))
        if len(json.dumps(fields.get("blocks", []))) > slack_schema.MOST_JSON:
            raise Error("msg_blocks_too_long")
