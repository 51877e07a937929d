"""Ask the person on the page: a dialog in their browser about what their own agent wants to do.

python -m core.approvers.browser      # try it

```
confirm = BrowserConfirm(store)
app = Starlette(routes=[*pages, Mount("/confirm", routes=routes(confirm, who))])

you = Visitor(session=session.id, name=session.user)
refund = gate(refund, store=store, approver=confirm.asking(you), panel=you.panel)
```

and on the page `<script type="module" src="/confirm/confirm.js"></script>`. `routes` is in
`wire.py`, which says what travels between page and server, for those who serve theirs otherwise.
"""

from .confirm import BrowserConfirm, NotAsked, Visitor

__all__ = ["BrowserConfirm", "NotAsked", "Visitor"]
