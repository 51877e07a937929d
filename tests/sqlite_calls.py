"""What SQLite asks of the operating system, call by call, and a way to come in between."""

import ctypes
import errno
import importlib
from functools import cache

from core.stores.sqlite_file import library

INT, SIZE, OFFSET, POINTER, TEXT = (
    ctypes.c_int,
    ctypes.c_size_t,
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_char_p,
)
WRITES = {
    "write": (ctypes.c_ssize_t, INT, POINTER, SIZE),
    "pwrite": (ctypes.c_ssize_t, INT, POINTER, SIZE, OFFSET),
    "pwrite64": (ctypes.c_ssize_t, INT, POINTER, SIZE, OFFSET),
    "ftruncate": (INT, INT, OFFSET),
    "unlink": (INT, TEXT),
}
"""The calls that change a file: what each returns and takes."""


class _Vfs(ctypes.Structure):
    """The start of `sqlite3_vfs`, as sqlite3.h describes it."""


_GET = ctypes.CFUNCTYPE(POINTER, ctypes.POINTER(_Vfs), TEXT)
_SET = ctypes.CFUNCTYPE(INT, ctypes.POINTER(_Vfs), TEXT, POINTER)
_Vfs._fields_ = [
    ("version", INT),
    ("sizes", INT * 2),
    ("next", POINTER),
    ("name", TEXT),
    ("data", POINTER),
    ("methods", POINTER * 13),
    ("set_call", _SET),
    ("get_call", _GET),
]


@cache
def _vfs():
    """The way SQLite reaches files, in the very library that the store uses."""
    name = library().__name__.partition(".")[0]
    module = {"pysqlite3": "pysqlite3._sqlite3", "sqlite3": "_sqlite3"}[name]
    find = ctypes.CDLL(importlib.import_module(module).__file__).sqlite3_vfs_find
    find.restype = ctypes.POINTER(_Vfs)
    return find(None)


class Tap:
    """Calls `before(name)` and `after(name)` around every call of SQLite that changes a file.

    `before` may return an error number; then the call fails with it and nothing is written.
    Stays in place until `close`.
    """

    def __init__(self, before, after=lambda name: None):
        self.before, self.after, self.real, self.kept = before, after, {}, []
        for name, kinds in WRITES.items():
            self._replace(name, ctypes.CFUNCTYPE(*kinds, use_errno=True))

    def _replace(self, name, kind):
        vfs = _vfs()
        found = vfs.contents.get_call(vfs, name.encode())
        if not found:  # this build writes by another name
            return
        self.real[name], real = found, kind(found)

        def call(*values):
            if number := self.before(name):
                ctypes.set_errno(number)
                return -1
            found = real(*values)
            number = ctypes.get_errno()
            self.after(name)
            ctypes.set_errno(number)
            return found

        self.kept.append(kind(call))
        vfs.contents.set_call(vfs, name.encode(), ctypes.cast(self.kept[-1], POINTER))

    def close(self):
        vfs = _vfs()
        for name, real in self.real.items():
            vfs.contents.set_call(vfs, name.encode(), real)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def full_from(k):
    """Return a `before` for which the disk is full from the k-th write on."""
    left = [k]

    def before(name):
        left[0] -= "write" in name
        return errno.ENOSPC if left[0] <= 0 and "write" in name else 0

    return before
