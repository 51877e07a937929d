"""Approvals in Slack from the command line: `serve` a store without code, or ask the `doctor`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ...model import Store
from ..chat.serving import Chat, main
from .doctor import findings
from .settings import read_settings
from .window import Slack


def opened(
    store: Store,
    settings: Path,
    environ: Mapping[str, str],
    notes: Path,
    say: Callable[[str], object],
) -> Slack:
    """Return the window that the settings describe."""
    return Slack(store, read_settings(settings, environ), notes=notes, say=say)


if __name__ == "__main__":
    sys.exit(main(Chat(name="slack", opened=opened, findings=findings)))
