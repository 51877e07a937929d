"""What all wires of the server of scripted models have in common."""

import json
from dataclasses import dataclass


class Refused(Exception):
    """A request that gets an error, in the shape that OpenAI gives it."""

    def __init__(self, status, message, *, code=None, param=None):
        super().__init__(message)
        kind = "server_error" if status >= 500 else "invalid_request_error"
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass
class Wire:
    """How one endpoint is spoken to: where the key is, and how bodies are read and written."""

    key: object
    read: object
    write: object
    stream: object
    refused: type = Refused
    ends: bool = False

    def in_pieces(self, *told):
        """Yield the same answer as events: `event:` where it has a name, `data:`, an empty line."""
        for kind, data in self.stream(*told):
            named = f"event: {kind}\n" if kind else ""
            yield f"{named}data: {json.dumps(data)}\n\n".encode()
        if self.ends:
            yield b"data: [DONE]\n\n"


def pieces(text, size=7):
    """Cut a text into what comes at a time."""
    return [text[at : at + size] for at in range(0, len(text), size)]
