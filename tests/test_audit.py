"""The trail shows what was done to it: change, insertion, removal, reordering, a cut-off end."""

import csv
import hashlib
import io
import json
from dataclasses import replace

import pytest
from asking import NOON, YES, Clock, asked, standing
from hypothesis import given
from hypothesis import strategies as st

from core import audit
from core.model import State
from core.stores.memory import MemoryStore


def told(*names):
    """Return a trail of one record for each name."""
    records, previous = [], audit.START
    for seq, name in enumerate(names, start=1):
        one = audit.record(
            seq=seq,
            at=NOON,
            event="submitted",
            request_id=f"request-{seq}",
            by=name,
            details={"note": name},
            previous=previous,
        )
        records.append(one)
        previous = one.hash
    return records


def resealed(records):
    """Return the records with numbers and hashes made to fit, as a forger would."""
    made, previous = [], audit.START
    for seq, old in enumerate(records, start=1):
        one = audit.record(
            seq=seq,
            at=old.at,
            event=old.event,
            request_id=old.request_id,
            by=old.by,
            details=audit.details(old),
            previous=previous,
        )
        made.append(one)
        previous = one.hash
    return made


trails = st.lists(st.text(), min_size=1, max_size=8).map(lambda names: told(*names))


@given(trails)
def test_an_untouched_trail_holds(trail):
    """Every record is verified, and a checkpoint of the end proves all of them."""
    assert audit.verify(trail) == audit.Verified(count=len(trail))
    mark = audit.checkpoint(trail)
    assert audit.verify(trail, mark) == audit.Verified(count=len(trail), proven=len(trail))


FORGED = {
    "seq": 99,
    "at": NOON.replace(year=2025),
    "event": "approved",
    "request_id": "another",
    "by": "somebody else",
    "body": '{"record":null,"details":{}}',
    "previous": "1" * 64,
    "hash": "1" * 64,
}


@pytest.mark.parametrize("column", FORGED)
@given(trails, st.data())
def test_a_changed_column_is_found_and_named(column, trail, data):
    """Whatever is changed in whatever record, that record is the first bad one."""
    place = data.draw(st.integers(0, len(trail) - 1))
    trail[place] = replace(trail[place], **{column: FORGED[column]})
    found = audit.verify(trail)
    assert not found
    assert (found.first_bad, found.count) == (place + 1, place)
    assert found.problem in str(found) and f"record {place + 1} is bad" in str(found)


@given(trails, st.data())
def test_a_removed_record_is_found(trail, data):
    """Taking out any record but the last breaks the chain where it was."""
    place = data.draw(st.integers(0, len(trail) - 1))
    rest = trail[:place] + trail[place + 1 :]
    found = audit.verify(rest)
    assert found.first_bad == (0 if place == len(rest) else place + 1)


@given(trails, st.data())
def test_an_inserted_record_is_found(trail, data):
    """A copy of any record, or a well-made stranger, does not fit anywhere but at the end."""
    place = data.draw(st.integers(0, len(trail) - 1))
    stranger = data.draw(st.sampled_from([*trail, *told("mallory")]))
    found = audit.verify([*trail[:place], stranger, *trail[place:]])
    assert found.first_bad in {place + 1, place + 2}  # a good enough stranger, or who follows it


@given(st.lists(st.text(), min_size=2, max_size=8, unique=True), st.data())
def test_reordering_is_found(names, data):
    """Two records that change places are found at the first of the two places."""
    trail = told(*names)
    first = data.draw(st.integers(0, len(trail) - 2))
    second = data.draw(st.integers(first + 1, len(trail) - 1))
    trail[first], trail[second] = trail[second], trail[first]
    assert audit.verify(trail).first_bad == first + 1


@given(trails, st.data())
def test_the_end_of_another_trail_does_not_fit(trail, data):
    """Records that hold together and are numbered right are still of the wrong trail."""
    place = data.draw(st.integers(1, len(trail)))
    other = told("mallory!", *(record.by for record in trail[1:]), "mallory!")
    if trail[0].by != "mallory!":
        assert audit.verify([*trail[:place], *other[place:]]).first_bad == place + 1


@given(trails, st.data())
def test_only_a_checkpoint_sees_a_cut_off_end(trail, data):
    """A shortened trail still holds together; a checkpoint kept elsewhere tells what is missing."""
    left = data.draw(st.integers(0, len(trail) - 1))
    assert audit.verify(trail[:left])
    found = audit.verify(trail[:left], audit.checkpoint(trail))
    assert (found.first_bad, found.count) == (left + 1, left)
    assert str(len(trail)) in found.problem


@given(trails, st.data())
def test_only_a_checkpoint_sees_a_trail_that_is_written_anew(trail, data):
    """A forger who recomputes every hash is found at the next checkpoint, and not without one."""
    place = data.draw(st.integers(0, len(trail) - 1))
    mark = audit.checkpoint(trail)
    forged = resealed([*trail[:place], replace(trail[place], by="mallory!"), *trail[place + 1 :]])
    if forged == trail:
        return
    assert audit.verify(forged)
    assert "checkpoint" in audit.verify(forged, mark).problem
    earlier = audit.checkpoint(trail[:place])
    found = audit.verify(forged, earlier, mark)
    assert (found.proven, found.first_bad) == (place, place + 1)


def test_what_is_proven_ends_at_the_last_checkpoint():
    """Records after the checkpoint hold together, and that is all that can be said of them."""
    trail = told(*"abcde")
    found = audit.verify(trail, audit.checkpoint(trail[:2]), audit.checkpoint(trail[:3]))
    assert (found.count, found.proven, bool(found)) == (5, 3, True)
    assert "up to record 3" in str(found)
    assert "no checkpoint was given" in str(audit.verify(trail))


def test_checkpoints_that_contradict_each_other_are_a_problem():
    """Of two checkpoints at one count, one is of another trail; neither may hide the other."""
    trail, other = told(*"abc"), told(*"abx")
    marks = audit.checkpoint(trail), audit.checkpoint(other)
    assert not audit.verify(trail, *marks)
    assert not audit.verify(trail, *reversed(marks))


def test_a_checkpoint_of_nothing_is_a_checkpoint():
    """An empty trail has one; a count of nothing with another hash is found out."""
    assert audit.verify([], audit.checkpoint([])) == audit.Verified(count=0)
    assert not audit.verify(told("a"), audit.Checkpoint(count=0, root="1" * 64))


def test_a_checkpoint_is_three_lines_that_can_be_read_back():
    """What is printed is what is read, also after a mail program has added line ends."""
    mark = audit.checkpoint(told(*"abc"))
    assert len(str(mark).splitlines()) == 3
    assert audit.read_checkpoint(str(mark)) == mark
    assert audit.read_checkpoint(str(mark).replace("\n", "\r\n") + "\r\n") == mark


ROOT = "ab" * 32


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        f"3\n{ROOT}",
        f"somebody's trail\n3\n{ROOT}\n",
        f"{audit.ORIGIN}\n-3\n{ROOT}\n",
        f"{audit.ORIGIN}\n3.5\n{ROOT}\n",
        f"{audit.ORIGIN}\n\u00b2\n{ROOT}\n",
        f"{audit.ORIGIN}\n\u0663\n{ROOT}\n",
        f"{audit.ORIGIN}\n{'9' * 5000}\n{ROOT}\n",
        f"{audit.ORIGIN}\n3\n{ROOT[:-1]}\n",
        f"{audit.ORIGIN}\n3\n{ROOT[:-1]}x\n",
        f"{audit.ORIGIN}\n3\n{ROOT}\n{ROOT}\n",
    ],
)
def test_what_is_not_a_checkpoint_is_refused(text):
    """Garbage proves nothing: it is an error that says what a checkpoint looks like."""
    with pytest.raises(ValueError, match="three lines"):
        audit.read_checkpoint(text)


@given(trails)
def test_exported_lines_can_be_checked_by_somebody_else(trail):
    """With the exported lines and SHA-256 alone, a third party comes to the same hashes."""
    file = io.StringIO(newline="")
    assert audit.export(trail, file) == len(trail)
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    previous = "0" * 64
    for line, record in zip(lines, trail, strict=True):
        text = f"gated-agents/audit/1\n{previous}\n{line['body']}"
        assert line["previous"] == previous
        assert hashlib.sha256(text.encode()).hexdigest() == line["hash"] == record.hash
        seq, at, event, request_id, by = json.loads(line["body"])["record"]
        columns = [line[name] for name in ("seq", "at", "event", "request_id", "by")]
        assert columns == [seq, at, event, request_id, by]
        previous = line["hash"]


FORMULAS = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1"]


@pytest.mark.parametrize("name", FORMULAS)
def test_a_spreadsheet_reads_no_formula(name):
    """A name that would be a formula is text, and is still there to be read."""
    file = io.StringIO(newline="")
    assert audit.export(told(name), file, "csv") == 1
    header, row = csv.reader(io.StringIO(file.getvalue(), newline=""))
    cells = dict(zip(header, row, strict=True))
    assert tuple(header) == audit.COLUMNS
    assert cells["by"] == f"'{name}"
    assert all(cell[:1] not in "=+-@\t\r\n\uff1d" for cell in row)


@given(trails)
def test_the_table_has_a_row_for_each_record(trail):
    """Whatever names hold (commas, quotes, line ends), each record is one row of eight cells."""
    file = io.StringIO(newline="")
    assert audit.export(trail, file, "csv") == len(trail)
    rows = [*csv.reader(io.StringIO(file.getvalue(), newline=""))]
    assert [len(row) for row in rows] == [8] * (len(trail) + 1)
    assert [row[7] for row in rows[1:]] == [record.hash for record in trail]


def test_another_format_is_an_error():
    """What export cannot write, it says."""
    with pytest.raises(ValueError, match="jsonl and csv"):
        audit.export(told("a"), io.StringIO(), "xlsx")


@pytest.mark.parametrize("state", State)
def test_every_history_a_store_can_write_is_verified(state):
    """The trail behind a request in any state holds together and explains the request."""
    clock = Clock()
    store = MemoryStore(clock=clock)
    standing(store, clock, state)
    store.record(asked(), YES)
    trail = [*store.trail()]
    assert audit.verify(trail, audit.checkpoint(trail)).proven == len(trail)
    assert [*store.unexplained()] == []
