"""What people type at the help desk: every command, every slip, and every way to end it."""

import re
import shlex
import signal
import socket
import subprocess
import sys
from email import message_from_bytes
from email.policy import default

import pexpect
import pytest
from aiosmtpd.controller import Controller
from people import eventually
from support_desk import TOML, address, mail
from support_program import APP, PATIENCE, Counter, ended, environment, one_sentence

from apps.support.grammar import COMMANDS, PROGRAM, parsed
from apps.support.model import TicketState
from core import State

pytestmark = pytest.mark.slow  # programs start

LIVE = "sk_live_4242424242"


@pytest.fixture
def counter(tmp_path):
    return Counter(tmp_path)


def did(counter, *words, **more):
    """Run the app, which does what it should: no trouble, no colour in a pipe; what it printed."""
    done = counter.run(*words, **more)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "\x1b" not in done.stdout
    return done.stdout


# What cannot be meant


CONFIGS = {
    "bad.toml": "mail = \n",
    "extra.toml": TOML.replace("[refunds]", "[refunds]\nfree_upto = 1"),
    "minus.toml": TOML.replace('"50.00"', '"-1.00"'),
    "cents.toml": TOML.replace('"50.00"', '"50.001"'),
    "number.toml": TOML.replace('"50.00"', "50.00"),
    "nobody.toml": TOML.replace('["ana", "bo"]', "[]"),
    "less.toml": TOML.replace('lead_up_to = "500.00"', 'lead_up_to = "49.99"'),
    "open.toml": TOML + '\n[smtp]\nhost = "mail.example"\ntls = "none"\n',
}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bad.toml", "is no TOML"),
        ("extra.toml", "refunds.free_upto is not known"),
        ("minus.toml", "refunds.free_up_to has to be a decimal number"),
        ("cents.toml", "at most 2 decimals"),
        ("number.toml", "refunds.free_up_to"),
        ("nobody.toml", "people.leads"),
        ("less.toml", "nobody decides what lies between"),
        ("open.toml", "cross the network in the open"),
    ],
)
def test_a_config_that_cannot_be_meant_is_one_sentence(tmp_path, name, said):
    """Nothing is guessed, above all no limit; and nothing is made beside the file."""
    (tmp_path / name).write_text(CONFIGS[name])
    done = ended([*APP, "tickets", "--config", name], tmp_path)
    assert one_sentence(done), done
    assert (done.returncode, said in done.stderr) == (1, True), done
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["reply", "{rosa}", ""], "An empty reply is none"),
        (["reply", "{rosa}", " \n"], "An empty reply is none"),
        (["refund", "{charge}", "0", "--ticket", "{rosa}", "--note", "x"], "at least 1"),
        (
            ["refund", "{charge}", "40.01", "--ticket", "{rosa}", "--note", "x"],
            "40.00 EUR are left",
        ),
        (["refund", "{charge}", "1", "--ticket", "t-0", "--note", "x"], "no ticket 't-0'"),
        (["refund", "{charge}", "1", "--ticket", "{rosa}", "--note", "x" * 501], "500 characters"),
        (
            ["refund", "{charge}", "1", "--ticket", "{rosa}", "--note", "x", "--store", "/no/w.db"],
            "/no/w.db cannot be opened",
        ),
        (["receive"], "no mail on standard input"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_what_is_refused_is_one_sentence(counter, words, said):
    """Exit code 1, the reason on standard error, and neither a mail nor a cent has moved."""
    before, known = counter.world(), {"rosa": counter.shop.tickets["rosa"]}
    known["charge"] = counter.shop.charges["rosa"]
    done = counter.run(*(word.format(**known) for word in words))
    assert one_sentence(done), done
    assert (done.returncode, said in done.stderr) == (1, True), done
    assert counter.world() == before


def test_nobody_at_the_terminal_is_a_no(counter):
    """A large refund that is to be confirmed right here is not made when nobody is here."""
    words = counter.refund("dora", "100.00")
    done = counter.run(*words, "--approver", "terminal")
    assert one_sentence(done) and "no one is at a terminal" in done.stderr, done
    assert counter.gone_back("dora") == []


@pytest.mark.parametrize(
    ("command", "key", "said"),
    [
        ("tickets", "pk_test_1", "the publishable one"),
        ("tickets", "garbage", "no secret key of Stripe"),
        ("tickets", "sk_test_ä", "no secret key of Stripe"),
        ("tickets", LIVE, "say --live"),
        ("tickets", "rk_live_4242424242", "say --live"),
        ("tickets", "sk_org_4242424242", "say --live"),
        ("hooks", "sk_test_1", "STRIPE_WEBHOOK_SECRET"),
    ],
)
def test_a_key_that_cannot_be_used_is_one_sentence(counter, command, key, said):
    """What is wrong with it is said without a character of it."""
    done = counter.run(command, STRIPE_API_KEY=key)
    assert one_sentence(done), done
    assert said in done.stderr
    assert key not in done.stderr


@pytest.mark.parametrize(
    ("typed", "said", "code"),
    [
        ("yes\r", "Not confirmed, so nothing was opened.", 1),
        ("\r", "Not confirmed, so nothing was opened.", 1),
        ("\x04", "Not confirmed, so nothing was opened.", 1),
        ("\x03", "Interrupted.", 130),
        ("real money\r", "About Order #1001 of rosa", 0),
    ],
    ids=["yes", "Enter", "Ctrl-D", "Ctrl-C", "real money"],
)
def test_real_money_is_confirmed_in_words(counter, typed, said, code):
    """Only the two words open the desk; whatever else somebody does at the question closes it."""
    program = pexpect.spawn(
        sys.executable,
        [*APP[1:], "tickets", "--live"],
        cwd=str(counter.folder),
        env=environment(STRIPE_API_KEY=LIVE),
        encoding="utf-8",
        timeout=PATIENCE,
    )
    program.expect("Type 'real money' to go on: ")
    program.send(typed)
    program.expect(pexpect.EOF)
    program.close()
    assert program.exitstatus == code, program.before
    assert said in program.before
    assert "Traceback" not in program.before
    assert LIVE not in program.before


# What teaches


def test_every_example_of_the_help_can_be_meant(capsys):
    """The program understands its own examples."""
    with pytest.raises(SystemExit) as ending:
        parsed(["--help"])
    assert ending.value.code == 0
    shown = capsys.readouterr().out
    examples = re.findall(rf"^  {re.escape(PROGRAM)} ?(.*?)(?: < .*)?$", shown, re.MULTILINE)
    meant = {parsed(shlex.split(example)).command for example in examples}
    assert {"demo", "init", "tickets", "refund", "receive", "hooks", "ask", None} <= meant
    assert all(name in shown for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_says_what_it_does(name, capsys):
    """Its own sentence stands there, and it can be called as it is shown."""
    with pytest.raises(SystemExit) as ending:
        parsed([name, "--help"])
    assert ending.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert COMMANDS[name] in shown
    assert f"{PROGRAM} {name}" in shown


def test_a_sample_can_be_lived_in(tmp_path):
    """What `init` prints works, also in a folder with a space; a second `init` spoils nothing."""
    made = ended([*APP, "init", "my shop"], tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    printed = [shlex.split(line) for line in made.stdout.splitlines() if "--config" in line]
    assert len(printed) == 3 and all(parsed(words[3:]) for words in printed)
    listing = ended([sys.executable, *printed[0][1:]], tmp_path)
    assert listing.returncode == 0 and listing.stdout.count("\n") == 60
    again = ended([*APP, "init", "my shop"], tmp_path)
    assert one_sentence(again) and "not empty" in again.stderr, again


def test_a_reader_that_goes_away_is_no_crash(counter):
    """`… | head -c 1` ends quietly."""
    command = f"{shlex.join([*APP, 'tickets'])} | head -c 1"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=counter.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.stdout, done.stderr) == ("t", "")


# A day at the desk


def test_what_is_there_can_be_read(counter):
    """Tickets, one with its mails, and what a customer has paid; reading changes nothing."""
    before, ticket = counter.world(), counter.shop.tickets["rosa"]
    assert ticket in did(counter, "tickets")
    assert "> Order #1001 is not right. rosa" in did(counter, "ticket", ticket)
    charge = counter.shop.charges["rosa"]
    assert re.match(rf"{charge}  .* paid 40\.00 EUR", did(counter, "charges", address("rosa")))
    assert "never refunded" in did(counter, "refunds", address("rosa"))
    assert counter.world() == before


def test_a_refund_is_read_back_to_the_cent(counter):
    """It says what went back and under which id; `refunds` says the same, with the ticket."""
    ticket, charge = counter.shop.tickets["rosa"], counter.shop.charges["rosa"]
    made = did(counter, *counter.refund("rosa", "12.34"))
    said = re.fullmatch(rf"refunded 12\.34 EUR of {charge} \((re_\w+)\)\n", made)
    read = did(counter, "refunds", address("rosa"))
    assert read.startswith(f"{said[1]}  ")
    assert "12.34 EUR  succeeded" in read and f"ticket {ticket}" in read


def test_a_ticket_is_answered_closed_and_opened_again(counter):
    """What is closed waits no longer, until its customer writes again."""
    ticket = counter.shop.tickets["rosa"]
    assert did(counter, "reply", ticket, "It left on Monday.") == f"answered {ticket}\n"
    assert counter.ticket("rosa").state is TicketState.ANSWERED
    assert did(counter, "close", ticket) == f"closed {ticket}\n"
    assert counter.ticket("rosa").state is TicketState.CLOSED
    assert ticket not in did(counter, "tickets")
    [first] = [message.id for message in counter.ticket("rosa").messages if not message.ours]
    raw = mail(address("rosa"), "Re: About Order #1001 of rosa", "Still nothing!", days=0).decode()
    assert did(counter, "receive", stdin=f"In-Reply-To: {first}\n{raw}") == f"{ticket}\n"
    assert counter.ticket("rosa").state is TicketState.REOPENED


def test_yen_have_no_cents(counter):
    """An amount is read in the currency of its charge."""
    done = counter.run(*counter.refund("yuki", "100.50"))
    assert one_sentence(done), done
    assert "refunded 150 JPY" in did(counter, *counter.refund("yuki", "150"))
    assert counter.gone_back("yuki") == [150]


def test_a_mail_that_comes_twice_is_one_ticket(counter):
    """A mail server that is not sure delivers again; the customer is answered once."""
    raw = mail("new@mail.example", "Where is it", "Order #9 is late.").decode()
    first, second = did(counter, "receive", stdin=raw), did(counter, "receive", stdin=raw)
    assert first == second
    assert len(counter.mails.ticket(first.strip()).messages) == 1


def test_the_outbox_is_sent_once(counter):
    """Replies that were written while no server was named leave with `send`, each once."""
    ticket = counter.shop.tickets["rosa"]
    did(counter, "reply", ticket, "It left on Monday.")
    taken = []

    class Taking:
        async def handle_DATA(self, server, session, envelope):  # noqa: N802 - so aiosmtpd calls it
            taken.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=default)))
            return "250 OK"

    port = free_port()
    server = Controller(Taking(), hostname="127.0.0.1", port=port)
    server.start()
    try:
        smtp = f'\n[smtp]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
        counter.config.path.write_text(TOML + smtp, "utf-8")
        assert did(counter, "send") == "1 mail sent\n"
        assert did(counter, "send") == "0 mails sent\n"
    finally:
        server.stop()
    [(recipients, sent)] = taken
    assert recipients == [address("rosa")]
    assert sent.get_content().strip() == "It left on Monday."


def free_port():
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        return door.getsockname()[1]


# Other windows


def test_a_no_from_elsewhere_ends_it_with_its_reason(counter):
    """1, the reason on standard error, and nothing paid."""
    with counter.started(*counter.refund("dora", "120.00")) as program:
        [request] = counter.asked()
        assert counter.says("reject", request, "bo", "--reason", "only 4.90").returncode == 0
        out, err = program.communicate(timeout=PATIENCE)
    assert (program.returncode, out) == (1, "")
    assert "only 4.90" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert counter.gone_back("dora") == []


def test_who_asks_does_not_decide(counter):
    """Ana asks for herself: neither her own vote nor a stranger's counts, a colleague's does."""
    with counter.started(*counter.refund("dora", "120.00", "--as", "ana")) as program:
        [request] = counter.asked()
        for name in ("ana", "eve"):
            assert counter.says("approve", request, name).returncode != 0
            assert counter.get(request).state is State.PENDING
        assert counter.gone_back("dora") == []
        assert counter.says("approve", request, "bo").returncode == 0
        program.communicate(timeout=PATIENCE)
    assert (program.returncode, counter.gone_back("dora")) == (0, [120_00])


def test_the_only_manager_cannot_ask_herself(counter):
    """What nobody else may decide is not even asked."""
    done = counter.run(*counter.refund("luis", "800.00", "--as", "mia"))
    assert one_sentence(done), done
    assert counter.gone_back("luis") == []


def test_a_batch_is_answered_from_elsewhere(counter):
    """A yes and a no on the command line: one is paid and told so, the other stays open."""
    for name, order in (("dora", 1002), ("luis", 1003)):
        raw = mail(address(name), f"Broken {name}", f"Order #{order} is broken.")
        counter.mails.deliver(raw)
    with counter.started("--batch", "--approver", "inbox") as program:
        waiting = counter.asked(number=2)
        by_tool = {request.arguments["charge"]: request for request in waiting}
        yes = by_tool[counter.shop.charges["dora"]]
        no = by_tool[counter.shop.charges["luis"]]
        assert yes.batch.id == no.batch.id
        listed = counter.core("pending").stdout
        assert yes.id[:8] in listed and no.id[:8] in listed
        assert counter.says("reject", no, "mia", "--reason", "I will call").returncode == 0
        assert counter.says("approve", yes, "ana").returncode == 0
        out, err = program.communicate(timeout=PATIENCE)
    assert program.returncode == 0, err
    assert "refunded 120.00 EUR" in out and "I will call" in out
    assert (counter.gone_back("dora"), counter.gone_back("luis")) == ([120_00], [])
    told = {one.customer: one for one in counter.mails.tickets() if "Broken" in one.subject}
    assert "120.00 EUR" in told[address("dora")].messages[-1].text
    assert told[address("luis")].state is TicketState.NEW


# Ctrl-C and kills


def test_ctrl_c_in_a_batch_withdraws_all_of_it(counter):
    """130, nothing paid, and no question stays behind that somebody could still approve."""
    for name, order in (("dora", 1002), ("luis", 1003)):
        counter.mails.deliver(mail(address(name), f"Broken {name}", f"Order #{order} is broken."))
    with counter.started("--batch", "--approver", "inbox") as program:
        waiting = counter.asked(number=2)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=PATIENCE)
    assert program.returncode == 130 and "Traceback" not in err, err
    assert {counter.get(request).state for request in waiting} == {State.CANCELLED}
    assert counter.gone_back("dora") == counter.gone_back("luis") == []


def test_a_refund_that_arrived_before_the_kill_is_found_and_settled(counter):
    """Stripe has it and no answer came: the next start says so, and a person has the last word.

    The command that it says works; after it nobody is told again, and nothing was paid twice.
    """
    counter.fault("drop-after", 50, "POST /v1/refunds")
    with counter.started(*counter.refund("dora", "120.00")) as program:
        [request] = counter.asked()
        assert counter.says("approve", request, "ana").returncode == 0
        eventually(lambda: counter.world()[1], seconds=PATIENCE)
        program.kill()
        program.wait()
    with counter.kept() as state, state.writing() as rows:
        rows.run("DELETE FROM faults")
    [made] = counter.world()[1]

    found = counter.run(*counter.refund("rosa", "1.00"))
    assert found.returncode == 0, found
    assert "An earlier refund was cut off" in found.stderr
    assert f"Stripe has it: {made['id']}, succeeded" in found.stderr
    words = re.search(r"python -m (core .* resolve \w+)", found.stderr)[1]
    done = ended(
        [sys.executable, "-m", *shlex.split(words), "--happened", "--note", "seen", "--by", "bo"],
        counter.folder,
    )
    assert done.returncode == 0, done
    assert counter.get(request).state.name.startswith("RESOLVED")
    assert did(counter, *counter.refund("rosa", "1.00"))
    assert counter.gone_back("dora") == [120_00]


def test_a_reply_that_was_cut_off_is_not_sent_again(counter):
    """Killed while its server takes its time: the ticket has the reply once, whatever came."""
    ticket = counter.shop.tickets["rosa"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        smtp = f'\n[smtp]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
        counter.config.path.write_text(TOML + smtp, "utf-8")
        with counter.started("reply", ticket, "It left on Monday.") as program:
            silent.settimeout(PATIENCE)
            silent.accept()[0].close()
            eventually(lambda: counter.ticket("rosa").state is TicketState.ANSWERED, PATIENCE)
            program.kill()
            program.wait()
    counter.config.path.write_text(TOML, "utf-8")
    found = counter.run("close", counter.shop.tickets["finn"])
    assert found.returncode == 0, found
    ours = [message for message in counter.ticket("rosa").messages if message.ours]
    assert [message.text for message in ours] == ["It left on Monday."]
