"""Microsoft Teams on this machine: Entra, Bot Framework, Bot Connector, Workflows, and people.

While it is open, this process and the programs that it starts reach it under Microsoft's own
addresses: `HTTPS_PROXY` leads there, and `SSL_CERT_FILE` and `REQUESTS_CA_BUNDLE` trust a
throw-away authority. So no setting of a bot is another one than in production. What the library
asks, and where: MSAL gets a token from `login.microsoftonline.com` (it insists on https, and asks
an unknown host's owner about it); keys of incoming activities come from
`login.botframework.com/v1/.well-known/keys`; messages go to `smba.trafficmanager.net`. Connections
to any other host are refused, and `strangers` names them.

It keeps the rules that a bot easily breaks: id, secret and scope of the token, and the token in
every call; tenant and conversations; that a reply is one by the `;messageid=` of its conversation;
fields of messages, cards with their properties, ids, verbs and `refresh`, and sizes; which messages
a bot can change; which buttons a card really has, and what their fields send; answers to a press in
time and in shape, and what a person sees after them; rate limits with `Retry-After`.

It leaves out what a bot for approvals has no use for: files, meetings, reactions, people who sign
in, `Action.Submit`, pages of members, streams, deleting. How long Teams waits for an answer, and
whether a refresh by itself says so in `trigger`, is not documented: ten seconds, and it does not.
"""

import asyncio
import os
import socket
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import teams_tokens
import uvicorn
from starlette.applications import Starlette
from teams_conversations import Conversation, Conversations
from teams_routes import HOSTS, routes
from teams_sending import Sending
from teams_tunnel import Tunnel


@dataclass
class Trouble:
    """What happens to the next calls of one kind instead of an answer.

    Attributes:
        status: Of the answer; 0 cuts the connection.
        taken: Whether the call is done all the same, and only its answer gets lost.
        seconds: How long the answer takes.
    """

    times: int = 1
    status: int = 503
    code: str = "ServiceUnavailable"
    retry_after: int = 0
    taken: bool = False
    seconds: float = 0.0


class TeamsApi(Conversations, Sending):
    """The tenant; `with TeamsApi() as api:`.

    Attributes:
        tenant, app, secret: What the bot is registered with.
        conversation: Id of the channel that is there from the start.
        bot_url: Where activities go: the bot's own endpoint, `http://127.0.0.1:…/api/messages`.
        webhook: Address of a Workflow that posts cards; `posted` and `failed` is what became of
            them (it says yes to everything at first, as the real one does).
        calls: Kind, path and body of all that was asked.
        strangers: Hosts that somebody tried to reach, and that are not Microsoft's.
        clock: Says the time; tokens and messages are made by it.
    """

    def __init__(self):
        self.tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
        self.app = "b9c0ffee-0000-4000-8000-00000000b070"
        self.secret = "Xy~8Q~not-a-real-one"
        self.service = f"https://smba.trafficmanager.net/emea/{self.tenant}/"
        self.bot_url, self.clock = "", time.time
        self.conversation = "19:releases@thread.tacv2"
        self.conversations = {self.conversation: Conversation(self.conversation)}
        self.users, self.calls, self.strangers, self.delivered = {}, [], [], []
        self.posted, self.failed, self.tokens = [], [], 0
        self.webhook = (
            "https://prod-61.westeurope.logic.azure.com:443/workflows/4cd8/triggers/manual/paths"
            "/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=q-Sig"
        )
        self.lock = threading.RLock()
        self._troubles, self._last = {}, 0
        self._files, self._environ = tempfile.TemporaryDirectory(prefix="teams"), None
        self._server = self._made(Path(self._files.name))
        self._started = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), daemon=True, name="teams"
        )

    def __enter__(self):
        self._thread.start()
        assert self._started.wait(20)
        self._environ = patch.dict(os.environ, self.environ)
        self._environ.start()
        urllib.request.install_opener(None)
        return self

    def __exit__(self, *_):
        self._environ.stop()
        urllib.request.install_opener(None)
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
        self._files.cleanup()

    @property
    def environ(self):
        """What a program has to find in its environment to end up here."""
        authority = str(Path(self._files.name) / "authority.pem")
        return {
            "HTTPS_PROXY": self.proxy,
            "https_proxy": self.proxy,
            "NO_PROXY": "",
            "no_proxy": "",
            "SSL_CERT_FILE": authority,
            "REQUESTS_CA_BUNDLE": authority,
        }

    def fail(self, kind, **trouble):
        """Let the next calls of a kind fail.

        Args:
            kind: `openid`, `token`, `keys`, `post`, `reply`, `put`, `create`, `members` or `hook`.
        """
        self._troubles.setdefault(kind, []).append(Trouble(**trouble))

    def trouble(self, kind):
        """Return what happens to this call, or `None`."""
        for one in self._troubles.get(kind, []):
            if one.times > 0:
                one.times -= 1
                return one
        return None

    def _made(self, folder):
        private, certificate = teams_tokens.certified(*HOSTS)
        for name, text in [("key", private), ("cert", certificate)]:
            (folder / f"{name}.pem").write_bytes(text)
        (folder / "authority.pem").write_bytes(teams_tokens.trusted())
        return uvicorn.Server(
            uvicorn.Config(
                Starlette(routes=routes(self)),
                log_config=None,
                lifespan="off",
                ws="none",
                ssl_keyfile=folder / "key.pem",
                ssl_certfile=folder / "cert.pem",
                timeout_graceful_shutdown=1,
            )
        )

    async def _serve(self):
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            serving = asyncio.create_task(self._server.serve([listening]))
            tunnel = Tunnel(HOSTS, listening.getsockname()[1], self.strangers)
            await tunnel.open()
            self.proxy, self.cut = tunnel.url, tunnel.cut
            self._started.set()
            await self._over.wait()
            await tunnel.close()
            self._server.should_exit = True
            await serving
