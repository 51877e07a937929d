"""Mails become tickets, tickets are answered once, and nobody gets into somebody else's."""

import mailbox
import multiprocessing
import random
import threading
import time
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from children import in_child, said
from letters import NOW, US, answer, desk, files, mail

from apps.support.errors import MailError, NoSuchTicket
from apps.support.helpdesk import Helpdesk
from apps.support.model import TicketState


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "mail"


@pytest.fixture
def one(folder):
    return desk(folder)


def refused(kind, work):
    """Do something that is refused; return the one sentence."""
    with pytest.raises(kind) as caught:
        work()
    return str(caught.value)


def content(message):
    """The text of a mail, with the line breaks of this machine."""
    return message.get_content().replace("\r\n", "\n")


def outgoing(folder, place=".outbox"):
    """The replies that lie in a folder, as another program reads them."""
    box = mailbox.Maildir(folder, create=False).get_folder(place[1:])
    return [message_from_bytes(bytes(one), policy=policy.default) for one in box]


# Tickets and threads


def test_a_mail_is_a_ticket(one):
    """What has come in stands in a ticket of whoever sent it, word for word."""
    found = one.ticket(one.deliver(mail("Two\nlines")))
    (message,) = found.messages
    assert (found.customer, found.subject, found.state) == ("ann@home.example", "A cup", "new")
    assert (message.id, message.name, message.text) == ("<1@home.example>", "Ann", "Two\nlines")
    assert (message.at.isoformat(), message.ours) == ("2026-03-01T10:00:00+00:00", False)


def test_a_mail_that_others_deliver_is_a_ticket_too(one, folder):
    """A mail that any program puts into the Maildir is found, whatever its file is called."""
    one.tickets()
    mailbox.Maildir(folder, create=False).add(mail(n="a"))
    (folder / "new" / "no-time-at-all").write_bytes(mail(n="b"))
    (folder / "cur" / "1772359200.V8I1M2.host:2,FS").write_bytes(mail(n="c"))
    (folder / "new" / ".hidden").write_bytes(mail(n="d"))
    (folder / "new" / "folder").mkdir()
    ids = {message.id for ticket in one.tickets() for message in ticket.messages}
    assert ids == {f"<{name}@home.example>" for name in "abc"}


def test_any_mail_program_can_read_the_folders(one, folder):
    """The states are folders, and what lies in them is whole."""
    first, second = one.deliver(mail(n="1")), one.deliver(mail(n="2"))
    one.deliver(mail(n="3"))
    one.reply(first, "Sorry.", key="a")
    one.close(second, key="b")
    box = mailbox.Maildir(folder, create=False)
    counts = {name: len(box.get_folder(name)) for name in box.list_folders()}
    assert len(box) == 1
    assert counts == {
        **dict.fromkeys(["answered", "closed", "outbox"], 1),
        **dict.fromkeys(["reopened", "sent", "refused", "unsure"], 0),
    }
    assert [bytes(m).rstrip() for m in box.get_folder("answered")] == [mail(n="1")]


def test_answers_join_the_ticket(one):
    """What the customer writes to our answer, or to their own mail, is the same ticket."""
    ticket = one.deliver(mail())
    ours = one.reply(ticket, "Sorry.", key="k")
    assert one.deliver(answer("2", "1")) == ticket
    assert one.deliver(answer("3", ours, sender="ANN@Home.Example")) == ticket
    assert one.deliver(mail(n="4")) != ticket
    assert len(one.ticket(ticket).messages) == 4


@pytest.mark.parametrize("seed", range(6))
def test_a_thread_holds_in_whatever_order_it_arrives(folder, seed):
    """Children before their parents, parents that never come: still one ticket."""
    ids = [str(n) for n in range(8)]
    mails = [mail(n="0")] + [answer(n, *ids[: int(n)]) for n in ids[1:]]
    mails = [m for n, m in enumerate(mails) if n != 3]
    random.Random(seed).shuffle(mails)
    one = desk(folder)
    assert len({one.deliver(raw) for raw in mails}) == 1
    assert len(one.tickets()[0].messages) == 7


def test_mails_that_answer_each_other_in_a_circle(one):
    """A loop of references is one ticket, and reading it ends."""
    ticket = one.deliver(answer("1", "2"))
    assert one.deliver(answer("2", "1")) == ticket != one.deliver(answer("3", "3"))
    assert {m.id for m in one.ticket(ticket).messages} == {"<1@home.example>", "<2@home.example>"}


def test_the_id_of_a_ticket_stays(one, folder):
    """Neither a parent that comes late nor a new index changes what a ticket is called."""
    late = one.deliver(answer("2", "1"))
    assert one.deliver(mail(n="1")) == late
    before = one.tickets()
    (folder / "desk" / "index.jsonl").unlink()
    assert desk(folder).tickets() == before == one.tickets()


def test_every_mail_of_a_ticket_leads_to_it(one, folder):
    """An id that was made from another mail of the thread still finds the ticket."""
    first = one.deliver(answer("2", "1"))
    alone = desk(folder.parent / "other").deliver(mail(n="1"))
    one.deliver(mail(n="1"))
    assert alone != first
    assert one.ticket(alone) == one.ticket(first)


@pytest.mark.parametrize(
    "sender",
    ["eve@evil.example", '"ann@home.example" <eve@evil.example>', "a@x.example, ann@home.example"],
)
def test_who_quotes_our_id_gets_a_ticket_of_their_own(one, sender):
    """A mail joins a ticket only when its one sender is the ticket's customer."""
    ticket = one.deliver(mail())
    ours = one.reply(ticket, "Sorry.", key="k")
    before = one.ticket(ticket)
    theirs = one.deliver(answer("9", "1", ours, sender=sender))
    assert theirs != ticket
    assert one.ticket(ticket) == before
    assert one.ticket(theirs).customer != "ann@home.example"


def test_who_says_to_be_us_is_not(one):
    """A mail that comes in under our address is shown as one that we did not send."""
    ticket = one.deliver(mail())
    assert one.deliver(answer("2", "1", sender=f"Shop <{US}>", text="Pay 500.")) == ticket
    forged = next(m for m in one.ticket(ticket).messages if m.text == "Pay 500.")
    assert not forged.ours and "was not written here" in forged.problems[-1]


def test_our_own_reply_that_comes_back_is_no_news(one, folder):
    """A copy of what we wrote ourselves opens nothing, and is not read as somebody's mail."""
    ticket = one.deliver(mail())
    one.reply(ticket, "Sorry.", key="k")
    (name,) = files(folder, ".outbox")
    raw = (folder / ".outbox" / "new" / name).read_bytes()
    before = one.ticket(ticket)
    assert one.deliver(b"Received: by a loop\n" + raw.replace(b"\r\n", b"\n")) == ticket
    assert one.ticket(ticket) == before == desk(folder).ticket(ticket)


def test_a_second_copy_is_no_second_mail(one):
    """A mail that is delivered twice is read once, and opens nothing again."""
    ticket = one.deliver(mail())
    one.close(ticket, key="k")
    assert one.deliver(b"Received: by another way\n" + mail()) == ticket
    assert (one.ticket(ticket).state, len(one.ticket(ticket).messages)) == ("closed", 1)


def test_another_mail_under_the_same_id_is_not_lost(one):
    """Who sends something else under a known Message-ID cannot hide it, or replace what was."""
    ticket = one.deliver(mail("first"))
    other = one.deliver(mail("second"))
    texts = {m.text for t in one.tickets() for m in t.messages}
    assert other != ticket and texts == {"first", "second"}
    assert "same Message-ID" in one.ticket(other).messages[0].problems[-1]


def test_tickets_come_oldest_first_and_by_customer(one):
    """Tickets are listed by the time of their first mail; one customer's can be asked for."""
    late = one.deliver(mail(n="1", Date="Sun, 01 Mar 2026 11:00:00 +0000"))
    early = one.deliver(mail(n="2", Date="Sun, 01 Mar 2026 11:30:00 +0200", sender="b@x.example"))
    assert [t.id for t in one.tickets()] == [early, late]
    assert [t.id for t in one.of("ANN@home.example ")] == [late]
    assert one.of("nobody@x.example") == ()


def test_a_ticket_that_is_not_there(one):
    """Asking for what is not there is one sentence, for every verb."""
    one.deliver(mail())
    for work in (
        lambda: one.ticket("t-0000000000"),
        lambda: one.reply("t-0000000000", "x", key="k"),
        lambda: one.close("../etc", key="k"),
        lambda: one.note("", "x", key="k"),
    ):
        assert refused(NoSuchTicket, work).startswith("There is no ticket '")


# States


def test_an_answer_and_what_follows_move_a_ticket(one):
    """New, answered, reopened by the customer, closed, reopened by us."""
    ticket = one.deliver(mail())
    states = [one.ticket(ticket).state]
    one.reply(ticket, "Sorry.", key="a")
    states.append(one.ticket(ticket).state)
    one.deliver(answer("2", "1"))
    states.append(one.ticket(ticket).state)
    one.close(ticket, key="b")
    states.append(one.ticket(ticket).state)
    one.reopen(ticket, because="the refund failed", key="c")
    states.append(one.ticket(ticket).state)
    assert states == ["new", "answered", "reopened", "closed", "reopened"]
    assert one.ticket(ticket).notes == ("the refund failed",)


def test_a_second_mail_leaves_a_new_ticket_new(one):
    """A ticket that nobody has answered is new, however often the customer writes."""
    ticket = one.deliver(mail())
    one.deliver(answer("2", "1"))
    assert one.ticket(ticket).state is TicketState.NEW


def test_a_mail_that_was_not_read_keeps_the_ticket_open(one):
    """An answer covers what was read; what came in meanwhile is not put away with it."""
    ticket = one.deliver(mail())
    read = [m.id for m in one.ticket(ticket).messages]
    one.deliver(answer("2", "1", text="Please hurry."))
    one.reply(ticket, "Sorry.", key="k", seen=read)
    assert one.ticket(ticket).state is TicketState.REOPENED


@pytest.mark.parametrize(
    "header",
    [{"Auto_Submitted": "auto-replied"}, {"Precedence": "bulk"}, {"Return_Path": "<>"}],
)
def test_a_machine_that_answers_opens_nothing(one, header):
    """An out-of-office note is kept with the ticket, and nobody has to answer it."""
    ticket = one.deliver(mail())
    ours = one.reply(ticket, "Sorry.", key="k")
    one.deliver(answer("2", ours, text="I am away.", **header))
    found = one.ticket(ticket)
    assert (found.state, len(found.messages)) == ("answered", 3)
    (away,) = (m for m in found.messages if m.text == "I am away.")
    assert "A machine has sent it on its own." in away.problems


def test_two_machines_do_not_talk_for_ever(one):
    """After twenty answers to one ticket within a day a person has to look."""
    ticket = one.deliver(mail())
    for n in range(20):
        one.reply(ticket, f"Answer {n}", key=f"{n}")
    assert "a person should look" in refused(MailError, lambda: one.reply(ticket, "x", key="x"))
    tomorrow = desk(one._cabinet.maildir.folder, now=lambda: NOW + timedelta(days=1))
    assert tomorrow.reply(ticket, "x", key="x")


def test_a_person_may_move_mails_by_hand(one, folder):
    """The folders are the truth: who drags a mail to another one has closed the ticket."""
    ticket = one.deliver(mail())
    (name,) = files(folder)
    (folder / "new" / name).rename(folder / ".closed" / "cur" / f"{name}:2,S")
    assert one.ticket(ticket).state is TicketState.CLOSED
    (folder / ".closed" / "cur" / f"{name}:2,S").unlink()
    assert one.tickets() == ()


# Replies


def test_a_reply_is_a_real_mail(one, folder):
    """It goes to the customer alone, answers their mail, and says exactly what was written."""
    ticket = one.deliver(mail(Subject="Re: AW: =?utf-8?q?Gr=C3=BC=C3=9Fe?="))
    text = "Tut uns leid — 謝ります.\n.\nFrom here on\n"
    message_id = one.reply(ticket, text, key="k")
    (sent,) = outgoing(folder)
    assert sent["From"] == f"Shop help desk <{US}>" and sent["To"] == "ann@home.example"
    assert sent["Subject"] == "Re: Grüße" and sent["Message-ID"] == message_id
    assert sent["In-Reply-To"] == sent["References"] == "<1@home.example>"
    assert sent["Auto-Submitted"] == "auto-replied"
    assert content(sent) == text
    ours = one.ticket(ticket).messages[-1]
    assert (ours.ours, ours.text, ours.problems) == (True, text.rstrip(), ())


def test_a_quoted_reply_holds_what_it_answers(one, folder):
    """Below the answer stands the customer's last mail, marked as such."""
    ticket = one.deliver(mail("One\nTwo"))
    one.reply(ticket, "Sorry.", key="k", quote=True)
    assert content(outgoing(folder)[0]) == ("Sorry.\n\nAnn wrote on 2026-03-01:\n> One\n> Two\n")


def test_the_same_key_answers_once(one, folder):
    """A second call, also of another process, finds the first."""
    ticket = one.deliver(mail())
    ids = {one.reply(ticket, "Sorry.", key="k"), desk(folder).reply(ticket, "Sorry.", key="k")}
    ids.add(said(in_child(lambda: desk(folder).reply(ticket, "Sorry.", key="k"))))
    assert len(ids) == 1 and len(outgoing(folder)) == 1
    one.reply(ticket, "Sorry.", key="other")
    assert len(outgoing(folder)) == 2


def test_a_key_means_one_thing(one, folder):
    """The same key with another text, ticket or verb is refused, and nothing happens."""
    ticket, other = one.deliver(mail()), one.deliver(mail(n="2"))
    one.reply(ticket, "Sorry.", key="k")
    before = one.tickets()
    for work in (
        lambda: one.reply(ticket, "Other.", key="k"),
        lambda: one.reply(other, "Sorry.", key="k"),
        lambda: one.close(ticket, key="k"),
        lambda: one.note(ticket, "Sorry.", key="k"),
    ):
        assert "was used for something else" in refused(MailError, work)
    assert one.tickets() == before and len(outgoing(folder)) == 1


def test_a_lost_journal_answers_nothing_twice(one, folder):
    """The reply itself is a witness: without a journal its key still finds it."""
    ticket = one.deliver(mail())
    first = one.reply(ticket, "Sorry.", key="k")
    (folder / "desk" / "journal.jsonl").unlink()
    assert desk(folder).reply(ticket, "Sorry.", key="k") == first
    assert len(outgoing(folder)) == 1


def test_a_damaged_journal_stops_everything(one, folder):
    """When nobody knows what was done, nothing more is done."""
    ticket = one.deliver(mail())
    with (folder / "desk" / "journal.jsonl").open("a") as file:
        file.write('["begin", nonsense]\n')
    text = refused(MailError, lambda: one.reply(ticket, "Sorry.", key="k"))
    assert "a line that is damaged" in text and outgoing(folder) == []


def test_half_a_line_of_the_journal_is_none(one, folder):
    """What a power cut has left of a line is taken away, and what follows is whole."""
    ticket = one.deliver(mail())
    one.note(ticket, "first", key="a")
    with (folder / "desk" / "journal.jsonl").open("a") as file:
        file.write('["begin",{"key":"b","ki')
    one.note(ticket, "second", key="b")
    assert desk(folder).ticket(ticket).notes == ("first", "second")


@pytest.mark.parametrize(
    "subject", ["x\n Bcc: all@x.example", "=?utf-8?q?x=0D=0ABcc:_all@x.example?=", "\udcff\x00"]
)
def test_no_header_is_smuggled_into_a_reply(one, folder, subject):
    """A subject or a name with line breaks stays one line of one header."""
    sneaky = "=?utf-8?q?Ann=0ABcc=3A_x=40x.example?= <ann@home.example>"
    ticket = one.deliver(mail(Subject=subject, sender=sneaky))
    one.reply(ticket, "Bcc: you@x.example\n\nSorry.", key="a\r\nBcc: b@x.example", quote=True)
    (sent,) = outgoing(folder)
    assert "Bcc" not in sent and sent["To"] == "ann@home.example"
    assert len(sent.get_all("Subject")) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "An empty reply"),
        (" \n\t", "An empty reply"),
        ("x" * 60_000, "at most 50,000 characters"),
        ("a\x00b", "U+0000"),
        ("a\rb", "U+000D"),
        ("a\x1b[2Jb", "U+001B"),
        ("a\udcffb", "U+DCFF"),
    ],
)
def test_a_reply_that_cannot_be_written_is_refused(one, folder, text, why):
    """Nothing is sent in place of what was written."""
    ticket = one.deliver(mail())
    assert why in refused(MailError, lambda: one.reply(ticket, text, key="k"))
    assert outgoing(folder) == [] and one.ticket(ticket).state is TicketState.NEW


@pytest.mark.parametrize("sender", [None, "nonsense", f"Us <{US}>", "ann@höme.example"])
def test_who_cannot_be_answered_is_not(one, folder, sender):
    """No address, one that no mail can go to, or our own: a sentence, and no mail."""
    ticket = one.deliver(mail(sender=sender))
    assert refused(MailError, lambda: one.reply(ticket, "Sorry.", key="k"))
    assert outgoing(folder) == []


@pytest.mark.parametrize("key", ["", "k" * 501])
def test_a_key_is_needed(one, key):
    """Without a key nothing could be done only once, so nothing is done."""
    ticket = one.deliver(mail())
    assert "A key has" in refused(MailError, lambda: one.close(ticket, key=key))
    assert one.ticket(ticket).state is TicketState.NEW


# Notes


def test_notes_are_kept_once_and_in_order(one, folder):
    """A note is one line, stays with the ticket, and is written once per key."""
    ticket = one.deliver(mail())
    for _ in range(2):
        one.note(ticket, "first\nline\x07", key="a")
        one.reopen(ticket, because="second", key="b")
    assert desk(folder).ticket(ticket).notes == ("first line\ufffd", "second")
    assert "says something" in refused(MailError, lambda: one.note(ticket, " \n", key="c"))


def test_a_reopening_is_done_once(one):
    """A webhook that comes again does not open what was closed since."""
    ticket = one.deliver(mail())
    one.reopen(ticket, because="the refund failed", key="evt_1")
    one.close(ticket, key="k")
    one.reopen(ticket, because="the refund failed", key="evt_1")
    assert one.ticket(ticket).state is TicketState.CLOSED


# The disk, other processes and many mails


def test_a_mail_is_there_whole_or_not_at_all(one, folder):
    """What is too large, or still being written, is not among the mails."""
    (folder / "tmp" / "half").write_bytes(mail()[:40])
    huge = b"x" * ((64 << 20) + 1)
    assert "was not stored" in refused(MailError, lambda: one.deliver(huge))
    assert one.tickets() == () and files(folder) == []


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    """Where a file lies in place of the Maildir, the sentence names it."""
    (tmp_path / "mail").write_text("no folder")
    assert refused(MailError, lambda: desk(tmp_path / "mail")).startswith(f"{tmp_path / 'mail'}: ")


def test_a_file_that_cannot_be_read_is_a_ticket_that_says_so(one, folder, monkeypatch):
    """A mail whose file fails to be read is listed, and read when the disk works again."""
    path = folder / "new" / "1772359200.M1P1Q1.host"
    path.write_bytes(mail())
    broken = type(path).open

    def fail(self, *words, **named):
        if self == path:
            raise OSError(5, "Input/output error")
        return broken(self, *words, **named)

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "open", fail)
        (ticket,) = one.tickets()
        assert "input/output error" in ticket.messages[0].problems[0]
    assert desk(folder).tickets()[0].customer == "ann@home.example"


def test_an_index_that_was_damaged_is_made_again(one, folder):
    """Whatever stands in the index, the mails are what counts."""
    ticket = one.deliver(mail())
    before = one.tickets()
    index = folder / "desk" / "index.jsonl"
    half = index.read_bytes()[:99]
    for damaged in (b"", b"\xff\x00\n", b'[1,"x",{}]\n', b"[" * 9999 + b"\n", half):
        index.write_bytes(damaged)
        assert desk(folder).tickets() == before
    assert desk(folder).ticket(ticket)


def test_threads_of_one_process_share_a_desk(one, folder):
    """Many at once deliver, answer and close: every mail is there, each answered once."""
    ids = {}

    def work(n):
        ticket = ids[n] = one.deliver(mail(n=f"m{n}"))
        for _ in range(2):
            one.reply(ticket, f"Sorry {n}", key=f"r{n}")
        one.close(ticket, key=f"c{n}")

    threads = [threading.Thread(target=work, args=[n]) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {t.id for t in one.tickets()} == {*ids.values()} and len(ids) == 12
    assert {t.state for t in one.tickets()} == {TicketState.CLOSED}
    assert len(outgoing(folder)) == 12


def _storm(folder, worker):
    one = desk(folder)
    mine = [one.deliver(mail(n=f"{worker}-{n}")) for n in range(6)]
    common = [one.deliver(mail(n=f"common-{n}")) for n in range(6)]
    for ticket in mine + common:
        one.reply(ticket, "Sorry.", key=f"reply {ticket}")
    return mine, common


def test_processes_share_a_maildir(folder):
    """Four processes deliver and answer, some the same mails: nothing is lost or doubled."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        results = pool.starmap(_storm, [(folder, worker) for worker in range(4)])
    tickets = {ticket for mine, common in results for ticket in (*mine, *common)}
    assert len(tickets) == 4 * 6 + 6
    found = desk(folder).tickets()
    assert {t.id for t in found} == tickets and {t.state for t in found} == {TicketState.ANSWERED}
    assert len(outgoing(folder)) == len(tickets)
    assert all(len(t.messages) == 2 for t in found)


@pytest.mark.slow
def test_ten_thousand_mails_are_no_burden(folder):
    """Once read, ten thousand mails are listed in a second, and one is found in less."""
    one = desk(folder)
    for n in range(10_000):
        raw = mail(f"Text {n}\n" * 20, n=f"{n}", sender=f"c{n % 4000}@x.example")
        (folder / "new" / f"{1_772_000_000 + n}.M1P1Q{n}.host").write_bytes(raw)
    started = time.monotonic()
    assert len(one.tickets()) == 10_000
    first = time.monotonic()
    fresh = desk(folder)
    assert len(fresh.tickets()) == 10_000
    opened = time.monotonic()
    ticket = fresh.tickets()[-1].id
    listed = time.monotonic()
    fresh.ticket(ticket)
    fresh.reply(ticket, "Sorry.", key="k")
    done = time.monotonic()
    print(f"read {first - started:.2f} open {opened - first:.2f} list {listed - opened:.2f}")
    print(f"one ticket and its reply {done - listed:.2f}")
    assert listed - opened < 2 and done - listed < 2 and opened - first < 10


def test_mails_that_say_nothing_are_told_apart_by_what_they_have(tmp_path):
    """Without a sender, a subject, a date and a text, two mails are still two, and one is one."""
    helpdesk = Helpdesk(tmp_path / "mail", address="help@shop.example", name="Help")
    first = helpdesk.deliver(b"Comment: my order 1 is broken\r\n\r\n")
    second = helpdesk.deliver(b"Comment: order 2, refund\r\n\r\n")
    assert helpdesk.deliver(b"Comment: my order 1 is broken\r\n\r\n") == first
    assert {ticket.id for ticket in helpdesk.tickets()} == {first, second}
    assert first != second
