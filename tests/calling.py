"""A gated refund that tests call in threads, and what becomes of it."""

import threading

from people import eventually

from core import gate


class Calls:
    """A gated function that is called in threads, and what became of each call."""

    def __init__(self, store, approver, **options):
        self.ran, self.ended = [], []
        self.fn = gate(self.refund, approver=approver, store=store, **options)

    def refund(self, charge: str, amount: int, note: str | None = None) -> str:
        """Pay back."""
        self.ran.append((charge, amount, note))
        return f"{charge}: {amount} paid back"

    def start(self, *args):
        """Call it in a thread."""

        def work():
            try:
                self.ended.append(self.fn(*args))
            except Exception as error:
                self.ended.append(error)

        threading.Thread(target=work, daemon=True).start()

    def end(self, number=0):
        """Return how the only call ended, or the one that was the n-th to end."""
        ended = eventually(lambda: self.ended[max(number - 1, 0) :] and [*self.ended], 20)
        if number:
            return ended[number - 1]
        [only] = ended
        return only
