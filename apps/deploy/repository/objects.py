"""Read git's objects byte for byte, and believe an object only when its bytes give its id."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha1
from itertools import islice
from subprocess import Popen
from typing import NamedTuple

from ..errors import RepositoryError, Unshippable
from .plumbing import Git

MOST_BYTES = 2 * 1024**3
# Two such handfuls of ids are on their way at a time. Together they fit into the smallest pipe
# that there is (4,096 bytes): neither side can wait for the other to read first.
_HANDFUL = 48


class Missing(RepositoryError):
    """An object that the repository names but does not have."""


class Kind(NamedTuple):
    """What an object is, without its bytes; `what` is commit, tree, blob or tag."""

    oid: str
    what: str
    size: int


class Objects:
    """One process that answers with objects, for one reader at a time."""

    def __init__(self, process: Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._questions, self._answers = process.stdin, process.stdout

    def read(self, oids: Iterable[str]) -> Iterator[tuple[Kind, bytes]]:
        """Yield objects in the order asked for, one at a time in memory.

        Raises:
            Missing: The repository does not have one of them.
            RepositoryError: The bytes of one are not those that its id stands for.
            Unshippable: One is larger than 2 GiB.
        """
        rest = iter(oids)
        asked = self._ask(list(islice(rest, _HANDFUL)))
        while asked:
            coming = self._ask(list(islice(rest, _HANDFUL)))
            for oid in asked:
                yield self._answer(oid)
            asked = coming

    def _ask(self, oids: list[str]) -> list[str]:
        self._questions.write("".join(f"{oid}\n" for oid in oids).encode())
        self._questions.flush()
        return oids

    def _answer(self, oid: str) -> tuple[Kind, bytes]:
        words = self._answers.readline().split()
        if len(words) != 3:
            raise Missing(f"Object {oid} is not in the repository, or is damaged.")
        kind = Kind(oid, words[1].decode(), int(words[2]))
        if kind.size > MOST_BYTES:
            raise Unshippable(f"Object {oid} has {kind.size:,} bytes, at most {MOST_BYTES:,} fit.")
        data = self._answers.read(kind.size)
        digest = sha1(b"%s %d\0" % (words[1], kind.size), usedforsecurity=False)
        digest.update(data)
        if digest.hexdigest() != oid or self._answers.read(1) != b"\n":
            raise RepositoryError(f"Object {oid} is damaged: its bytes are not what its id says.")
        return kind, data


@contextmanager
def objects(git: Git) -> Generator[Objects]:
    """Open the objects of a repository."""
    with git.talking("cat-file", "--batch") as process:
        yield Objects(process)


def kinds(git: Git, names: Sequence[str]) -> list[Kind | None]:
    """Return what the objects are, `None` for what there is not.

    Args:
        names: Ids, or ids with steps behind (`~2`, `^{}`); no name of a ref.
    """
    printed = git.read("cat-file", "--batch-check", given="".join(f"{n}\n" for n in names).encode())
    answers = [line.split() for line in printed.decode("utf-8", "replace").splitlines()]
    if len(answers) != len(names):
        raise RepositoryError("git answers with more or fewer objects than it was asked for.")
    return [Kind(a[0], a[1], int(a[2])) if len(a) == 3 else None for a in answers]
