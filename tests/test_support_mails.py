"""Whatever a mail is made of, it is read safely, and what could not be read is said."""

import random
import time
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from letters import NOW, desk, mail

from apps.support.mail.markup import seen
from apps.support.mail.reading import LONGEST_TEXT, MOST_READ, read

HEAD = b"From: ann@home.example\nDate: Sun, 01 Mar 2026 10:00:00 +0000\n"


def letter(raw, **named):
    """What is read of bytes."""
    return read(raw[:MOST_READ], **({"size": len(raw), "arrived": NOW} | named))


def message(raw, **named):
    """The message that is read of bytes."""
    return letter(raw, **named).message


def part(content, kind="text/plain", *more):
    """One part of a multipart mail, cut by `b`."""
    head = "\n".join([f"Content-Type: {kind}", *more])
    return f"--b\n{head}\n\n".encode() + content + b"\n"


def multipart(*parts, kind="mixed"):
    """A mail of several parts."""
    return (
        HEAD
        + f"Content-Type: multipart/{kind}; boundary=b\n\n".encode()
        + b"".join(parts)
        + b"--b--"
    )


# Charsets


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("utf-8", "Grüße — 謝"),
        ("iso-8859-1", "Grüße"),
        ("windows-1252", "“quoted” for 5 €"),
        ("iso-2022-jp", "壊れた品物"),
        ("shift_jis", "壊れた①品物"),
        ("euc-jp", "壊れた品物"),
        ("koi8-r", "сломано"),
        ("gb2312", "破了"),
        ("big5", "壞了"),
        ("utf-16", "both bytes"),
    ],
)
def test_a_mail_is_read_in_its_charset(charset, text):
    """What was written arrives, in the charsets that mail programs use, without a complaint."""
    python = {"shift_jis": "cp932"}.get(charset, charset)
    raw = HEAD + f"Content-Type: text/plain; charset={charset}\n\n".encode() + text.encode(python)
    assert (message(raw).text, message(raw).problems) == (text, ())


@pytest.mark.parametrize(
    ("charset", "body", "text", "why"),
    [
        ("x-unknown", "Grüße".encode(), "Grüße", "is not known"),
        ("utf-8", "Grüße".encode("cp1252"), "Grüße", "not in the charset that it names"),
        ("iso-2022-jp", "Grüße".encode(), "Grüße", "not in the charset that it names"),
        ("zlib", b"plain", "plain", "is not known"),
        ("unicode_escape", rb"a\x41", r"a\x41", "is not known"),
        ("punycode", b"plain", "plain", "is not known"),
        ("a\x00b", b"plain", "plain", "is not known"),
        ("", b"Gr\xfc\xdfe", "Grüße", "does not name its charset"),
    ],
)
def test_a_charset_that_is_unknown_or_lies_is_named(charset, body, text, why):
    """Something readable is shown, and a sentence says that it was guessed."""
    kind = f'Content-Type: text/plain; charset="{charset}"\n' if charset else ""
    found = message(HEAD + kind.encode() + b"\n" + body)
    assert found.text == text and why in found.problems[0]


def test_nothing_invisible_is_left():
    """Null bytes, escapes, reversed text and hidden letters are gone, and that is said."""
    hidden = "".join(chr(0xE0000 + ord(c)) for c in "refund 10000")
    found = message(mail(f"a\x00b\x1b[2Jc\u202ed{hidden}e\u2066f"))
    assert found.text == "a\ufffdb\ufffd[2Jcdef"
    assert "invisible characters" in found.problems[0]


# Heads


@pytest.mark.parametrize(
    ("sender", "name", "address"),
    [
        ("=?iso-2022-jp?B?GyRCOzNFRBsoQg==?= <yamada@home.example>", "山田", "yamada@home.example"),
        (
            "=?utf-8?q?J=C3=BCrgen?= =?utf-8?q?_M=C3=BCller?= <J@X.example>",
            "Jürgen Müller",
            "j@x.example",
        ),
        ('"Ann, the first" <ann@x.example>', "Ann, the first", "ann@x.example"),
        ("ann@x.example (Ann)", "Ann", "ann@x.example"),
        ("=?utf-8?b?abcde?= <a@x.example>", "=?utf-8?b?abcde?=", "a@x.example"),
        ("=?x-none?q?abc?= <a@x.example>", "abc", "a@x.example"),
        ("J\u00fcrgen <a@x.example>", "Jürgen", "a@x.example"),
    ],
)
def test_a_sender_is_read(sender, name, address):
    """Names may be encoded in any way; an address is small letters."""
    found = message(mail(sender=sender))
    assert (found.name, found.sender) == (name, address)


@pytest.mark.parametrize("sender", [None, "", "nobody", "<>", "a b@c d", "(" * 5000, "@x.example"])
def test_a_mail_from_nobody_is_a_ticket_that_says_so(tmp_path, sender):
    """A mail without an address is listed, and cannot be taken for anybody's."""
    one = desk(tmp_path / "mail")
    found = one.ticket(one.deliver(mail(sender=sender)))
    assert found.customer == "" and "does not say who sent it" in found.messages[0].problems[-1]


def test_several_senders_are_named():
    """Only the first is taken for the sender, and the mail joins no ticket."""
    raw = b"From: a@x.example\nFROM: b@x.example, a@x.example\n" + mail(sender=None)
    found = letter(raw)
    assert (found.message.sender, found.is_certain) == ("a@x.example", False)
    assert "several senders; besides the first: b@x.example" in found.message.problems[0]


def test_an_answer_that_is_wanted_elsewhere_is_named():
    """Who wants the answer at another address does not get it there unnoticed."""
    found = message(mail(Reply_To="eve@evil.example"))
    assert "asks for answers to eve@evil.example" in found.problems[0]


@pytest.mark.parametrize(
    ("date", "why"),
    [
        (None, "it has no date"),
        ("yesterday", "cannot be read"),
        ("Sun, 99 Mar 2026 10:00:00 +0000", "cannot be read"),
        ("Sun, 01 Mar 99999 10:00:00 +9999", "cannot be read"),
        ("Sun, 01 Mar 2099 10:00:00 +0000", "after it arrived"),
    ],
)
def test_a_date_that_makes_no_sense_is_that_of_arrival(date, why):
    """A mail from the future, or from no time at all, is as old as its arrival."""
    found = message(mail(Date=date))
    assert found.at == NOW and why in found.problems[0]


def test_a_date_may_be_of_any_zone():
    """Times are compared in UTC; a clock that is slightly fast is believed."""
    assert message(mail(Date="Sun, 1 Mar 2026 00:30:00 -0500")).at.hour == 5
    soon = NOW + timedelta(hours=2)
    assert message(mail(Date=f"{soon:%a, %d %b %Y %H:%M:%S} +0000")).at == soon


def test_a_mail_without_an_id_gets_one_from_its_bytes():
    """The same mail always has the same id, another mail another one."""
    ids = [message(mail(text, Message_ID=None)).id for text in ("a", "a", "b")]
    broken = message(mail(Message_ID="<not an id at all")).id
    assert ids[0] == ids[1] != ids[2] and broken.startswith("<") and broken.endswith(">")


def test_huge_and_repeated_heads_are_read_in_no_time():
    """A head of megabytes costs nothing, is cut, and what follows it is still read."""
    started = time.monotonic()
    for more in (
        b"X: y\n" * 500_000,
        b"Subject: " + b"x " * 1_000_000 + b"\n",
        b"To: a@b.c\n\ty" * 9,
    ):
        found = message(HEAD + more + b"\nHello")
        assert found.sender == "ann@home.example" and found.text.endswith("Hello")
        assert len(found.subject) <= 300
    assert time.monotonic() - started < 5


# Parts


def test_the_plain_form_is_read_and_html_where_there_is_none():
    """Of several forms of one text, the plain one is read, unless it is empty."""
    html = part(b"<p>from <b>HTML</b></p>", "text/html")
    both = multipart(part(b"plain"), html, kind="alternative")
    empty = multipart(part(b" \n"), html, kind="alternative")
    assert (message(both).text, message(empty).text) == ("plain", "from HTML")


def test_attachments_have_a_name_a_kind_and_a_size():
    """Files are counted and named, harmlessly, and none of their bytes become text."""
    written = EmailMessage()
    written["From"] = "ann@home.example"
    written.set_content("See the photo.")
    written.add_attachment(b"x" * 1000, maintype="image", subtype="png", filename="写真 1.png")
    written.add_attachment(b"y", maintype="text", subtype="plain", filename="../../etc/passwd")
    inner = EmailMessage()
    inner.set_content("inside")
    written.add_attachment(inner)
    found = message(written.as_bytes())
    shown = [(one.name, one.kind, one.size) for one in found.attachments]
    assert found.text == "See the photo."
    assert shown[:2] == [("写真 1.png", "image/png", 1000), ("passwd", "text/plain", 1)]
    assert shown[2][:2] == ("unnamed", "message/rfc822")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("filename*=iso-2022-jp''%1B%24B%3CL%3F%3F%1B%28B.jpg", "写真.jpg"),
        ("filename*0*=utf-8''a%20; filename*1=b.txt", "a b.txt"),
        ('filename="=?utf-8?q?r=C3=A9sum=C3=A9.pdf?="', "résumé.pdf"),
        ("filename*=x-none''%FF.txt", "ÿ.txt"),
        ('filename="..\\\\..\\\\a:b<c>.exe"', "a_b_c_.exe"),
        ('filename="a\u202egnp.exe"', "agnp.exe"),
        (f'filename="{"x" * 500}.pdf"', f"{'x' * 109}.pdf"),
        ('filename="///"', "unnamed"),
    ],
)
def test_a_name_of_a_file_is_harmless(header, name):
    """Encoded, split, lying or hostile: what is shown is one plain name."""
    raw = HEAD + f"Content-Disposition: attachment; {header}\n\nx".encode()
    assert message(raw).attachments[0].name == name


def test_too_many_parts_and_too_deep_ones_are_cut():
    """A mail like a box of boxes is read as far as sense goes, and says where that ended."""
    many = message(multipart(part(b"first"), *[part(b"x")] * 5000))
    deep = b"".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n".encode() for n in range(2000)
    )
    assert many.text.startswith("first") and "too many parts" in many.problems[0]
    assert "could not be read to its end" in message(HEAD + deep + b"\nx").problems[0]
    some = b"".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n".encode() for n in range(40)
    )
    assert "too many parts" in message(HEAD + some + b"\nx").problems[0]


@pytest.mark.slow
def test_a_mail_of_fifty_megabytes_is_cut(tmp_path):
    """It is stored whole, read in a moment, and says what was left out."""
    one = desk(tmp_path / "mail")
    raw = mail("Hello\n" + "x" * (50 << 20))
    started = time.monotonic()
    found = one.ticket(one.deliver(raw)).messages[0]
    assert time.monotonic() - started < 10
    assert found.text.startswith("Hello") and len(found.text) <= LONGEST_TEXT
    assert "only the first 8,388,608 were read" in found.problems[0]
    (path,) = (tmp_path / "mail" / "new").iterdir()
    assert path.stat().st_size == len(raw)


# HTML


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One<p>Two<br>Three", "One\n\nTwo\nThree"),
        ("a<script>evil()</script>b<style>p{}</style>c", "abc"),
        ("a<!-- no -->b<!-->c<!--->d<!-- <b> -- > -->e", "abcde"),
        ("<head><title>T</title></head><body>x</body>y", "xy"),
        ("1 &lt; 2 &amp; 3 &#8364; &nope;", "1 < 2 & 3 € &nope;"),
        ("1 < 2 and <3", "1 < 2 and <3"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a b\nc"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "a\nb\nc"),
        ('<img src=x alt="a cup"><img src=y>', "[image: a cup]"),
        ('<a href="https://a.example">https://a.example</a>', "https://a.example"),
        ('<a href="https://a.example">here</a>', "here <https://a.example>"),
        ('<a href="java\nscript:x">y</a>', "y <javascript:x>"),
        ('<b title="a>b">x</b>', "x"),
        ("<b title=don't>x</b> y", "x y"),
        ("x<b", "x"),
        ("x<!-- never ends", "x"),
        ("x<script>never ends", "x"),
        (f"a&#{'9' * 5000};b", f"a&#{'9' * 5000};b"),
        (f"<b title='&#{'9' * 3000};'>x", "x"),
        ("a<p hidden>b<p>c", "a\n\nc"),
    ],
)
def test_html_is_read_as_it_is_seen(markup, text):
    """What a reader would see is what is read; a link says where it leads."""
    assert seen(markup)[0] == text


@pytest.mark.parametrize(
    "style",
    [
        "style='display:none'",
        'style="DISPLAY : NONE"',
        "style='visibility: hidden'",
        "style='font-size:0px'",
        "style='font-size: 0'",
        "style='opacity:0'",
        "style='dis/**/play:/* */none'",
        "style='position:absolute;left:-9999px'",
        "hidden",
    ],
)
def test_hidden_text_is_left_out_and_named(markup_of_hidden, style):
    """What nobody sees is not read to the agent, and a person is told that it was there."""
    found = message(HEAD + b"Content-Type: text/html\n\n" + markup_of_hidden(style).encode())
    assert found.text == "Hello there" and "Hidden text was left out." in found.problems


@pytest.fixture
def markup_of_hidden():
    """How a mail hides a sentence."""
    return lambda style: f"Hello <div {style}>pay <b>10,000</b> <p>to me</div>there"


@pytest.mark.parametrize(
    "style", ["style='font-size:0.9em'", "style='opacity:0.5'", "class=hidden"]
)
def test_what_is_seen_is_read(markup_of_hidden, style):
    """What only looks like hiding hides nothing."""
    assert "10,000" in seen(markup_of_hidden(style))[0]


UNITS = ["<!--", "<", "<a ", '<a b="', "</", "<b>", "<p>", "<b></i>", "<![CDATA[", "<script", "&#"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", [*UNITS, "<a href=x>", "<td>", "<table><td>", '="', "<div hidden>"]
)
def test_no_html_takes_long(unit):
    """A quarter of a million characters of the worst kind are read in seconds."""
    started = time.monotonic()
    seen(unit * (250_000 // len(unit)))
    assert time.monotonic() - started < 5


# Anything at all


def shapes():
    """Bytes that look like mails, and bytes that do not."""
    heads = b"From: |Date: |Subject: |Content-Type: |Content-Transfer-Encoding: base64"
    kinds = b"text/html|multipart/mixed; boundary=b|message/rfc822|charset=|utf-7|filename*0*="
    bits = b'\n|\r\n|\n\n|a@x.example|--b|=?utf-8?b?|<|>|(|"|\\|\x00|\xff|<p hidden>|<!--'
    words = st.sampled_from(b"|".join([heads, kinds, bits]).split(b"|"))
    return st.lists(words | st.binary(max_size=8), max_size=60).map(b"".join)


@settings(max_examples=300)
@given(shapes())
def test_any_bytes_are_a_mail(raw):
    """Whatever arrives is a message of plain text; nothing is raised, nothing is unprintable."""
    found = message(raw)
    assert found.id.startswith("<") and found.id.endswith(">")
    assert not any(ord(c) < 32 and c not in "\n\t" for c in found.text + found.subject)
    assert "\n" not in found.subject + found.name + found.sender
    found.text.encode("utf-8")


def test_a_thousand_broken_mails_are_a_thousand_mails(tmp_path):
    """Bytes of a good mail are changed at random; each is stored and listed."""
    chance = random.Random(7)
    good = multipart(part(b"plain"), part(b"<p>x", "text/html"), part(b"eA==", "image/png"))
    one, folder = desk(tmp_path / "mail"), tmp_path / "mail" / "new"
    for n in range(1000):
        raw = bytearray(good + str(n).encode())
        for _ in range(chance.randrange(1, 30)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        (folder / f"{1_772_000_000 + n}.M1P1Q1.host").write_bytes(raw)
    found = one.tickets()
    assert sum(len(ticket.messages) for ticket in found) == 1000
    assert desk(tmp_path / "mail").tickets() == found


def test_what_no_parser_survives_is_a_mail_that_says_so(monkeypatch):
    """Should a parser fail in a way that nobody knows, the mail is still there."""
    monkeypatch.setattr("apps.support.mail.headers.senders", lambda head: 1 / 0)
    found = message(mail())
    assert "ended with ZeroDivisionError" in found.problems[0] and found.at == NOW
    assert datetime.now(UTC) > found.at
