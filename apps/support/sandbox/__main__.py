"""Serve a sandbox until it is told to stop: `python -m apps.support.sandbox --state stripe.db`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import SupportError
from .serving import prepared
from .turn import Setup


def main(words: Sequence[str] | None = None) -> int:
    """Print the address and the key, then serve; return the exit status."""
    parser = argparse.ArgumentParser("python -m apps.support.sandbox", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="file that holds everything")
    parser.add_argument("--port", type=int, default=12111, help="0 takes a free one")
    parser.add_argument("--webhook", action="append", default=[], help="address to tell of events")
    parser.add_argument(
        "--settles", type=float, default=2.0, help="seconds until a refund settles or fails"
    )
    flags = parser.parse_args(words)
    setup = Setup(webhooks=tuple(flags.webhook), settles=flags.settles)
    try:
        with prepared(flags.state, setup, flags.port) as (sandbox, server, door):
            print(f"{sandbox.url} {sandbox.key} {sandbox.secret}", flush=True)
            server.run([door])
    except SupportError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
