"""A program that deploys to a host until somebody kills it: `ssh_worker.py WHAT JSON`."""

import itertools
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from apps.deploy.errors import DeployError
from apps.deploy.model import Command, Entry, release_name
from apps.deploy.ssh.target import SshTarget

SLEEP = Command(words=("sleep", "60"))
SCRIPT = 'echo $$ >"$PIDS/main"; sleep 60 & echo $! >"$PIDS/child"; wait; sleep 60'


def target(where, **more):
    """Return the target that a test has described."""
    return SshTarget(
        where["host"],
        where["port"],
        where["folder"],
        known_hosts=Path(where["known_hosts"]),
        key=Path(where["key"]) if where["key"] else None,
        **{"restart": SLEEP, "silence": where.get("silence", 30.0)} | more,
    )


def name(number):
    """Return the name of a release."""
    return release_name(f"{number:040x}", datetime.now(UTC))


def tree(release, count=20):
    """Yield a few files that say which release they belong to."""
    for number in range(count):
        path = b"files/%d" % number
        yield Entry(path=path, mode="100644", oid="0" * 40), release.encode() * 50


def say(word):
    """Tell the test how far this has come."""
    print(word, flush=True)


def hold(place, where):
    """Hold the lock; when told to go on, do a step."""
    say("held")
    sys.stdin.readline()
    place.append("a line of somebody who was asleep")


def run(place, where):
    """Run a command that does not end."""
    release = name(1)
    place.begin(release, tree(release))
    words = ("sh", "-c", where.get("first", "") + SCRIPT)
    command = Command(words=words, env={"PIDS": where["pids"]}, seconds=60)
    place.run(release, command, lambda _: None)


def begin(place, where):
    """Write a release that does not end."""
    release = name(1)
    say("begins")
    place.begin(release, (one for _ in itertools.repeat(0) for one in slowly(release)))


def slowly(release):
    """Yield one file after the other, each a new one."""
    for number in itertools.count():
        time.sleep(0.001)
        yield Entry(path=b"files/%d" % number, mode="100644", oid="0" * 40), release.encode() * 99


def deploy(place, where):
    """Bring one release after the other."""
    for number in itertools.count():
        release = name(number)
        place.begin(release, tree(release))
        place.complete(release)
        place.switch(release)
        place.append(json.dumps({"release": release}))
        place.sweep(keep=2)
        if number == 0:
            say("deploys")


def main():
    """Do what the test says, under the lock."""
    what, where = sys.argv[1], json.loads(sys.argv[2])
    place = target(where)
    try:
        with place.locked("worker"):
            {"hold": hold, "run": run, "begin": begin, "deploy": deploy}[what](place, where)
        say("done")
    except DeployError as error:
        say(f"{type(error).__name__}: {error}")
    place.close()


if __name__ == "__main__":
    main()
