"""What went wrong in a stage, told together with what is live after it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import DeployError
from .stages import Stages


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An error in words.

    Attributes:
        sentence: What happened, without an end.
        printed: The last lines of the log, as the end of a message.
    """

    error: BaseException
    sentence: str
    printed: str

    @classmethod
    def of(cls, error: BaseException, stages: Stages) -> Trouble:
        """Put an error into words."""
        stage = stages.done[-1].name if stages.done else "the start"
        printed = stages.last_words()
        match error:
            case DeployError():
                said = str(error)
                if printed:  # more lines than a sentence can quote
                    said = said.partition("; it printed last: ")[0]
            case KeyboardInterrupt():
                said = f"Ctrl-C stopped it during {stage}"
            case _:
                said = f"{type(error).__name__} during {stage}: {error}"
        return cls(error=error, sentence=said.rstrip(".\n"), printed=printed)

    def told(self, what: str, ending: str, *, is_stopped: bool = False) -> BaseException:
        """Return an error of the same kind that tells all of it.

        Args:
            what: What came to nothing.
            ending: What is live now.
            is_stopped: Somebody pressed Ctrl-C, if not at first then later.
        """
        text = " ".join(part for part in (f"{what}: {self.sentence}.", ending) if part)
        if is_stopped or isinstance(self.error, KeyboardInterrupt):
            return KeyboardInterrupt(text + self.printed)
        kind = type(self.error) if isinstance(self.error, DeployError) else DeployError
        return kind(text + self.printed)
