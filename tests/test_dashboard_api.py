"""The dashboard for programs: one description, the rules of every window, and no surprises."""

import jsonschema_rs
import pytest
import schemathesis
from asking import Clock, asked, sqlite, world
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from looking_back import (
    ADA,
    ANA,
    BEN,
    HERE,
    PARAMETERS,
    VERA,
    ask,
    dashboard,
    filled,
    one_call,
    program,
    unclear,
)
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from core.approvers.dashboard.api import OPERATIONS
from core.approvers.dashboard.openapi import description
from core.approvers.dashboard.schemas import COMPONENTS
from core.audit import details
from core.model import Panel, Parameter, Quote, Reject, Risk, State
from core.model import Preview as Seen

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
HOSTILE = 'x"</script>\u202e\n\0'


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    store = sqlite(tmp_path, clock=clock, synchronous="NORMAL")
    yield store
    store.close()


@pytest.fixture
def app(store, clock):
    return dashboard(store, now=clock)


def fits(name, document):
    """Whether a document is what the description says about the component of that name."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": COMPONENTS}}
    return jsonschema_rs.Draft202012Validator(schema).is_valid(document)


def approve(client, request, **changes):
    """Send an approval of what is there."""
    body = {"choice": "approve", "digest": request.digest, **changes}
    return client.post(f"/api/requests/{request.id}/votes", json=body)


def problem(answer, status):
    """Whether an answer is a problem of that status, told in a sentence."""
    told = answer.json()
    return (
        answer.status_code == told["status"] == status
        and answer.headers["content-type"] == "application/problem+json"
        and told["type"] == "about:blank"
        and told["title"]
        and told["detail"].endswith(".")
    )


def test_what_is_served_is_what_is_described(app):
    """Each address under /api is in the description with its methods, and nothing else is."""
    routes = [route for route in app.routes if getattr(route, "path", "").startswith("/api")]
    served = {(route.path, method) for route in routes for method in route.methods - {"HEAD"}}
    told = program(app, VERA).get("/api/openapi.json").json()
    described = {(path, m.upper()) for path, ops in told["paths"].items() for m in ops}
    assert served == described
    names = [op["operationId"] for ops in told["paths"].values() for op in ops.values()]
    assert len(set(names)) == len(names)
    assert all(answer["responses"] for ops in told["paths"].values() for answer in ops.values())


def test_a_program_needs_the_token_of_a_person(app, store):
    """Without a token, with another one or with a session nothing is told and nothing happens."""
    request = ask(store)
    before = world(store)
    _, session = app.state.context.sessions.open("ada")
    strangers = [
        {},
        {"Authorization": "Bearer token-mallory"},
        {"Authorization": "Basic token-ana"},
        {"Authorization": "Bearer "},
        {"Cookie": f"gate-80={session.key}", "X-CSRF-Token": session.csrf},
    ]
    for headers in strangers:
        client = program(app)
        client.headers.update(headers)
        for operation in OPERATIONS:
            path = operation.path.replace("{id}", request.id)
            assert problem(client.request(operation.method, path, json={}), 401), (headers, path)
    assert world(store) == before


def test_pages_of_what_waits_hold_every_request_once(app, store):
    """Following `next` leads through all that waits and fits, oldest first."""
    for number in range(37):
        ask(
            store,
            number,
            risk=(Risk.LOW, Risk.CRITICAL)[number % 2],
            action=f"shop.{('refund', 'cancel')[number % 3 > 0]}",
            environment=("production", "staging")[number % 5 > 0],
            acting_for=("Carl", "")[number % 4 > 0],
        )
    client, everything = program(app, VERA), [s.request for s in store.pending(limit=100)]
    wanted = {
        "": everything,
        "&risk=CRITICAL": [r for r in everything if r.risk is Risk.CRITICAL],
        "&action=refund": [r for r in everything if r.action == "shop.refund"],
        "&environment=staging": [r for r in everything if r.environment == "staging"],
        "&person=carl": [r for r in everything if r.acting_for],
        "&risk=LOW&person=carl": [r for r in everything if r.acting_for and r.risk is Risk.LOW],
    }
    for query, requests in wanted.items():
        found, after = [], ""
        while True:
            page = client.get(f"/api/requests?limit=5{query}{after}").json()
            assert len(page["requests"]) <= 5
            found += [one["id"] for one in page["requests"]]
            if not page["next"]:
                break
            after = f"&after={page['next']}"
        assert found == [r.id for r in requests], query


def test_what_is_told_fits_the_description(app, store, clock):
    """Requests in every state, with previews, votes and outcomes, are as the description says."""
    for number in range(20):
        one_call(store, clock, number)
    preview = Seen(summary="s", facts=(("a", "b"),), quotes=(Quote(who="x", text="y"),))
    ask(store, preview=preview, requester=HOSTILE)
    unclear(store)
    client, states = program(app, VERA), set()
    for one in client.get("/api/history?limit=200").json()["requests"]:
        assert fits("Request", one)
        assert fits("Request", client.get(f"/api/requests/{one['id']}").json())
        story = client.get(f"/api/requests/{one['id']}/story").json()
        assert fits("Story", story)
        records = [r.seq for r in store.trail() if r.request_id == one["id"]]
        assert [r["seq"] for r in story["records"]] == records
        states.add(one["state"])
    assert {"pending", "SUCCEEDED", "FAILED", "REJECTED", "EXPIRED", "CANCELLED"} < states
    assert fits("Pending", client.get("/api/requests").json())


def test_history_finds_what_fits_page_by_page(tmp_path):
    """State, person and time narrow the history, and following `next` misses nothing."""
    store, clock = filled(tmp_path, count=50)
    client = program(dashboard(store, now=clock), VERA)
    everything = store.search(limit=1000)
    middle = everything[25].request.asked_at
    wanted = {
        "": everything,
        "&state=FAILED": [s for s in everything if s.state is State.FAILED],
        "&person=carl": [s for s in everything if s.request.acting_for],
        f"&since={middle.isoformat()[:-6]}Z": everything[:26],
        f"&until={middle.isoformat()[:-6]}Z": everything[26:],
    }
    for query, requests in wanted.items():
        found, after = [], ""
        while True:
            page = client.get(f"/api/history?limit=7{query}{after}").json()
            found += [one["id"] for one in page["requests"]]
            if not page["next"]:
                break
            after = f"&after={page['next']}"
        assert found == [s.request.id for s in requests], query


def test_a_vote_counts_for_the_person_of_the_token(app, store):
    """An approval through the API is the vote of whoever the token is of, and counts once."""
    request = ask(store, panel=Panel(votes=2))
    first = approve(program(app, ANA), request, note="fine")
    assert (first.status_code, first.json()["state"]) == (200, "pending")
    records = [*store.trail()]
    assert approve(program(app, ANA), request, note="fine").json() == first.json()
    assert [*store.trail()] == records
    assert approve(program(app, BEN), request).json()["state"] == "approved"
    votes = [(v.by, v.choice, v.window, v.note) for v in store.get(request.id).votes]
    assert votes == [("ana", "approve", "api", "fine"), ("ben", "approve", "api", "")]


def test_a_rejection_carries_its_reason(app, store):
    """What a program gives as a reason is what the agent is told."""
    request = ask(store)
    body = {"choice": "reject", "digest": request.digest, "reason": "use a voucher"}
    answer = program(app, ANA).post(f"/api/requests/{request.id}/votes", json=body)
    assert answer.json()["state"] == "REJECTED"
    assert store.get(request.id).decision == Reject(by="ana", reason="use a voucher")


def test_votes_that_may_not_count_change_nothing(app, store, clock):
    """Viewers, strangers to the panel, requesters, stale digests and late votes are told why."""
    panel = ask(store, panel=Panel(members=frozenset({"ben"})))
    own = ask(store, acting_for="Ana")
    done = ask(store)
    store.vote(done.id, Reject(by="ben", reason="no"), digest=done.digest)
    late = ask(store, expires_at=clock())
    store.get(late.id)
    before = world(store)
    ana = program(app, ANA)
    assert problem(approve(program(app, VERA), panel), 403)
    assert problem(approve(ana, panel), 409)
    assert problem(approve(ana, own), 409)
    assert problem(approve(ana, done), 409)
    assert problem(approve(ana, late), 409)
    assert problem(approve(program(app, BEN), panel, digest="0" * 64), 409)
    assert problem(ana.post("/api/requests/nothing/votes", json={}), 400)
    assert problem(approve(ana, asked()), 404)
    assert world(store) == before


BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"approve"',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"choice": NaN}',
    b'{"choice": "approve"}',
    b'{"choice": "reject", "digest": "DIGEST"}',
    b'{"choice": "reject", "digest": "DIGEST", "reason": ""}',
    b'{"choice": "reject", "digest": "DIGEST", "reason": " \\u001c "}',
    b'{"choice": "edit", "digest": "DIGEST"}',
    b'{"choice": "approve", "digest": "DIGEST\\n"}',
    b'{"choice": "approve", "digest": "DIGEST", "by": "ben"}',
    b'{"choice": "approve", "digest": "DIGEST", "note": 1}',
    b'{"choice": "approve", "digest": "DIGEST", "note": "\\ud800"}',
    b'{"choice": ["approve"], "digest": "DIGEST"}',
    b'{"choice": "approve", "digest": {}}',
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_what_is_no_vote_is_refused_in_a_sentence(body, app, store):
    """Whatever is sent instead of a vote is answered with 400 and changes nothing."""
    request = ask(store)
    before = world(store)
    sent = body.replace(b"DIGEST", request.digest.encode())
    answer = program(app, ANA).post(
        f"/api/requests/{request.id}/votes",
        content=sent,
        headers={"Content-Type": "application/json"},
    )
    assert problem(answer, 400)
    assert world(store) == before


def test_only_json_is_taken(app, store):
    """A form, as another site could send it, is no vote."""
    request = ask(store)
    form = {"choice": "approve", "digest": request.digest}
    answer = program(app, ANA).post(f"/api/requests/{request.id}/votes", data=form)
    assert problem(answer, 415)
    assert store.get(request.id).votes == ()


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "limit=٣", "limit=1&limit=2", "risk=low", "nothing=1",
     "after=nothing", "after=%00", "action=" + "a" * 501],
)  # fmt: skip
def test_a_bad_question_is_refused_in_a_sentence(query, app):
    """What stands after the question mark is what is described, or there is no answer."""
    answer = program(app, VERA).get(f"/api/requests?{query}")
    assert problem(answer, 404 if query == "after=nothing" else 400)


def test_an_edit_waits_for_the_gate_that_asked(app, store):
    """An edit is left as a proposal; nothing runs by it, and it takes the rights of a vote."""
    request = ask(store, panel=Panel(members=frozenset({"ana"})))
    path = f"/api/requests/{request.id}/edits"
    body = {"arguments": {"amount": 5}, "digest": request.digest, "note": "less"}
    before = world(store)
    assert problem(program(app, VERA).post(path, json=body), 403)
    assert problem(program(app, BEN).post(path, json=body), 409)
    assert problem(program(app, ANA).post(path, json={**body, "digest": "0" * 64}), 409)
    assert world(store) == before
    answer = program(app, ANA).post(path, json=body)
    assert answer.status_code == 202
    assert answer.json()["proposal"]["arguments"] == {"amount": "5"}
    stored = store.get(request.id)
    assert (stored.state, stored.proposal.by, stored.request) == (State.PENDING, "ana", request)


BAD_EDITS = {
    "empty": "{}",
    "unknown": '{"nothing": 1}',
    "hidden": '{"card": "4242"}',
    "list": "[]",
    "null": "null",
    "infinite": '{"amount": 1e999}',
    "too many digits for Python": f'{{"amount": {"9" * 5000}}}',
    "too many digits for a person": f'{{"amount": {"9" * 4000}}}',
    "too deep": f'{{"amount": {"[" * 70}{"]" * 70}}}',
}


@pytest.mark.parametrize("arguments", BAD_EDITS.values(), ids=BAD_EDITS)
def test_what_is_no_edit_is_refused_in_a_sentence(arguments, app, store):
    """Unknown, hidden and unkeepable arguments are answered with 400 and change nothing."""
    hidden = Parameter(name="card", annotation="str", secret=True)
    request = ask(store, parameters=(*PARAMETERS, hidden))
    before = world(store)
    answer = program(app, ANA).post(
        f"/api/requests/{request.id}/edits",
        content=f'{{"arguments": {arguments}, "digest": "{request.digest}"}}',
        headers={"Content-Type": "application/json"},
    )
    assert problem(answer, 400)
    assert world(store) == before


def test_halves_of_characters_break_no_answer(app, store):
    """A text that no UTF-8 can hold is told in escapes rather than with a failure."""
    request = ask(store, environment="\ud800")
    answer = program(app, VERA).get(f"/api/requests/{request.id}")
    assert (answer.status_code, answer.json()["environment"]) == (200, "\ud800")


def test_a_stopped_store_says_so(app, store):
    """Whoever lists what waits learns that calls are refused."""
    store.stop(by="ada", because="a leak")
    told = program(app, ADA).get("/api/requests").json()
    assert told["stopped"] == "stopped by ada: a leak"


load_all_checks()
RAW = description(OPERATIONS, "fuzzed")
SCHEMA = schemathesis.openapi.from_dict(RAW)
FUZZED = {"max_examples": 150, "derandomize": True, "database": None, "deadline": None}
SLOW_DATA = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def cases(mode):
    """What a program might send, by the description or against it."""
    SCHEMA.config.generation.update(modes=[mode])
    operations = [found.ok() for found in SCHEMA.get_all_operations()]
    return st.one_of(*(each.as_strategy(generation_mode=mode) for each in operations))


@pytest.fixture
def known_ids(store, clock):
    """Requests in several states, so that what is fuzzed sometimes meets one."""
    for number in range(12):
        one_call(store, clock, number)
    for number in range(16):
        ask(store, number)
    return [stored.request for stored in store.search(limit=100)]


def fuzz(app, mode, requests, headers, judge):
    """Send what schemathesis thinks of, often to a request that is there, and judge each answer."""
    often = st.sampled_from([True, True, True, False])

    @settings(**FUZZED, suppress_health_check=SLOW_DATA)
    @given(cases(mode), st.sampled_from(requests), often, often)
    def send(case, request, hit, seen):
        if hit and case.path_parameters:
            case.path_parameters = {**case.path_parameters, "id": request.id}
        if seen and isinstance(case.body, dict):
            case.body = {**case.body, "digest": request.digest}
        judge(case, case.call(app=app, base_url=HERE, headers=headers))

    send()


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_a_stranger_sends_nothing_changes(mode, app, store, known_ids):
    """Fuzzed without a token, no address fails, tells anything or changes the store."""
    before, seen = world(store), set()

    def judge(case, answer):
        seen.add(answer.status_code)
        assert 400 <= answer.status_code < 500
        assert known_ids[0].digest not in answer.text

    fuzz(app, mode, known_ids, {}, judge)
    assert 401 in seen
    assert world(store) == before


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_a_viewer_sends_nothing_changes(mode, app, store, known_ids):
    """Fuzzed with the token of a viewer, answers are as described and the store stays as it was."""
    before = world(store)

    def judge(case, answer):
        case.validate_response(answer, checks=CHECKS)

    fuzz(app, mode, known_ids, {"Authorization": "Bearer token-vera"}, judge)
    assert world(store) == before


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_only_valid_votes_change_anything(mode, app, store, known_ids):
    """Fuzzed with a reviewer's token, no answer is a 5xx and only what counted leaves a trace."""
    counted = []

    def judge(case, answer):
        case.validate_response(answer, checks=CHECKS)
        if case.method == "POST" and answer.status_code < 300:
            counted.append(case.body["digest"])

    count = len([*store.trail()])
    fuzz(app, mode, known_ids, {"Authorization": "Bearer token-ana"}, judge)
    added = [*store.trail()][count:]
    assert added or mode is GenerationMode.NEGATIVE  # where a wrong part may be one that is ignored
    assert {record.by for record in added} <= {"ana"}
    assert {record.event for record in added} <= {"approved", "voted", "rejected", "edit proposed"}
    assert {details(record)["digest"] for record in added} <= set(counted)
    assert len(added) <= len(counted)
