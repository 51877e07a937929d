"""Mails are handed to a real server on this machine, and what it says is understood."""

import datetime
import socket
import ssl
import threading
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from letters import desk, files, mail

from apps.support.errors import MailError, MailLater, MailRefused, MailUnknown
from apps.support.sending import Smtp

TEXT = "Grüße\n.\n..two\nFrom me\n"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for this machine, made for the tests; its path."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    plain = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(plain + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def trusting(certificate):
    """What believes in that certificate."""
    return ssl.create_default_context(cafile=certificate)


class Taking:
    """A server's rules: what it says to a recipient and to a mail, one answer after the other."""

    def __init__(self, *, rcpt=(), data=()):
        self.said = {"rcpt": list(rcpt), "data": list(data)}
        self.mails = []

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - so aiosmtpd calls it
        said = self.said["rcpt"].pop(0) if self.said["rcpt"] else "250 OK"
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - so aiosmtpd calls it
        said = self.said["data"].pop(0) if self.said["data"] else "250 OK"
        if said.startswith("250"):
            self.mails.append(envelope)
        if said.startswith("drop"):
            self.mails.append(envelope)
            server.transport.abort()
        return said


@pytest.fixture
def serve():
    """Start real servers; they end with the test."""
    running = []

    def start(taking, **named):
        one = Controller(taking, hostname="127.0.0.1", port=0, **named)
        with socket.create_server(("127.0.0.1", 0)) as free:
            one.port = free.getsockname()[1]
        one.start()
        running.append(one)
        return one.port

    yield start
    for one in running:
        one.stop()


def smtp(port, **named):
    """The server as the help desk knows it, with nobody waiting."""
    waits = named.pop("waits", [])
    named = {"tls": "none", "seconds": 5, "sleep": waits.append} | named
    return Smtp(named.pop("host", "127.0.0.1"), port, **named)


def letter():
    """A mail that is ready to be sent."""
    message = EmailMessage()
    message["From"], message["To"] = "Shop <help@shop.example>", "ann@home.example"
    message["Subject"] = "Re: A cup"
    message.set_content(TEXT, charset="utf-8", cte="8bit")
    return message


def refused(kind, work):
    """Do something that fails; return the one sentence."""
    with pytest.raises(MailError) as caught:
        work()
    assert type(caught.value) is kind, caught.value
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)
    return str(caught.value)


def test_a_mail_arrives_as_it_was_written(serve):
    """The server gets one mail, for one recipient, with every dot and letter."""
    taking = Taking()
    smtp(serve(taking))(letter())
    (envelope,) = taking.mails
    assert envelope.mail_from == "help@shop.example" and envelope.rcpt_tos == ["ann@home.example"]
    body = envelope.content.partition(b"\r\n\r\n")[2]
    assert body.decode().replace("\r\n", "\n") == TEXT


def test_replies_are_sent_and_put_away(serve, tmp_path):
    """What the help desk writes is what the server gets, and then it lies in `.sent`."""
    taking, folder = Taking(), tmp_path / "mail"
    one = desk(folder, send=smtp(serve(taking)))
    ticket = one.deliver(mail())
    message_id = one.reply(ticket, "Sorry.", key="k")
    assert (one.flush(), one.flush(), len(taking.mails)) == (1, 0, 1)
    assert message_id.encode() in taking.mails[0].content
    assert len(files(folder, ".sent")) == 1 and one.ticket(ticket).notes == ()


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd does not count TLS from the start
@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_password_goes_over_tls_only(serve, certificate, trusting, tls):
    """With the right password over TLS the mail is taken; without TLS nothing is said."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    seen = []

    def check(server, session, envelope, mechanism, data):
        assert isinstance(data, LoginPassword)
        seen.append((bool(session.ssl) or tls == "tls", data.login, data.password))
        return AuthResult(success=data.password == b"secret", handled=False)

    named = {"tls_context": context, "require_starttls": True}
    if tls == "tls":
        named = {"ssl_context": context, "auth_require_tls": False}
    taking = Taking()
    port = serve(taking, authenticator=check, auth_required=True, **named)
    known = {"host": "localhost", "tls": tls, "context": trusting, "user": "help"}
    smtp(port, password="secret", **known)(letter())
    assert seen == [(True, b"help", b"secret")] and len(taking.mails) == 1
    said = refused(MailError, lambda: smtp(port, password="wrong", **known)(letter()))
    assert "does not let us in: 535" in said and len(taking.mails) == 1


def test_a_server_that_nobody_knows_gets_no_password(serve, certificate):
    """A certificate that is not believed ends the connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    taking = Taking()
    port = serve(taking, tls_context=context)
    one = smtp(port, host="localhost", tls="starttls", user="help", password="secret")
    assert "CERTIFICATE_VERIFY_FAILED" in refused(MailError, lambda: one(letter()))
    assert taking.mails == []


def test_a_server_without_tls_gets_nothing(serve):
    """Where encryption was asked for and is not offered, nothing is sent."""
    taking = Taking()
    one = smtp(serve(taking), tls="starttls")
    assert "STARTTLS" in refused(MailError, lambda: one(letter()))
    assert taking.mails == []


def test_mails_never_cross_the_network_in_the_open():
    """Without TLS only this machine itself is spoken to, and no password is ever shown."""
    assert "in the open" in refused(MailError, lambda: smtp(25, host="mail.example"))
    assert "hunter2" not in repr(smtp(25, password="hunter2"))


def test_a_recipient_who_is_unknown_is_refused_at_once(serve):
    """A no for good is not asked again."""
    waits, taking = [], Taking(rcpt=["550 no such\x07 user"] * 5)
    one = smtp(serve(taking), waits=waits)
    said = refused(MailRefused, lambda: one(letter()))
    assert "does not take mails for ann@home.example: 550 no such" in said
    assert (waits, taking.mails, len(taking.said["rcpt"])) == ([], [], 4)


def test_a_server_that_says_later_is_asked_again(serve):
    """Greylisting is waited for, each time longer; then the mail is taken once."""
    waits, taking = [], Taking(rcpt=["451 greylisted", "451 greylisted"])
    smtp(serve(taking), waits=waits)(letter())
    assert waits == [1.0, 2.0] and len(taking.mails) == 1


def test_a_server_that_goes_on_saying_later(serve, tmp_path):
    """The reply waits in the outbox, says why, and is sent when the server wants it."""
    taking = Taking(data=["452 full"] * 3)
    one = desk(tmp_path / "mail", send=smtp(serve(taking)))
    ticket = one.deliver(mail())
    one.reply(ticket, "Sorry.", key="k")
    assert (one.flush(), one.waiting()) == (0, 1)
    assert "452 full" in one.ticket(ticket).notes[0]
    assert (one.flush(), one.waiting(), len(taking.mails)) == (1, 0, 1)


def test_a_mail_that_is_refused_for_good_opens_its_ticket(serve, tmp_path):
    """A person has to look at what no server takes."""
    taking = Taking(data=["554 spam"])
    one = desk(tmp_path / "mail", send=smtp(serve(taking)))
    ticket = one.deliver(mail())
    one.reply(ticket, "Sorry.", key="k")
    one.flush()
    found = one.ticket(ticket)
    assert found.state == "reopened" and "554 spam" in found.notes[0]
    assert (one.flush(), one.waiting(), taking.mails) == (0, 0, [])


def test_an_answer_that_is_lost_is_unknown_and_not_sent_again(serve, tmp_path):
    """The server took the mail and hung up: it may have it, so it does not get it twice."""
    taking = Taking(data=["drop"])
    one = desk(tmp_path / "mail", send=smtp(serve(taking)))
    ticket = one.deliver(mail())
    one.reply(ticket, "Sorry.", key="k")
    assert (one.flush(), one.flush(), len(taking.mails)) == (0, 0, 1)
    assert "It is not known whether" in one.ticket(ticket).notes[0]
    said = refused(MailUnknown, lambda: smtp(serve(Taking(data=["drop"])))(letter()))
    assert "connection unexpectedly closed" in said


def test_nobody_listens():
    """A server that is not there is tried again, and then it is one sentence."""
    waits = []
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    said = refused(MailLater, lambda: smtp(port, waits=waits)(letter()))
    assert said.endswith("does not answer: connection refused") and waits == [1.0, 2.0]


SCRIPTS = [
    (["220 hi", "250 ok", "250 ok", "250 ok", None], MailLater),  # hangs up before DATA
    (["220 hi", "250 ok", "250 ok", "250 ok", "354 go", None], MailUnknown),
    (["220 hi", "250 ok", "250 ok", "250 ok", "354 go", "nonsense"], MailUnknown),
    (["220 hi", "250 ok", "530 log in first"], MailError),
    (["421 too busy"], MailLater),
    (["554 go away"], MailError),
    ([None], MailLater),
]


@pytest.mark.parametrize(("script", "kind"), SCRIPTS)
def test_a_server_that_breaks_off_anywhere(script, kind):
    """Where a conversation ends decides whether the mail may have been taken."""
    listening = socket.create_server(("127.0.0.1", 0))

    def talk():
        while True:
            try:
                there, _ = listening.accept()
            except OSError:
                return
            with there, there.makefile("rb") as lines:
                play(there, lines)

    def play(there, lines):
        for number, word in enumerate(script):
            if number and not heard(lines, script[number - 1]):
                return
            if word is None:
                return
            there.sendall(word.encode() + b"\r\n")
        lines.readline()

    def heard(lines, before):
        line = lines.readline()
        while before.startswith("354") and line not in {b"", b".\r\n"}:
            line = lines.readline()
        return line

    threading.Thread(target=talk, daemon=True).start()
    with listening:
        refused(kind, lambda: smtp(listening.getsockname()[1], retries=0)(letter()))


def test_a_connection_that_is_lost_in_the_middle_of_a_mail_can_be_tried_again():
    """Without its last line no server takes a mail, so nothing is unknown."""
    listening = socket.create_server(("127.0.0.1", 0))

    def talk():
        there, _ = listening.accept()
        with there, there.makefile("rb") as lines:
            there.sendall(b"220 hi\r\n")
            for said in (b"250 ok", b"250 ok", b"250 ok", b"354 go"):
                lines.readline()
                there.sendall(said + b"\r\n")
            lines.readline()
            there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    message = letter()
    message.set_content(f"{'x' * 70}\n" * 150_000, cte="7bit")
    threading.Thread(target=talk, daemon=True).start()
    with listening:
        one = smtp(listening.getsockname()[1], retries=0)
        refused(MailLater, lambda: one(message))


def test_a_server_that_says_nothing_is_left(serve):
    """A server that takes the connection and is silent costs a moment, not for ever."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        one = smtp(silent.getsockname()[1], seconds=0.2, retries=0)
        assert "timed out" in refused(MailLater, lambda: one(letter()))
