"""Names that may move, places that depend on the call, and calls that are asked once more."""

import pytest
from people import YES, Background, Says, Silent, pending

from core import ActionChanged, Edit, MemoryStore, Panel, Reject, Rejected, SqliteStore, gate, run
from core.approvers.drawing import draw
from core.documents import request as document
from core.model import State
from core.policies.conditional import RejectIf


class Branches:
    """Two branches that may move, and what was shipped."""

    def __init__(self):
        self.heads = {"main": "c1", "next": "c7"}
        self.live = "c0"
        self.shipped = []

    def commit(self, ref):
        if ref in {"c1", "c2", "c7"}:
            return ref
        if ref not in self.heads:
            raise LookupError(f"there is no branch {ref}")
        return self.heads[ref]

    def move(self, request=None):
        self.heads["main"] = "c2"
        return YES

    def gated(self, approver, **options):
        def ship(ref: str, place: str = "production") -> str:
            self.shipped.append((ref, place))
            return f"{ref} is in {place}"

        return gate(ship, approver=approver, pin={"ref": self.commit}, **options)


@pytest.fixture
def world():
    """Branches, and nothing shipped."""
    return Branches()


def test_what_a_name_stood_for_is_what_runs(world):
    """The branch moves while people think; what they saw is shipped, not what it is by now."""
    ship = world.gated(Says(world.move))
    assert ship("main") == "c1 is in production"
    assert world.shipped == [("c1", "production")] and world.heads["main"] == "c2"


def test_the_person_sees_the_name_and_what_it_stands_for(world, tmp_path):
    """The name the agent gave is shown beside the value, in every window and after a restart."""
    with Background(world.gated(ana := Silent(), store=SqliteStore(tmp_path / "a.db")), "main"):
        with_restart = SqliteStore(tmp_path / "a.db")
        stored = pending(with_restart)
        said = 'ref: "main" stands for "c1"'
        assert stored.request.arguments["ref"] == "c1"
        assert stored.request.remarks == (said,)
        assert said in "\n".join(line.plain for line in draw(stored.request, width=100))
        assert document(stored)["remarks"] == [said]
        with_restart.vote(stored.request.id, YES, digest=stored.request.digest)
    assert world.shipped == [("c1", "production")] and ana.withdrawn == 1


def test_an_edit_may_give_a_name_too(world):
    """A person who writes a name ships what it stands for, and is shown that before it counts."""
    bo = Says(Edit(by="ana", arguments={"ref": "next"}), YES)
    assert "c7 is in production" in world.gated(bo, preview=lambda ref: f"ships {ref}")("main")
    assert bo.seen[-1].preview.summary == "ships c7"
    assert bo.seen[-1].remarks == ('ref: "next" stands for "c7"',)
    assert world.shipped == [("c7", "production")]


def test_a_wrong_name_in_an_edit_is_told_to_its_author(world):
    """An edit to a name that stands for nothing is not taken, and the author hears why."""
    bo = Says(Edit(by="ana", arguments={"ref": "nowhere"}), YES)
    assert world.gated(bo)("main") == "c1 is in production"
    assert "there is no branch nowhere" in bo.seen[1].problem


def test_a_name_that_stands_for_nothing_asks_nobody(world):
    """The agent is told why at once; no request is kept, and nothing runs."""
    store, nobody = MemoryStore(), Says()
    with pytest.raises(Rejected, match="there is no branch nowhere"):
        world.gated(nobody, store=store)("nowhere")
    assert not nobody.seen and not store.search() and not world.shipped


def test_a_repeated_run_finds_its_call_although_the_name_has_moved(world, tmp_path):
    """Done again after the branch moved, a run ships what people approved, and ships it once."""
    store = SqliteStore(tmp_path / "a.db")
    for _ in range(2):
        with run("release-7"):
            answer = world.gated(Says(world.move), store=store)("main")
        assert answer == "c1 is in production"
    assert world.shipped == [("c1", "production")]


def test_a_hidden_value_is_not_looked_up(world):
    """A secret would be shown by what it stands for, so it cannot be pinned."""
    with pytest.raises(TypeError, match="ref"):
        world.gated(YES, secret={"ref"})
    with pytest.raises(TypeError, match="branch"):
        gate(world.commit, approver=YES, pin={"branch": str})


def test_the_place_may_depend_on_the_call(world):
    """Where a call takes effect is told by its arguments, and an edit may move it."""
    places = []

    def policy(request):
        places.append(request.environment)

    bo = Says(Edit(by="ana", arguments={"place": "staging"}))
    ship = world.gated(bo, policies=[policy], environment=lambda place: place)
    ship("main")
    assert places == ["production", "staging"] and world.shipped == [("c1", "staging")]


@pytest.mark.parametrize("strange", [lambda: 7, lambda: 1 / 0], ids=["number", "fails"])
def test_a_place_that_cannot_be_told_is_no_place(world, strange):
    """Where a call takes effect is unknown, so nobody is asked and nothing runs."""
    with pytest.raises(Rejected, match="where it takes effect is unknown"):
        world.gated(Says(), environment=strange)("main")
    assert not world.shipped


def looks(world):
    """Return a preview that depends on what is live."""
    return lambda ref: f"{world.live} -> {ref}"


def another_is_live(world, live):
    """Return the word of a person who takes so long that another release goes live."""

    def word(request):
        world.live = live
        return YES

    return word


def test_what_has_changed_since_is_asked_again(world):
    """People approved another difference; they see the new one, and why they are asked anew."""
    store, ana = MemoryStore(), Says(another_is_live(world, "c5"), YES)
    assert world.gated(ana, store=store, preview=looks(world), ask_again=2)("main")
    first, second = ana.seen
    assert second.preview.summary == "c5 -> c1" and second.id != first.id
    assert "c0 -> c1" in second.remarks[0] and "since ana approved it" in second.remarks[0]
    assert store.get(first.id).state is State.CANCELLED and world.shipped == [("c1", "production")]


def test_a_world_that_never_rests_is_refused_in_the_end(world):
    """After the last time of asking again, the call is refused, and nothing has run."""
    words = [another_is_live(world, f"c{number}") for number in range(10, 20)]
    ana = Says(*words)
    with pytest.raises(ActionChanged):
        world.gated(ana, preview=looks(world), ask_again=3)("main")
    assert len(ana.seen) == 4 and not world.shipped


def test_what_is_asked_again_faces_the_policies(world):
    """By now a policy rejects it: nobody is asked again, and nothing has run."""
    ana = Says(another_is_live(world, "c5"))
    closed = RejectIf(lambda: world.live == "c5", because="c5 stays for the weekend")
    with pytest.raises(Rejected, match="c5 stays for the weekend"):
        world.gated(ana, preview=looks(world), policies=[closed], ask_again=2)("main")
    assert not world.shipped


def test_what_is_asked_again_may_need_more_people(world):
    """Who decides is found out anew for the new question."""
    ana = Says(another_is_live(world, "c5"), Reject(by="bo", reason="not on top of c5"))

    def panel():
        return Panel(members=frozenset({"ana"} if world.live == "c0" else {"bo"}))

    with pytest.raises(Rejected, match="not on top of c5"):
        world.gated(ana, preview=looks(world), panel=panel, ask_again=2)("main")
    assert ana.seen[1].panel.members == {"bo"} and not world.shipped


class Killed(BaseException):
    """Stands for the end of the process."""


def test_a_repeated_run_finds_the_question_that_was_asked_again(world, tmp_path):
    """The process ended after it asked again; done again, the run goes on with that question."""
    store = SqliteStore(tmp_path / "a.db")
    ana = Says(another_is_live(world, "c5"), Reject(by="nobody yet", reason="-"))
    options = {"store": store, "preview": looks(world), "ask_again": 2}

    async def silent(request):
        if not ana.seen:
            return ana(request)
        raise Killed

    with pytest.raises(Killed), run("release-7"):
        world.gated(silent, **options)("main")
    (waiting,) = store.pending()
    store.vote(waiting.request.id, YES, digest=waiting.request.digest)
    with run("release-7"):
        assert world.gated(Says(), **options)("main") == "c1 is in production"
    assert world.shipped == [("c1", "production")] and len(store.search()) == 2
