"""What can go wrong with a question, one sentence each."""

from __future__ import annotations

import duckdb


class AnalysisError(Exception):
    """A question or a change came to nothing; the message says why, and the data is as it was."""


class NotADatabase(AnalysisError):
    """The file is missing, unreadable, or something other than a DuckDB database."""


class Locked(AnalysisError):
    """Somebody else holds the database file."""


class StatementFailed(AnalysisError):
    """DuckDB understood the question and said no: a missing table, a type, a constraint."""


class Interrupted(AnalysisError):
    """The statement took too long, or was stopped."""


class Stopped(Interrupted):
    """Somebody pressed Ctrl-C."""

    def __init__(self) -> None:
        super().__init__("The statement was stopped by Ctrl-C; nothing changed.")


class Refused(AnalysisError, PermissionError):
    """A statement or a path that nobody is even asked about."""


class ChangedMeanwhile(AnalysisError):
    """The statement no longer does what its rehearsal showed."""


class NothingToUndo(AnalysisError):
    """There is no earlier state of the database to go back to."""


def one_sentence(error: BaseException) -> str:
    """Say what DuckDB said without its kind, its drawing of the position, and its line breaks."""
    said = str(error).split("\n\nLINE ", 1)[0]
    kind, _, rest = said.partition(" Error: ")
    text = rest if rest and len(kind) < len("INTERNAL DESERIALIZATION") else said
    sentence = " ".join(text.split())
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def is_lock(error: duckdb.Error) -> bool:
    """Tell whether the file is held by another process, or by another connection of this one."""
    said = str(error)
    return "Could not set lock" in said or "different configuration" in said


def explained(error: duckdb.Error, file: str) -> AnalysisError:
    """Put an error of DuckDB into the words of this module."""
    if is_lock(error):
        return Locked(f"{file} is in use by another program: close it there, then ask again.")
    if isinstance(error, duckdb.InterruptException):
        return Interrupted("The statement was stopped before it ended; nothing changed.")
    if isinstance(error, duckdb.OutOfMemoryException):
        return StatementFailed(
            "The statement needs more memory than it may have; ask for less at once, for example "
            "a month at a time. Nothing changed."
        )
    if "not a valid DuckDB database" in str(error):
        return NotADatabase(f"{file} is not a DuckDB database.")
    if isinstance(error, duckdb.IOException) and "Cannot open" in str(error):
        return NotADatabase(f"{file} cannot be opened: {one_sentence(error)}")
    return StatementFailed(f"DuckDB says: {one_sentence(error)} Nothing changed.")
