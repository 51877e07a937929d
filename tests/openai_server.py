"""A model on this machine: it speaks OpenAI's wire form over HTTP and says what a script says.

    python -m tests.openai_server SCRIPT.json

prints its base URL and serves until it is stopped. The script is a list of turns, played in order:

    [{"calls": [{"name": "query", "arguments": {"sql": "SELECT 1"}}]}, {"text": "One."}]

`{"status": 429, "message": "slow down"}` refuses one request instead. A last turn with
`"again": true` is played for ever.

It knows Chat Completions, which pydantic-ai takes for `openai-chat:` and `ollama:`, and Responses,
which it takes for `openai:`. It checks what the service checks and a client easily gets wrong: the
key, the model's name, the shape of tools, and that each tool call has exactly one answer. It leaves
out streaming, stored responses (`previous_response_id`), images and audio, reasoning items,
response formats, limits on tokens, and every other endpoint.
"""

import json
import re
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODELS = ("test-model", "gpt-5")


def text(words):
    """Return a turn in which the model answers."""
    return {"text": words}


def calls(*wanted):
    """Return a turn in which the model asks for tools: pairs of name and arguments."""
    return {"calls": [{"name": name, "arguments": arguments} for name, arguments in wanted]}


def trouble(status, message="no"):
    """Return a turn in which one request is refused."""
    return {"status": status, "message": message}


class Refused(Exception):
    """A request that gets an error, in the shape that OpenAI gives it."""

    def __init__(self, status, message, *, code=None, param=None):
        super().__init__(message)
        kind = "server_error" if status >= 500 else "invalid_request_error"
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


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


class OpenAIServer:
    """Plays a script to whoever asks; `with OpenAIServer(calls(...), text(...)) as server:`.

    A turn may also be a function of the request. `requests` holds what was taken, `refused` the
    status and sentence of what was not.
    """

    def __init__(self, *turns, key=None, models=MODELS):
        self.turns, self.key, self.models = list(turns), key, models
        self.requests, self.refused = [], []
        self._lock = threading.Lock()
        self._calls = 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
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

    def answer(self, path, key, raw):
        """Return the body for one request.

        Raises:
            Refused: It gets an error.
        """
        with self._lock:
            try:
                return self._answer(path, key, raw)
            except Refused as refused:
                self.refused.append((refused.status, str(refused)))
                raise

    def _answer(self, path, key, raw):
        read, write = WIRES.get(path, (None, None))
        if read is None:
            raise Refused(404, f"Nothing is served at {path}.")
        if not key:
            raise Refused(401, "No key was given: an Authorization header is needed.")
        if self.key is not None and key != self.key:
            raise Refused(401, f"{key[:3]}... is no key of ours.", code="invalid_api_key")
        body = _json(raw)
        if body.get("model") not in self.models:
            model = body.get("model")
            raise Refused(404, f"There is no model {model!r} for you.", code="model_not_found")
        for left_out in ("stream", "previous_response_id", "background"):
            if body.get(left_out):
                raise Refused(400, f"{left_out} is left out here.", param=left_out)
        asked = Asked(path=path, key=key, body=body, **read(body))
        self.requests.append(asked)
        return write(body["model"], self._turn(asked), len(self.requests))

    def _turn(self, asked):
        if not self.turns:
            raise Refused(500, "The script is over.")
        turn = self.turns[0] if isinstance(self.turns[0], dict) else {}
        turn = self.turns[0] if turn.get("again") else self.turns.pop(0)
        turn = turn(asked) if callable(turn) else turn
        if "status" in turn:
            raise Refused(turn["status"], turn["message"])
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


def _read_chat(body):
    """Read the body of a chat completion, in which tool messages follow the calls they answer."""
    said, wanted, results, open_calls = [], {}, {}, []
    for number, message in enumerate(_list(body, "messages")):
        role, where = message.get("role"), f"messages.[{number}]"
        if role == "tool":
            call = message.get("tool_call_id")
            if call not in open_calls:
                raise Refused(400, f"{call} answers no call before it.", param=f"{where}.role")
            open_calls.remove(call)
            results[call] = _words(message.get("content"), where)
            continue
        _all_answered(open_calls, where)
        if role not in {"system", "developer", "user", "assistant"}:
            raise Refused(400, f"{role!r} is no role.", param=f"{where}.role")
        for call in message.get("tool_calls") or ():
            open_calls.append(call["id"])
            wanted[call["id"]] = _call(call["function"], where)
        if message.get("content") is not None:
            said.append((role, _words(message["content"], where)))
    _all_answered(open_calls, "messages")
    tools = [tool["function"] for tool in body.get("tools") or ()]
    return {"said": said, "wanted": wanted, "results": results, "tools": _tools(tools)}


def _all_answered(open_calls, where):
    if open_calls:
        raise Refused(400, f"Tool calls without an answer: {', '.join(open_calls)}.", param=where)


def _read_responses(body):
    """Read the body of a response, in which calls and their answers are items of their own."""
    said, wanted, results = [], {}, {}
    if body.get("instructions"):
        said.append(("system", body["instructions"]))
    items = body.get("input")
    items = [{"role": "user", "content": items}] if isinstance(items, str) else _list(body, "input")
    for number, item in enumerate(items):
        where = f"input[{number}]"
        match item.get("type", "message"):
            case "message":
                said.append((item.get("role"), _words(item.get("content"), where)))
            case "function_call":
                wanted[item["call_id"]] = _call(item, where)
            case "function_call_output":
                call = item.get("call_id")
                if call not in wanted or call in results:
                    raise Refused(400, f"{call} answers no open call.", param=where)
                results[call] = _words(item.get("output"), where)
            case kind:
                raise Refused(400, f"Items of type {kind!r} are left out here.", param=where)
    _all_answered([call for call in wanted if call not in results], "input")
    tools = _tools(body.get("tools") or ())
    return {"said": said, "wanted": wanted, "results": results, "tools": tools}


def _list(body, name):
    found = body.get(name)
    if not isinstance(found, list) or not found:
        raise Refused(400, f"{name} must be a list with something in it.", param=name)
    return found


def _words(content, where):
    """Return content as text; it may come in parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all("text" in part for part in content):
        raise Refused(400, "Content must be text here.", param=f"{where}.content")
    return "".join(part["text"] for part in content)


def _call(call, where):
    try:
        return call["name"], json.loads(call["arguments"])
    except (TypeError, ValueError, KeyError):
        raise Refused(400, "A call has no name or arguments.", param=where) from None


def _tools(tools):
    found = {}
    for number, tool in enumerate(tools):
        where = f"tools[{number}]"
        name, schema = tool.get("name", ""), tool.get("parameters")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
            raise Refused(400, f"{name!r} is no name for a tool.", param=f"{where}.name")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise Refused(400, f"{name} takes no object.", param=f"{where}.parameters")
        found[name] = schema
    return found


def _write_chat(model, turn, number):
    message = {"role": "assistant", "content": turn["text"]}
    if turn["calls"]:
        message["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])},
            }
            for call in turn["calls"]
        ]
    why = "tool_calls" if turn["calls"] else "stop"
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": number,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": why}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def _write_responses(model, turn, number):
    output = [
        {
            "type": "function_call",
            "id": f"fc_{call['id']}",
            "call_id": call["id"],
            "name": call["name"],
            "arguments": json.dumps(call["arguments"]),
            "status": "completed",
        }
        for call in turn["calls"]
    ]
    if turn["text"] is not None:
        content = [{"type": "output_text", "text": turn["text"], "annotations": []}]
        message = {"type": "message", "id": f"msg_{number}", "role": "assistant"}
        output.append({**message, "status": "completed", "content": content})
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": number,
        "status": "completed",
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 1,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 1,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 2,
        },
    }


WIRES = {
    "/v1/chat/completions": (_read_chat, _write_chat),
    "/v1/responses": (_read_responses, _write_responses),
}


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
            try:
                self._send(200, server.answer(self.path, key, raw))
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

        def log_message(self, *_):
            """Say nothing: what was asked is in `requests`."""

    return Handler


def main(script):
    """Serve a script from a file until somebody stops it."""
    turns = json.loads(Path(script).read_text("utf-8"))
    with OpenAIServer(*turns) as server:
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
