"""Ask in Slack or in Teams, as a settings file says; when nobody answers, ask somebody else."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from ..model import Approver, Store
from ..stores.open import file_of
from .chat.settings import Escalation
from .chat.window import Window
from .escalate import Ask, Escalate, Remind
from .secret import SettingsError

CHATS = ("slack", "teams")


@contextmanager
def in_chat(
    chat: str,
    store: Store,
    url: str,
    settings: Path,
    *,
    environ: Mapping[str, str],
    say: Callable[[str], object] = print,
) -> Generator[Approver]:
    """Yield an approver that asks in a chat, and close its window in the end.

    What was posted is kept beside the store, so that a new start goes on with the same messages.

    Args:
        chat: One of `CHATS`.
        url: Where the store is, as `python -m core --store` takes it.
        settings: `slack.toml` or `teams.toml`; what stands in it, the window's own README tells.
        environ: Where the secrets are, usually `os.environ`.

    Raises:
        RuntimeError: The settings cannot be used, or the store is not kept in a file.
    """
    kept = file_of(url)
    if kept is None:
        raise SettingsError(f"{chat} needs a store in a file, and keeps what it posted beside it")
    notes = kept.with_name(f"{kept.name}.{chat}")
    window, how = _window(chat, store, settings, environ, notes, say)
    with closing(window):
        window.start()
        yield _escalated(window, how, say)


def _window(
    chat: str,
    store: Store,
    settings: Path,
    environ: Mapping[str, str],
    notes: Path,
    say: Callable[[str], object],
) -> tuple[Window, Escalation]:
    match chat:
        case "slack":
            from . import slack

            ours = slack.read_settings(settings, environ)
            return slack.Slack(store, ours, notes=notes, say=say), ours.escalate
        case "teams":
            from . import teams

            theirs = teams.read_settings(settings, environ)
            return teams.Teams(store, theirs, notes=notes, say=say), theirs.escalate
        case _:
            raise SettingsError(f"no chat goes by {chat!r}; there are {' and '.join(CHATS)}")


def _escalated(window: Window, how: Escalation, say: Callable[[str], object]) -> Approver:
    """Add what is said about silence. The window's own notes see to it that each happens once."""
    steps: list[Remind | Ask] = []
    if how.remind:
        steps.append(Remind(after=how.remind, by=window.remind))
    if how.after:
        steps.append(Ask(after=how.after, approver=window.elsewhere(how.to)))
    return Escalate(window, *steps, say=say) if steps else window
