"""Anthropic's Messages, as the server of scripted models speaks it.

It checks what the service checks and a client easily gets wrong: the version header, `max_tokens`,
turns that alternate, that every `tool_use` is answered by a `tool_result` in the very next message
and nothing else is, and the names and schemas of tools. It leaves out images, documents, thinking,
citations, caching, tools of the service itself, batches and token counting.
"""

import json
import re

from wire import Refused, Wire, pieces

KINDS = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


class Misasked(Refused):
    """A request that gets an error, in the shape that Anthropic gives it."""

    def __init__(self, status, message, **_):
        super().__init__(status, message)
        kind = KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
        self.body = {"type": "error", "error": {"type": kind, "message": message}}


def read(body):
    """Read the body of a request to `/v1/messages`."""
    if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1:
        raise Misasked(400, "max_tokens: Field required")
    found = {"said": [], "wanted": {}, "results": {}, "tools": _tools(body)}
    if body.get("system"):
        found["said"].append(("system", _words(body["system"])))
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or messages[0].get("role") != "user":
        raise Misasked(400, "messages: first message must use the user role")
    open_calls = set()
    for number, message in enumerate(messages):
        open_calls = _read_message(message, f"messages.{number}", open_calls, found)
    if open_calls:
        raise Misasked(400, "`tool_use` ids were found without `tool_result` blocks after them")
    return found


def _read_message(message, where, open_calls, found):
    """Read one message; return the calls that the next one has to answer."""
    role, blocks = message.get("role"), _blocks(message.get("content"))
    if role not in {"user", "assistant"}:
        raise Misasked(400, f"{where}.role: Input should be 'user' or 'assistant'")
    answers = [block for block in blocks if block["type"] == "tool_result"]
    if {block["tool_use_id"] for block in answers} != open_calls:
        raise Misasked(400, f"{where}: each `tool_use` has its `tool_result` in the next message")
    for block in answers:
        found["results"][block["tool_use_id"]] = _words(block.get("content", ""))
    asked = set()
    for block in blocks:
        match block["type"]:
            case "text":
                found["said"].append((role, block["text"]))
            case "tool_use" if role == "assistant":
                found["wanted"][block["id"]] = (block["name"], block["input"])
                asked.add(block["id"])
            case "tool_result" if role == "user":
                pass
            case kind:
                raise Misasked(400, f"{where}: {kind!r} is left out here")
    return asked


def _blocks(content):
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list) or not all("type" in block for block in content):
        raise Misasked(400, "content: Input should be a text or a list of blocks")
    return content


def _words(content):
    return "".join(block.get("text", "") for block in _blocks(content))


def _tools(body):
    found = {}
    for tool in body.get("tools") or ():
        name, schema = tool.get("name", ""), tool.get("input_schema")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", name):
            raise Misasked(400, f"tools: {name!r} should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise Misasked(400, f"tools.{name}.input_schema.type: Field required")
        found[name] = schema
    return found


def write(model, turn, number):
    """Return a message."""
    content = [{"type": "text", "text": turn["text"]}] if turn["text"] is not None else []
    content += [
        {"type": "tool_use", "id": call["id"], "name": call["name"], "input": call["arguments"]}
        for call in turn["calls"]
    ]
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "tool_use" if turn["calls"] else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def stream(model, turn, number):
    """Yield the events of a message that comes in pieces: name and data."""
    whole = write(model, turn, number)
    start = {**whole, "content": [], "stop_reason": None}
    yield "message_start", {"type": "message_start", "message": start}
    for index, block in enumerate(whole["content"]):
        yield from _block(index, block)
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 1}}
    yield "message_stop", {"type": "message_stop"}


def _block(index, block):
    empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
    at = {"index": index}
    yield "content_block_start", {"type": "content_block_start", **at, "content_block": empty}
    words = block["text"] if block["type"] == "text" else json.dumps(block["input"])
    for piece in pieces(words):
        if block["type"] == "text":
            delta = {"type": "text_delta", "text": piece}
        else:
            delta = {"type": "input_json_delta", "partial_json": piece}
        yield "content_block_delta", {"type": "content_block_delta", **at, "delta": delta}
    yield "content_block_stop", {"type": "content_block_stop", **at}


def own(headers):
    """Return the key, from either header; the version of the wire has to be there too."""
    if not headers.get("anthropic-version"):
        raise Misasked(400, "anthropic-version: header is required")
    bearer = headers.get("Authorization", "").removeprefix("Bearer ")
    return headers.get("x-api-key", bearer).strip()


MESSAGES = Wire(own, read, write, stream, refused=Misasked)
