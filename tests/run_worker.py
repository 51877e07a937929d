"""A process of its own for tests: does the work of one run on a store, and can end in the middle.

    python run_worker.py STORE LOG RUN ROLE

Every call that really runs adds a line to LOG.
"""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from core import Approve, NotAnswered, OutcomeUnknown, SqliteStore, gate, run


def main(path, log, name, role):
    """Do it. Roles: `die waiting`, `die approved`, `die inside`, `wait`, `work`."""
    store = SqliteStore(path)

    def append(line: str) -> str:
        with Path(log).open("a") as file:
            file.write(line + "\n")
        if role == "die inside":
            os._exit(9)
        return f"appended {line}"

    def approver(request):
        if role == "die waiting":
            os._exit(9)
        if role == "die approved":
            store.vote(request.id, Approve(by="ana"), digest=request.digest)
            os._exit(9)
        while role == "wait":
            time.sleep(1)
        return Approve(by="ana")

    gated = gate(append, approver=approver, store=store, decide_within=timedelta(seconds=30))
    with run(name):
        for line in ("one", "two", "three"):
            try:
                print(gated(line), flush=True)
            except (OutcomeUnknown, NotAnswered) as error:
                print(f"{type(error).__name__}: {error}", flush=True)
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
