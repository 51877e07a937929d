"""A Stripe on this machine, for whoever has no key yet: over HTTP, with its state in one file.

    python -m apps.support.sandbox --state stripe.db --port 12111

It keeps the rules that refunds live by, at the API version that `stripe` 16.1 sends: idempotency
keys, never more than was paid, disputes, captures, pages, refunds that succeed or fail later, and
signed webhooks. Several processes may share one file; what was answered survives `kill -9`.

What it leaves out, so that nobody relies on it here:

- Everything but customers, charges, payment intents, refunds, disputes and events; of those,
  parameters that do not matter to a help desk are refused as unknown, not ignored. Balances, fees,
  transfers, receipts and currency conversion do not exist: their fields are null. Any three
  letters are a currency.
- Cards. A payment names one of the test tokens in `cards.py`; a customer keeps at most one, and it
  stays there under the token's name. A declined payment leaves no failed charge behind, and a
  payment intent is confirmed when it is made, without anything that a browser would do.
- Refunds that wait for the customer (`requires_action`) or are canceled, evidence for disputes,
  and disputes that are won. A dispute is there at once, not minutes later.
- Limits on rates, except on demand (`faults.py`), versions of the API (the header is echoed), API
  keys with fewer rights, connected accounts, search, and API v2.
- Stripe's wording: status, type, code and parameter of an error are Stripe's, the sentence is ours.
- Of two requests with one key at once, the second meets 409 when one process has both; between
  two processes it waits and gets the first one's answer.
"""

from __future__ import annotations

from .seeding import Seeding as Seeding
from .seeding import seeding as seeding
from .serving import Sandbox as Sandbox
from .serving import serving as serving
from .turn import KEY as KEY
from .turn import SECRET as SECRET
