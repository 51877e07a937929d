"""A tea shop on three environments for tests: real repository, real releases, real processes."""

import shutil
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apps.deploy.opening import opened
from apps.deploy.sample import make_sample

NOON = datetime(2026, 11, 24, 11, tzinfo=UTC)  # a Tuesday, 12:00 in Berlin
NIGHT = NOON + timedelta(hours=10)
FRIDAY_EVENING = NOON + timedelta(days=3, hours=5)


class Clock:
    """Shows a time that tests set, and goes on from there."""

    def __init__(self):
        self.set(NOON)

    def set(self, instant):
        """Put the hands to an instant."""
        self._from, self._at = instant, time.monotonic()

    def __call__(self):
        return self._from + timedelta(seconds=time.monotonic() - self._at)


def made(folder):
    """Make a sample whose commands take no time."""
    config = make_sample(folder / "sample")
    text = config.read_text("utf-8")
    text = text.replace('build = ["python3", "-m", "compileall", "-q", "."]\n', "")
    text = text.replace('["python3", "-m", "unittest", "-q"]', '["true"]')
    config.write_text(text, "utf-8")
    return config


def copied(config, folder):
    """Copy a sample for one test, with its environments as they are."""
    running = [f"service.{kind}" for kind in ("orders", "state", "lock", "json", "log")]
    leave = shutil.ignore_patterns(*running)  # what belongs to the services that ran there
    shutil.copytree(config.parent, folder / "sample", symlinks=True, ignore=leave)
    return folder / "sample" / config.name


@contextmanager
def project_of(config, clock=None):
    """Yield a project, and stop at the end whatever it has started."""
    with opened(config, now=clock or Clock()) as project:
        try:
            yield project
        finally:
            project.stop()


def live(config, environment):
    """The commit that the link `current` names; nothing when there is none."""
    link = Path(config).parent / "environments" / environment / "current"
    return link.readlink().name.rpartition("-")[2] if link.is_symlink() else ""


def everything_live(config):
    """What is current in each environment."""
    folder = Path(config).parent / "environments"
    return {path.name: live(config, path.name) for path in sorted(folder.glob("*"))}
