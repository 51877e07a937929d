"""The people of an app, in a chat: they see a message, and do as in the app's own story."""

import time

from people import eventually

from core.stores.open import open_store

PATIENCE = 150


def play(process, store, decide, say):
    """Answer every question of a program until it ends.

    Args:
        store: Where its requests are; the file may not be there yet.
        decide: Returns what people say of a request, in order.
        say: Says it in the chat.

    Returns:
        How many questions there were, and what the program has printed.
    """
    said, end = set(), time.monotonic() + PATIENCE
    while process.poll() is None:
        assert time.monotonic() < end, "the program did not end"
        for stored in waiting(store):
            request = stored.request
            if (request.id, request.digest) not in said:
                said.add((request.id, request.digest))
                for decision in decide(request):
                    say(decision, request)
        time.sleep(0.02)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return len(said), out


def waiting(store):
    """Return what waits in a store."""
    if not store.exists():
        return []
    with open_store(str(store)) as opened:
        return [*opened.pending(limit=1000)]


def seen(store, request):
    """Wait until a store no longer has this version of a request waiting for the same people."""

    def changed():
        with open_store(str(store)) as opened:
            return opened.get(request.id).request.digest != request.digest

    return eventually(changed, PATIENCE)


def words_of(out):
    """What the agent has said, in order."""
    return [line for line in out.splitlines() if line.startswith("agent: ")]
