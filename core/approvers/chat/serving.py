"""Show all that waits in a store in a chat, until interrupted: for teams that write no code."""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ...model import Store, StoreError
from ...stores.open import file_of, open_store
from ..secret import SettingsError
from .looking import Finding, told
from .window import Window

SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_BETWEEN_SWEEPS = 30.0
PAGE = 200
WRONG, INTERRUPTED = 1, 130


Say: TypeAlias = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """What the command line needs to know of a chat.

    Attributes:
        opened: Store, settings, where secrets are, a file for notes and who is told in; the window
            out.
        findings: Settings and where secrets are in; what was looked at out, piece by piece.
    """

    name: str
    opened: Callable[[Store, Path, Mapping[str, str], Path, Say], Window]
    findings: Callable[[Path, Mapping[str, str]], Iterable[Finding]]


def main(chat: Chat, words: Sequence[str] | None = None) -> int:
    """Run `serve` or `doctor` of a chat; return the exit code."""
    program = f"python -m core.approvers.{chat.name}"
    made = argparse.ArgumentParser(prog=program, description=f"Approvals in {chat.name.title()}.")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    about = "show all that waits in a store, and take what people decide"
    serving = commands.add_parser("serve", help=about, description=about)
    serving.add_argument("--store", required=True, metavar="URL", help="FILE or sqlite:///FILE")
    about = "tell in plain words what is missing or wrong"
    looking = commands.add_parser("doctor", help=about, description=about)
    for one in (serving, looking):
        default = Path(f"{chat.name}.toml")
        one.add_argument("--settings", type=Path, default=default, help=f"default: {default}")
    options = made.parse_args(words)
    try:
        if options.command == "doctor":
            return told(chat.findings(options.settings, os.environ), _say)
        return serve(chat, options.store, options.settings)
    except (RuntimeError, OSError) as error:
        _say(f"{error}")
        return WRONG
    except KeyboardInterrupt:
        _say("The window is closed; what waits goes on waiting.")
        return INTERRUPTED


def serve(chat: Chat, url: str, settings: Path) -> int:
    """Show what waits until interrupted.

    Raises:
        RuntimeError: The store or the settings cannot be used.
    """
    kept = file_of(url)
    if kept is None:
        raise SettingsError("name a store in a file: a store in memory is seen by nobody else")
    notes = kept.with_name(f"{kept.name}.{chat.name}")
    with closing(open_store(url, create=False)) as store:
        window = chat.opened(store, settings, os.environ, notes, _say)
        with closing(window):
            window.start()
            _say(f"What waits in {url} is shown in {window.place}. Ctrl-C ends it.")
            show_all(store, window, threading.Event())
    return 0


def show_all(store: Store, window: Window, over: threading.Event) -> None:
    """See to it that there is a message for all that waits, now and from now on."""
    news, looks = threading.Event(), 0
    with store.watch("", news.set):
        while not over.is_set():
            news.clear()
            try:
                if looks % int(SECONDS_BETWEEN_SWEEPS / SECONDS_BETWEEN_LOOKS) == 0:
                    store.sweep()
                _show_waiting(store, window)
            except StoreError as error:
                _say(f"{error}; it is tried again")
            looks += 1
            news.wait(SECONDS_BETWEEN_LOOKS)


def _show_waiting(store: Store, window: Window) -> None:
    after = ""
    while page := store.pending(after=after, limit=PAGE):
        for stored in page:
            window.board.show(stored.request.id, window.place)
        after = page[-1].request.id


def _say(text: str) -> None:
    print(text, flush=True)
