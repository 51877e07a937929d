"""One deploy at a time, and none that is killed leaves anything half done."""

import os
import random
import signal
import sys
import threading
import time
from functools import partial

import pytest
from children import in_child, said
from environments import as_tree, entry, link, make, name, names, target, tree, until, words

from apps.deploy.errors import Busy


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "environment"


@pytest.fixture
def place(folder):
    """An environment, held."""
    one = target(folder)
    with one.locked("ana"):
        yield one


def refused(kind, work):
    """Do something that is refused; return the one sentence."""
    with pytest.raises(kind) as caught:
        work()
    return str(caught.value)


# The lock


def test_who_holds_an_environment_is_named(place, folder):
    """Another deploy is told who, which process, and since when; afterwards it may go on."""
    text = refused(Busy, target(folder).locked("bo").__enter__)
    assert "ana deploys there since 20" in text and f"(process {os.getpid()})" in text


def test_a_lock_is_let_go_of(folder):
    """After the block, and after an error in it, the next one may."""
    for _ in range(2):
        with pytest.raises(KeyError), target(folder).locked("ana"):
            raise KeyError
    with target(folder).locked("bo"):
        pass


def test_threads_of_one_process_exclude_each_other(folder):
    """At most one of many threads is inside at a time; the others are told that it is busy."""
    inside, most, busy, done = [], [0], [], []

    def work(n):
        place = target(folder)
        while n not in done:
            try:
                with place.locked(f"{n}"):
                    inside.append(n)
                    most.append(len(inside))
                    time.sleep(0.002)
                    done.append(n)
                    inside.remove(n)
            except Busy as error:
                busy.append(error)

    threads = [threading.Thread(target=work, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (max(most), sorted(done), bool(busy)) == (1, [*range(8)], True)


def test_of_two_processes_one_deploys(folder):
    """Fifty times two processes begin at one moment: never are both inside, and one always is."""

    def work(start, n):
        place, mark = target(folder), folder / "inside"
        got = 0
        for k in range(50):
            while time.time() < start + k * 0.01:
                pass
            try:
                with place.locked(str(n)):
                    os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
                    time.sleep(0.004)
                    mark.unlink()
                    got += 1
            except Busy:
                pass
        return got

    start = time.time() + 0.1
    children = [in_child(partial(work, start, n)) for n in range(2)]
    first, second = map(said, children)
    assert 50 <= first + second <= 100


def test_a_killed_process_holds_nothing(folder):
    """The kernel lets go for it, even while a process that it had forked lives on."""

    def work():
        with target(folder).locked("ana"):
            place = target(folder)
            place.append("in")
            time.sleep(30)

    pid, pipe = in_child(work)
    assert until(lambda: target(folder).history())
    refused(Busy, target(folder).locked("bo").__enter__)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(pipe)
    with target(folder).locked("bo"):
        pass


def test_the_next_deploy_waits_for_the_commands_of_a_killed_one(folder):
    """While a command of a deploy that was killed still ends, no other deploy begins."""
    script = (
        "exec 2> /dev/null; trap 'sleep 0.3; date +%s.%N > ended; exit' TERM; touch on;"
        " while true; do sleep 0.02; done"
    )

    def work():
        place = target(folder)
        with place.locked("ana"):
            place.begin(name(), [])
            place.run(name(), words("sh", "-c", script), print)

    pid, pipe = in_child(work)
    release = folder / "releases" / f".unfinished-{name()}"
    assert until((release / "on").exists)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(pipe)
    with target(folder).locked("bo"):
        assert float((release / "ended").read_text()) <= time.time()


# Killed


def cycle(folder, start):
    """Deploy release after release, each full of its own number."""
    place = target(folder, shared=["data"])
    for n in range(start, start + 1000):
        with place.locked("ana"):
            place.sweep(keep=2)
            make(place, contents(n), n)
            place.switch(name(n))
            place.append(f"{n}")


def contents(n):
    """The files of the n-th release."""
    mine = b"%d" % n
    files = [entry(b"d%d/f%d" % (k // 2, k), mine * k) for k in range(3)]
    return [*files, entry(b"run", mine, "100755"), link(b"l", b"d0/f0")]


def look(folder):
    """Make sure that all that seems complete is; return the number of the newest release."""
    place = target(folder)
    shared = link(b"data", b"../../shared/data")
    for release in place.releases():
        n = int(release[-40:], 16)
        assert tree(folder / "releases" / release) == as_tree([*contents(n), shared])
    history = [int(line) for line in place.history()]
    now = int(place.current()[-40:] or "0", 16)
    assert history == sorted(history)
    assert now >= max(history, default=0) and (now or not history)
    return max((int(release[-40:], 16) for release in place.releases()), default=0)


def kill(work, seconds):
    """Kill a child that works after so many seconds."""
    pid, pipe = in_child(work)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(pipe)


@pytest.mark.slow
def test_killed_at_any_moment_current_is_complete(folder):
    """After each of many kills at random moments every release is exact, and deploying goes on."""
    chance, kills, n, places = random.Random(5), 0, 0, set()
    while kills < 150 or n < 20 or ".unfinished" not in places:
        kills += 1
        kill(partial(cycle, folder, n + 1), chance.uniform(0.005, 0.05))
        n = look(folder)
        found = names(folder / "releases") if folder.exists() else []
        places |= {one.split("-")[0] for one in found if one.startswith(".")}
    with target(folder).locked("bo"):
        now = target(folder).current()
        target(folder).sweep(keep=0)
    assert names(folder / "releases") == [now]


@pytest.mark.slow
def test_killed_at_any_line_current_is_complete(folder):
    """A deploy dies at every single line of it: every release is exact, and deploying goes on."""
    place = target(folder, shared=["data"])
    ours = f"{os.sep}apps{os.sep}deploy{os.sep}"

    def dies_at(n, k):
        count = [k]

        def line(frame, event, _):
            count[0] -= event == "line"
            if count[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return line

        def trace(frame, event, _):
            return line if ours in frame.f_code.co_filename else None

        sys.settrace(trace)
        with place.locked("ana"):
            place.sweep(keep=1)
            make(place, contents(n), n)
            place.switch(name(n))
            place.append(f"{n}")
        sys.settrace(None)
        return "lived"

    with place.locked("bo"):
        place.switch(make(place, contents(1), 1))
        place.append("1")
    n, k, lived = 1, 1, False
    while not lived:
        n += 1
        with place.locked("bo"):  # so that there is always one to remove
            place.sweep(keep=1)
            make(place, contents(n), n)
        pid, pipe = in_child(partial(dies_at, n + 1, k))
        with os.fdopen(pipe, "rb") as heard:
            lived = b"lived" in heard.read()
        os.waitpid(pid, 0)
        n = look(folder)
        k += 1
    assert k > 500
