"""Try the dialog: a small shop whose assistant asks you before it gives your money back."""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

from ...stores.memory import MemoryStore
from .confirm import BrowserConfirm

HOST = "127.0.0.1"


def main() -> int:
    """Serve the example page until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m core.approvers.browser", description=__doc__)
    parser.add_argument("--port", type=int, default=8765, help="0 takes any (default: 8765)")
    options = parser.parse_args()
    try:
        serve = server(BrowserConfirm(MemoryStore()))
        door = socket.create_server((HOST, options.port))
    except ImportError as missing:
        print(f"{missing.name} is missing: pip install 'gated-agents[dashboard]'", file=sys.stderr)
        return 1
    except (OSError, OverflowError) as problem:
        print(f"port {options.port} cannot be used: {problem}", file=sys.stderr)
        return 1
    print(f"Open http://{HOST}:{door.getsockname()[1]}/ and let the assistant answer the post.")
    print(
        "A second browser is somebody else, with a shop of their own. Ctrl-C ends it.", flush=True
    )
    with suppress(KeyboardInterrupt):
        serve(sockets=[door])
    return 0


def server(confirm: BrowserConfirm) -> Callable[..., None]:
    """Return what serves the page until it is interrupted; pages that listen do not hold it up."""
    import uvicorn

    from .example import example

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            confirm.close()
            await super().shutdown(sockets)

    config = uvicorn.Config(example(confirm), log_level="warning", timeout_graceful_shutdown=2)
    return Server(config).run


if __name__ == "__main__":
    sys.exit(main())
