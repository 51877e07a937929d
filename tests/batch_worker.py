"""A process of its own for tests: reviews the batch of one run, and can end in the middle.

    python batch_worker.py STORE LOG RUN DIE

Every call that really runs adds a line to LOG. DIE is the number of the moment at which the process
ends itself, 0 for never; moments are each step of the store and each call of a tool.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from core import Approve, Batch, Edit, SqliteStore, run
from core.policies.conditional import ApproveIf

STEPS = ("submit", "record", "vote", "revise", "cancel", "claim", "finish")


class Mortal(SqliteStore):
    """A store whose process may end before or after each step."""

    left = 0

    def pass_(self):
        self.left -= 1
        if self.left == 0:
            os._exit(9)


def _mortal(name):
    def step(self, *args, **named):
        self.pass_()
        found = getattr(SqliteStore, name)(self, *args, **named)
        self.pass_()
        return found

    return step


for name in STEPS:
    setattr(Mortal, name, _mortal(name))


def person(request):
    """Edit the second refund and approve whatever else there is."""
    if request.arguments.get("amount") == 200 and request.revision == 0:
        return Edit(by="ana", arguments={"amount": 150})
    return Approve(by="ana")


def main(path, log, name, die):
    """Queue seven calls, review them, and print the results."""
    store = Mortal(path)
    store.left = int(die)

    def write(line):
        with Path(log).open("a") as file:
            file.write(line + "\n")
        store.pass_()

    def refund(charge: str, amount: int) -> int:
        write(f"refund {charge} {amount}")
        return amount

    def reply(ticket: str, paid: int) -> str:
        write(f"reply {ticket} {paid}")
        return f"told {paid}"

    batch = Batch(approver=person, store=store)
    small = ApproveIf(lambda amount: amount <= 50, because="small")
    refund = batch.gate(refund, policies=[small])
    reply = batch.gate(reply)
    with run(name):
        reply("t_1", refund("ch_1", 100))
        reply("t_2", refund("ch_2", 200))
        refund("ch_3", 20)
        reply("t_3", "PENDING_APPROVAL_5")
        reply("t_4", 7)
        print(json.dumps(batch.review_and_execute()), flush=True)
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
