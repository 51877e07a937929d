"""A fork copies locks and open files alike, so let go of both before it and take them up after.

A child that inherits a SQLite connection inherits the belief that the file is locked for it; its
commits can vanish when the parent closes the file. A lock that another thread held at that moment
stays locked in the child for ever.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Protocol
from weakref import WeakSet


class Lock(Protocol):
    """What `threading` calls a lock, of either kind."""

    def acquire(self) -> bool: ...
    def release(self) -> None: ...


class Forkable(Protocol):
    """What has to be put down before a fork."""

    def before_fork(self) -> None: ...
    def after_fork(self) -> None: ...


_known: WeakSet[Forkable] = WeakSet()
_put_down: list[Forkable] = []


def survive_forks(one: Forkable) -> None:
    """Call `one.before_fork()` before each fork, and `one.after_fork()` in parent and child."""
    _register()
    _known.add(one)


@cache
def _register() -> None:
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after)


def _before() -> None:
    for one in [*_known]:
        one.before_fork()
        _put_down.append(one)


def _after() -> None:
    while _put_down:
        _put_down.pop().after_fork()
