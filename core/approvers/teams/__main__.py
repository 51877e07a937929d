"""Approvals in Teams from the command line: `serve` a store without code, or ask the `doctor`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ...model import Store
from ..chat.serving import main
from ..chat.window import Window
from . import doctor as looking
from .settings import read_settings
from .window import Teams


class Command:
    """Teams, as the command line needs it."""

    name = "teams"

    def opened(
        self,
        store: Store,
        settings: Path,
        environ: Mapping[str, str],
        notes: Path,
        say: Callable[[str], object],
    ) -> tuple[Window, str]:
        ours = read_settings(settings, environ)
        return Teams(store, ours, notes=notes, say=say), ours.conversation

    def doctor(
        self, settings: Path, environ: Mapping[str, str], say: Callable[[str], object]
    ) -> int:
        return looking.doctor(settings, environ, say)


if __name__ == "__main__":
    sys.exit(main(Command()))
