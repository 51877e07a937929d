"""A model on this machine: it speaks OpenAI's and Anthropic's wire forms over HTTP, from a script.

    python -m tests.model_server SCRIPT.json

prints its base URL and serves until it is stopped. The script is a list of turns, played in order:

    [{"calls": [{"name": "query", "arguments": {"sql": "SELECT 1"}}]}, {"text": "One."}]

`{"status": 429, "message": "slow down"}` refuses one request instead. A last turn with
`"again": true` is played for ever.

It knows Chat Completions, which pydantic-ai takes for `openai-chat:` and `ollama:`, Responses,
which it takes for `openai:`, and Anthropic's Messages; at once or in pieces. It checks what the
service checks and a client easily gets wrong: the key, the model's name, the shape of tools, and
that each tool call has exactly one answer. It leaves out stored responses, images and audio,
reasoning, response formats, limits on tokens, and every other endpoint.
"""

import json
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # it runs as a program too

import anthropic_wire
import openai_wire
from wire import Refused

MODELS = ("test-model", "gpt-5", "claude-test")


def text(words):
    """Return a turn in which the model answers."""
    return {"text": words}


def calls(*wanted):
    """Return a turn in which the model asks for tools: pairs of name and arguments."""
    return {"calls": [{"name": name, "arguments": arguments} for name, arguments in wanted]}


def trouble(status, message="no"):
    """Return a turn in which one request is refused."""
    return {"status": status, "message": message}


@dataclass
class Asked:
    """One request that was taken, read the same way whatever endpoint it came to.

    Attributes:
        said: Role and text of what people, the system and the model have said.
        wanted: Call id to name and arguments, for each call the model has made so far.
        results: Call id to the text that it got for an answer.
        tools: Name to the JSON schema of the parameters.
    """

    path: str
    key: str
    body: dict
    said: list
    wanted: dict
    results: dict
    tools: dict


class ModelServer:
    """Plays a script to whoever asks; `with ModelServer(calls(...), text(...)) as server:`.

    A turn may also be a function of the request. `requests` holds what was taken, `refused` the
    status and sentence of what was not.
    """

    def __init__(self, *turns, key=None, models=MODELS):
        self.turns, self.key, self.models = list(turns), key, models
        self.requests, self.refused = [], []
        self._lock = threading.Lock()
        self._calls = 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.root = f"http://127.0.0.1:{self._http.server_port}"
        self.url = f"{self.root}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def results(self):
        """Every text that a call got for an answer, in the order of the calls."""
        return list(self.requests[-1].results.values())

    def answer(self, path, headers, raw):
        """Return the body for one request: a dictionary, or the pieces of a stream.

        Raises:
            Refused: It gets an error.
        """
        with self._lock:
            try:
                return self._answer(path, headers, raw)
            except Refused as refused:
                self.refused.append((refused.status, str(refused)))
                raise

    def _answer(self, path, headers, raw):
        wire = WIRES.get(path)
        if wire is None:
            raise Refused(404, f"Nothing is served at {path}.")
        key = wire.key(headers)
        if not key:
            raise wire.refused(401, "No key was given: the header for it is missing.")
        if self.key is not None and key != self.key:
            raise wire.refused(401, f"{key[:3]}... is no key of ours.", code="invalid_api_key")
        body = _json(raw)
        if body.get("model") not in self.models:
            model = body.get("model")
            raise wire.refused(404, f"There is no model {model!r} for you.", code="model_not_found")
        for left_out in ("previous_response_id", "background"):
            if body.get(left_out):
                raise Refused(400, f"{left_out} is left out here.", param=left_out)
        asked = Asked(path=path, key=key, body=body, **wire.read(body))
        self.requests.append(asked)
        turn = self._turn(asked, wire.refused)
        told = (body["model"], turn, len(self.requests))
        return wire.in_pieces(*told) if body.get("stream") else wire.write(*told)

    def _turn(self, asked, refused):
        if not self.turns:
            raise refused(500, "The script is over.")
        turn = self.turns[0] if isinstance(self.turns[0], dict) else {}
        turn = self.turns[0] if turn.get("again") else self.turns.pop(0)
        turn = turn(asked) if callable(turn) else turn
        if "status" in turn:
            raise refused(turn["status"], turn["message"])
        made = []
        for call in turn.get("calls", ()):
            self._calls += 1
            made.append({**call, "id": f"call_{self._calls}"})
        return {"text": turn.get("text"), "calls": made}


def _json(raw):
    try:
        body = json.loads(raw)
    except ValueError:
        raise Refused(400, "The body is no JSON.") from None
    if not isinstance(body, dict):
        raise Refused(400, "The body is no JSON object.")
    return body


WIRES = {
    "/v1/chat/completions": openai_wire.CHAT,
    "/v1/responses": openai_wire.RESPONSES,
    "/v1/messages": anthropic_wire.MESSAGES,
}


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            try:
                answer = server.answer(path, self.headers, raw)
                if isinstance(answer, dict):
                    self._send(200, answer)
                else:
                    self._stream(answer)
            except Refused as refused:
                self._send(refused.status, refused.body)

        def _send(self, status, body):
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if status >= 400:
                self.send_header("Retry-After-Ms", "1")  # clients that try again need not wait
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, events):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for event in (*events, b""):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
                self.wfile.flush()

        def log_message(self, *_):
            """Say nothing: what was asked is in `requests`."""

    return Handler


def main(script):
    """Serve a script from a file until somebody stops it."""
    turns = json.loads(Path(script).read_text("utf-8"))
    with ModelServer(*turns) as server:
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
