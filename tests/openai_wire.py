"""OpenAI's two wires: Chat Completions and Responses, at once and in pieces."""

import json
import re

from wire import Refused, Wire, pieces


def bearer(headers):
    """Return the key."""
    return headers.get("Authorization", "").removeprefix("Bearer ").strip()


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


def write_chat(model, turn, number):
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


def write_responses(model, turn, number):
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


def stream_chat(model, turn, number):
    """Yield the chunks of a chat completion; the last one carries the usage."""
    whole = write_chat(model, turn, number)
    message, usage = whole["choices"][0]["message"], whole.pop("usage")
    whole["object"] = "chat.completion.chunk"

    def chunk(delta, why=None):
        choice = {"index": 0, "delta": delta, "finish_reason": why}
        return "", {**whole, "choices": [choice]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(message["content"] or ""):
        yield chunk({"content": piece})
    for index, call in enumerate(message.get("tool_calls", ())):
        function = {"name": call["function"]["name"], "arguments": ""}
        yield chunk({"tool_calls": [{**call, "index": index, "function": function}]})
        for piece in pieces(call["function"]["arguments"]):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, whole["choices"][0]["finish_reason"])
    yield "", {**whole, "choices": [], "usage": usage}


def stream_responses(model, turn, number):
    """Yield the events of a response."""
    whole = write_responses(model, turn, number)
    empty = {**whole, "status": "in_progress", "output": [], "usage": None}
    events = [("response.created", {"response": empty})]
    for index, item in enumerate(whole["output"]):
        at = {"output_index": index, "item_id": item["id"]}
        begun = {**item, "status": "in_progress"}
        begun |= {"content": []} if item["type"] == "message" else {"arguments": ""}
        events.append(("response.output_item.added", {"output_index": index, "item": begun}))
        events += _message_pieces(item, at) if item["type"] == "message" else _call_pieces(item, at)
        events.append(("response.output_item.done", {"output_index": index, "item": item}))
    events.append(("response.completed", {"response": whole}))
    for sequence, (kind, data) in enumerate(events):
        yield kind, {"type": kind, "sequence_number": sequence, **data}


def _message_pieces(item, at):
    [part] = item["content"]
    at = {**at, "content_index": 0}
    yield "response.content_part.added", {**at, "part": {**part, "text": ""}}
    for piece in pieces(part["text"]):
        yield "response.output_text.delta", {**at, "delta": piece, "logprobs": []}
    yield "response.output_text.done", {**at, "text": part["text"], "logprobs": []}
    yield "response.content_part.done", {**at, "part": part}


def _call_pieces(item, at):
    for piece in pieces(item["arguments"]):
        yield "response.function_call_arguments.delta", {**at, "delta": piece}
    done = {**at, "name": item["name"], "arguments": item["arguments"]}
    yield "response.function_call_arguments.done", done


CHAT = Wire(bearer, _read_chat, write_chat, stream_chat, ends=True)
RESPONSES = Wire(bearer, _read_responses, write_responses, stream_responses)
