"""Plays the services that announcements go to: web hooks, chats with an API, and a mail server."""

import json
import threading
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from aiosmtpd.controller import Controller

SLACK = ("T1JHG3T3L", "A1BRTD4JD", "TIiajkdnlazkcOXrIdevi7Cq")
DISCORD = ("4174296324", "hhJ1B0lLdiscordtoken")
TELEGRAM = "123456789:telegramtokenAbCdEfGhIjKlMnOpQrS"
PASSWORD = "correcthorsebattery"
SECRETS = (*SLACK[1:], DISCORD[1], TELEGRAM.partition(":")[2], PASSWORD)


class Receiver:
    """Takes what is posted on loopback, after it has answered with each of `statuses` once."""

    def __init__(self, *statuses):
        self.posts, self.statuses = [], list(statuses)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def bodies(self):
        """Return what was posted: JSON or a form as values, anything else as text."""
        return [_read(kind, body) for _, kind, body in self.posts]


def _handler(receiver):
    class Taking(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.statuses.pop(0) if receiver.statuses else 200
            receiver.posts.append((self.path, self.headers["Content-Type"], body))
            answer = b"ok" if "/services/" in self.path else b'{"ok": true, "result": {}}'
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            """Keep the test's output clean."""

    return Taking


def _read(kind, body):
    text = body.decode("utf-8")
    if "json" in kind:
        return json.loads(text)
    if "urlencoded" in kind:
        return {name: values[0] for name, values in parse_qs(text).items()}
    return text


def moved_to(receiver, monkeypatch):
    """Point those services at the receiver whose hosts are fixed; return all their addresses."""
    from apprise.plugins.discord import NotifyDiscord
    from apprise.plugins.slack import NotifySlack
    from apprise.plugins.telegram import NotifyTelegram

    monkeypatch.setattr(NotifySlack, "webhook_url", f"{receiver.url}/services")
    monkeypatch.setattr(NotifyDiscord, "notify_url", f"{receiver.url}/discord")
    monkeypatch.setattr(NotifyTelegram, "notify_url", f"{receiver.url}/bot")
    here = f"127.0.0.1:{receiver.port}"
    return {
        "json": f"json://ana:{PASSWORD}@{here}/hook",
        "form": f"form://{here}/hook",
        "xml": f"xml://{here}/hook",
        "ntfy": f"ntfy://ana:{PASSWORD}@{here}/approvals",
        "ntfy markdown": f"ntfy://{here}/approvals?format=markdown",
        "mattermost": f"mmost://{here}/{PASSWORD}",
        "slack": f"slack://{'/'.join(SLACK)}/#ops",
        "slack markdown": f"slack://{'/'.join(SLACK)}/#ops?format=markdown",
        "slack blocks": f"slack://{'/'.join(SLACK)}/#ops?blocks=yes",
        "discord": f"discord://{'/'.join(DISCORD)}",
        "discord markdown": f"discord://{'/'.join(DISCORD)}?format=markdown",
        "telegram": f"tgram://{TELEGRAM}/12315544/",
        "telegram markdown": f"tgram://{TELEGRAM}/12315544/?format=markdown",
    }


class Mails:
    """Keeps the mails it is given."""

    def __init__(self):
        self.seen, self.to = [], []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - so aiosmtpd calls it
        self.to += envelope.rcpt_tos
        self.seen.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"


@contextmanager
def mail_server(port):
    """Yield the mails that come in at a port of this machine."""
    mails = Mails()
    controller = Controller(mails, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield mails
    finally:
        controller.stop()
