"""Gates: put a person in front of a function."""

from .batch import Batch
from .facade import facade
from .gate import gate
from .model import (
    ActionChanged,
    ApprovalRequest,
    Approve,
    Approver,
    BoundFile,
    Decision,
    Edit,
    NotAnswered,
    NotCounted,
    OutcomeUnknown,
    Panel,
    Policy,
    Preview,
    Quote,
    Reject,
    Rejected,
    Risk,
    State,
    Store,
    StoreError,
    Table,
    Unencodable,
)
from .running import current_request
from .runs import run
from .stores.memory import MemoryStore
from .stores.sqlite import SqliteStore

__all__ = [
    "ActionChanged",
    "ApprovalRequest",
    "Approve",
    "Approver",
    "Batch",
    "BoundFile",
    "Decision",
    "Edit",
    "MemoryStore",
    "NotAnswered",
    "NotCounted",
    "OutcomeUnknown",
    "Panel",
    "Policy",
    "Preview",
    "Quote",
    "Reject",
    "Rejected",
    "Risk",
    "SqliteStore",
    "State",
    "Store",
    "StoreError",
    "Table",
    "Unencodable",
    "current_request",
    "facade",
    "gate",
    "run",
]
