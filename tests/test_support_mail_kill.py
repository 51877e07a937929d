"""Whoever is killed, wherever: no mail is lost, and none is answered or sent twice."""

import json
import os
import shutil
import signal
import time

import pytest
from children import in_child
from letters import answer, desk, files, mail

from apps.support.errors import MailLater, MailRefused

STEPS = ("open", "write", "rename", "fsync", "unlink", "mkdir", "ftruncate")


def killed(work, at):
    """Do something in a process that kills itself before its `at`th step on disk.

    Return whether it lived to the end.
    """
    pid = os.fork()
    if pid == 0:
        count = [0]

        def watched(plain):
            def step(*words, **named):
                count[0] += 1
                if count[0] == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return plain(*words, **named)

            return step

        code = 1
        try:
            signal.alarm(60)
            for name in STEPS:
                setattr(os, name, watched(getattr(os, name)))
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert status in {0, signal.SIGKILL}, status
    return status == 0


def every_kill(tmp_path, work, before=lambda folder: None):
    """Yield a folder for every place where `work` can be killed, until it lives."""
    for at in range(1, 500):
        folder = tmp_path / f"mail{at}"
        before(folder)
        lived = killed(lambda: work(folder), at)  # noqa: B023 - it runs at once
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
        if lived:
            assert at > 20
            return


def delivered(folder):
    """A desk with one ticket."""
    desk(folder).deliver(mail())


@pytest.mark.slow
def test_a_delivery_that_is_killed_is_whole_or_not_there(tmp_path):
    """Whoever delivers again after a kill finds one ticket with one mail."""
    for folder in every_kill(tmp_path, delivered):
        found = desk(folder).tickets()
        assert [t.messages[0].text for t in found] in ([], ["My cup is broken."])
        delivered(folder)
        (ticket,) = desk(folder).tickets()
        assert (len(ticket.messages), ticket.state) == (1, "new")


def replied(folder):
    """Answer the one ticket."""
    one = desk(folder)
    (ticket,) = one.tickets()
    one.reply(ticket.id, "Sorry.", key="k")


def threaded(folder):
    """A desk with one ticket of three mails."""
    one = desk(folder)
    for raw in (mail(), answer("2", "1"), answer("3", "2")):
        one.deliver(raw)


@pytest.mark.slow
def test_a_reply_that_is_killed_is_written_once(tmp_path):
    """After a kill a reply is there and its ticket answered, or neither, and never twice."""
    for folder in every_kill(tmp_path, replied, threaded):
        (ticket,) = desk(folder).tickets()
        written = len(files(folder, ".outbox"))
        assert (ticket.state, written) in {("new", 0), ("answered", 1)}
        replied(folder)
        (ticket,) = desk(folder).tickets()
        assert (ticket.state, len(ticket.messages)) == ("answered", 4)
        assert len(files(folder, ".outbox")) == 1
        assert [*(folder / ".outbox" / "tmp").iterdir()] == []


def worked(folder):
    """Note, reopen and close the one ticket, each under its key."""
    one = desk(folder)
    (ticket,) = one.tickets()
    one.note(ticket.id, "first", key="a")
    one.reopen(ticket.id, because="second", key="b")
    one.close(ticket.id, key="c")


@pytest.mark.slow
def test_what_is_noted_and_moved_is_done_once(tmp_path):
    """A kill leaves each deed done or not begun, and none is done twice."""
    for folder in every_kill(tmp_path, worked, threaded):
        (ticket,) = desk(folder).tickets()
        assert (ticket.notes, ticket.state) in {
            ((), "new"),
            (("first",), "new"),
            (("first", "second"), "reopened"),
            (("first", "second"), "closed"),
        }
        worked(folder)
        (ticket,) = desk(folder).tickets()
        assert (ticket.notes, ticket.state) == (("first", "second"), "closed")


class Server:
    """Takes mails by writing their ids into a file, as one that cannot be asked later."""

    def __init__(self, log):
        self.log = log

    def __call__(self, message):
        with self.log.open("a") as file:
            print(message["Message-ID"], file=file)

    def taken(self):
        """The ids of what was handed over."""
        return self.log.read_text().split() if self.log.exists() else []


@pytest.mark.slow
def test_a_mail_is_handed_over_at_most_once(tmp_path):
    """After a kill nothing that a server has taken is sent again, and what is unclear is named."""
    outcomes = set()

    def before(folder):
        threaded(folder)
        replied(folder)

    def send(folder):
        desk(folder, send=Server(folder / "log")).flush()

    for folder in every_kill(tmp_path, send, before):
        server = Server(folder / "log")
        one = desk(folder, send=server)
        one.flush()
        (ticket,) = one.tickets()
        lies = {p: len(files(folder, p)) for p in (".outbox", ".sent", ".unsure")}
        assert len(server.taken()) <= 1
        if lies[".sent"]:
            assert len(server.taken()) == 1 and (ticket.state, ticket.notes) == ("answered", ())
        else:
            assert lies == {".outbox": 0, ".sent": 0, ".unsure": 1}
            assert ticket.state == "reopened" and "It is not known whether" in ticket.notes[0]
        outcomes.add((lies[".sent"], len(server.taken())))
        assert one.flush() == 0 and len(ticket.messages) == 4
    assert outcomes == {(1, 1), (0, 0), (0, 1)}


def test_two_processes_send_each_reply_once(tmp_path):
    """Both send what waits at the same time; each mail is handed over once."""
    folder = tmp_path / "mail"
    one = desk(folder)
    for n in range(10):
        one.reply(one.deliver(mail(n=f"{n}")), "Sorry.", key=f"{n}")
    server = Server(folder / "log")
    children = [in_child(lambda: desk(folder, send=server).flush()) for _ in range(3)]
    counts = []
    for pid, reading in children:
        with os.fdopen(reading) as pipe:
            counts.append(json.load(pipe)["returned"])
        os.waitpid(pid, 0)
    assert sum(counts) == 10 == len(set(server.taken())) == len(server.taken())
    assert len(files(folder, ".sent")) == 10 and one.waiting() == 0


def test_a_lock_ends_with_who_held_it(tmp_path):
    """A process that is killed while it holds everything keeps nobody from going on."""
    folder = tmp_path / "mail"
    ticket = desk(folder).deliver(mail())

    def hold():
        with desk(folder)._cabinet.held("waiting"):
            (tmp_path / "held").touch()
            time.sleep(60)

    pid, _ = in_child(hold)
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert desk(folder).ticket(ticket)


@pytest.mark.parametrize(
    ("problem", "place", "state", "words"),
    [
        (MailLater("try later"), ".outbox", "answered", "waits in the outbox: try later"),
        (MailRefused("no such user"), ".refused", "reopened", "refused for good: no such user"),
        (RuntimeError("boom"), ".unsure", "reopened", "It is not known whether"),
    ],
)
def test_what_becomes_of_a_reply_stands_in_its_ticket(tmp_path, problem, place, state, words):
    """Later, never, nobody knows: each has its folder, its note, and is told once."""
    folder, tried = tmp_path / "mail", []

    def send(message):
        tried.append(message["To"])
        raise problem

    one = desk(folder, send=send)
    ticket = one.deliver(mail())
    one.reply(ticket, "Sorry.", key="k")
    assert [one.flush(), one.flush()] == [0, 0]
    found = one.ticket(ticket)
    assert len(files(folder, place)) == 1 and found.state == state
    assert len(found.notes) == 1 and words in found.notes[0]
    assert len(tried) == (2 if place == ".outbox" else 1)


def test_without_a_server_replies_wait(tmp_path):
    """Where no server is named, the outbox keeps everything."""
    one = desk(tmp_path / "mail")
    one.reply(one.deliver(mail()), "Sorry.", key="k")
    assert (one.flush(), one.waiting()) == (0, 1)
