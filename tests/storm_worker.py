"""A help desk's process in the storm: refunds what it is told to, through the app's own gates.

`python -m tests.storm_worker FOLDER URL JOBS DONE`: JOBS is a JSON list of run, charge, amount and
ticket; whatever has come to an end is a line in DONE, and is not begun again after a kill.
"""

import json
import sys
from contextlib import closing
from pathlib import Path

from apps.support.approvals import gated
from apps.support.config import read
from apps.support.desk import Desk
from apps.support.errors import SupportError
from apps.support.helpdesk import Helpdesk
from apps.support.payments import Payments
from apps.support.sandbox import KEY
from core import OutcomeUnknown, Rejected, StoreError, run
from core.approvers.inbox import Inbox
from core.stores.sqlite import SqliteStore


def main(folder, url, jobs, done):
    """Do every job that is not done yet."""
    config = read(Path(folder) / "support.toml")
    helpdesk = Helpdesk(config.mail, address=config.address, name=config.name)
    desk = Desk(config, helpdesk, Payments(KEY, base=url, retries=2))
    ended = {*Path(done).read_text().split()} if Path(done).exists() else set()
    path = Path(folder) / "approvals.db"
    with closing(SqliteStore(path, synchronous="NORMAL", patience=60)) as store:
        tools = gated(desk, Inbox(store), store=store)
        for name, charge, amount, ticket in json.loads(Path(jobs).read_text()):
            if name in ended:
                continue
            try:
                with run(name):
                    tools.refund(charge, amount, "requested_by_customer", name, ticket)
            except (Rejected, OutcomeUnknown, SupportError, StoreError):
                pass  # what became of it is in the store, and looked at from outside
            with Path(done).open("a") as file:
                file.write(f"{name}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
