"""Policies are pure rules: a request goes in, a decision or no opinion comes out."""

import os
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import Approve, MemoryStore, Reject, Rejected, Risk, gate
from core.model import ApprovalRequest, Parameter
from core.policies.conditional import ApproveIf, RejectIf
from core.policies.environment import Environment, Mode, variable
from core.policies.risk import ApproveUpTo

WORDS = st.text(max_size=12)


def asked(risk=Risk.HIGH, environment="production", hidden=(), **arguments):
    """A request for a call of `shop.refund` with these arguments."""
    parameters = tuple(Parameter(name=name, secret=name in hidden) for name in arguments)
    return ApprovalRequest(
        action="shop.refund",
        arguments=arguments,
        parameters=parameters,
        risk=risk,
        environment=environment,
    )


def nobody(request):
    """An approver that must not be needed."""
    raise AssertionError(f"a policy should have decided {request.action}")


def no(request):
    """An approver that is there, and says no."""
    return Reject(by="ana", reason="not like this")


@given(amount=st.integers(), limit=st.integers())
def test_a_condition_speaks_the_tools_own_language(amount, limit):
    """A condition gets the parameters it names, whatever else the tool takes."""
    request = asked(charge="ch_1", amount=amount, note="")
    approve = ApproveIf(lambda amount: amount <= limit, because="small")
    reject = RejectIf(lambda amount, note: amount > limit and not note, because="say why")
    if amount <= limit:
        assert (approve(request), reject(request)) == (Approve(by="policy", note="small"), None)
    else:
        assert (approve(request), reject(request)) == (None, Reject(by="policy", reason="say why"))


@given(arguments=st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.integers()))
def test_a_condition_may_take_everything(arguments):
    """With two stars a condition sees every argument under its own name."""
    seen = []
    ApproveIf(lambda **everything: bool(seen.append(everything)), because="")(asked(**arguments))
    assert seen == [arguments]


@pytest.mark.parametrize("answer", [1, 0, "yes", "", None, [1], object(), Approve(by="ana")])
@pytest.mark.parametrize("policy", [ApproveIf, RejectIf])
def test_only_true_and_false_are_answers(policy, answer):
    """What merely counts as true approves nothing, and what counts as false rejects nothing."""
    with pytest.raises(TypeError, match="True or False"):
        policy(lambda amount: answer, because="")(asked(amount=1))


@pytest.mark.parametrize(
    "condition",
    [
        lambda amout: True,
        lambda amount, limit=5: True,
        lambda charge, amount, currency: True,
        lambda total, **rest: True,
    ],
)
def test_a_misspelt_parameter_is_an_error(condition):
    """A condition on what the tool does not have never falls back to a default."""
    with pytest.raises(TypeError, match=r"refund has no parameter .* \(it has charge, amount\)"):
        ApproveIf(condition, because="")(asked(charge="ch_1", amount=1))


def test_a_hidden_value_decides_nothing():
    """A condition cannot read what the gate keeps secret: it would compare with a stand-in."""
    with pytest.raises(TypeError, match="token: its value is hidden"):
        ApproveIf(lambda token: token != "", because="")(asked(token="x", hidden=["token"]))


async def later(amount):
    """Answer too late for a policy."""
    return amount > 0


def by_position(amount, /):
    """Answer only to who knows the order."""
    return amount > 0


def by_many(*amount):
    """Answer to any number."""
    return len(amount) > 0


@pytest.mark.parametrize("condition", [later, by_position, by_many, dict])
@pytest.mark.parametrize("policy", [ApproveIf, RejectIf])
def test_a_condition_that_cannot_be_asked_is_found_when_wiring(policy, condition):
    """Whatever could never work fails before the first call, not during it."""
    with pytest.raises(TypeError):
        policy(condition, because="")


@given(limit=st.integers(), sent=st.integers())
def test_an_agent_cannot_move_a_fixed_limit(limit, sent):
    """What a `partial` fixes stays, even when the tool has a parameter of that name."""

    def at_most(amount, limit):
        return amount <= limit

    def at_most_of_all(limit, **rest):
        return rest["amount"] <= limit

    for condition in (at_most, at_most_of_all):
        policy = ApproveIf(partial(condition, limit=limit), because="")
        assert policy(asked(amount=limit, limit=sent)) == Approve(by="policy")
        assert policy(asked(amount=limit + 1, limit=sent)) is None


def test_a_reason_may_depend_on_the_call():
    """The agent is told what is wrong with this very call."""
    policy = RejectIf(lambda amount: amount > 5, because=lambda amount: f"{amount} is above 5")
    assert policy(asked(amount=7)) == Reject(by="policy", reason="7 is above 5")
    assert policy(asked(amount=5)) is None


@pytest.mark.parametrize(
    "condition", [lambda amout: True, lambda amount: amount, lambda amount: amount.cents < 5]
)
def test_a_broken_condition_lets_nothing_run(condition):
    """A policy that fails has said no: the tool does not run, and the trail names the policy."""
    ran, store = [], MemoryStore()
    policy = ApproveIf(condition, because="")

    @gate(approver=nobody, policies=[policy], store=store)
    def pay(amount):
        ran.append(amount)

    with pytest.raises(Rejected, match="ApproveIf failed"):
        pay(1)
    assert ran == []
    assert [record.by for record in store.trail()] == ["gate"]


def test_parameters_of_every_kind_are_named():
    """Positional-only, starred and keyword-only parameters go by their own names."""
    seen = []

    def tool(first, /, *items, flag, **options):
        return "ran"

    def fits(first, items, flag, options):
        seen.append((first, items, flag, options))
        return True

    gated = gate(tool, approver=nobody, policies=[ApproveIf(fits, because="it fits")])
    assert gated(1, 2, 3, flag=True, colour="red") == "ran"
    assert seen == [(1, (2, 3), True, {"colour": "red"})]


def test_what_a_policy_decides_is_recorded():
    """An approval by policy is in the trail before anybody asks for it, with its rule."""
    store = MemoryStore()
    policy = ApproveIf(lambda amount: amount <= 50, because="at most 50")
    assert gate(lambda amount: amount, approver=nobody, policies=[policy], store=store)(20) == 20
    (stored,) = store.search()
    assert stored.decision == Approve(by="policy", note="at most 50")
    assert "policy" in {record.by for record in store.trail()}


@given(level=st.sampled_from(Risk), risk=st.sampled_from(Risk))
def test_risk_up_to_a_level_is_approved(level, risk):
    """At most the level runs at once; above it there is no opinion."""
    decision = ApproveUpTo(level)(asked(risk=risk))
    assert (decision is not None) is (risk <= level)
    assert decision is None or (decision.by == "policy" and risk.name in decision.note)


def test_a_risk_that_nobody_knows_is_high():
    """A risk that is no risk is never below HIGH."""
    assert ApproveUpTo(Risk.MEDIUM)(asked(risk="harmless")) is None
    assert ApproveUpTo(Risk.MEDIUM)(asked(risk=0)) is None


@pytest.mark.parametrize("level", [1, True, "LOW", None])
def test_a_level_is_a_risk(level):
    """A number or a word in place of a risk is an error when wiring."""
    with pytest.raises(TypeError, match=r"write Risk\.LOW"):
        ApproveUpTo(level)


@pytest.mark.parametrize(
    ("setting", "opinion"), [("free", Approve), (" FREE ", Approve), ("closed", Reject)]
)
def test_a_variable_switches_its_environment_and_no_other(setting, opinion):
    """A mode holds for the environment of that name; the decision names the variable."""
    switch = Environment.from_env({"GATE_STAGING": setting})
    decision = switch(asked(environment="staging"))
    assert isinstance(decision, opinion) and decision.by == "policy"
    assert "GATE_STAGING=" + setting.strip().lower() in repr(decision)
    assert [switch(asked(environment=e)) for e in ("development", "production", "Staging")] == [
        None,
        None,
        None,
    ]
    assert switch.problems == ()


@given(
    settings=st.dictionaries(
        st.sampled_from(["GATE_DEVELOPMENT", "GATE_STAGING", "GATE_PRODUCTION"]), WORDS
    ),
    where=st.sampled_from(["development", "staging", "production"]) | WORDS,
)
def test_whatever_is_not_understood_is_gated_and_told(settings, where):
    """Only the words free and closed change anything; other words leave a sentence."""
    switch = Environment.from_env(settings)
    word = settings.get(f"GATE_{where.upper()}", "").strip().casefold()
    expected = {"free": Approve, "closed": Reject}.get(word)
    if expected is None or where not in {"development", "staging", "production"}:
        assert switch(asked(environment=where)) is None
    strange = [w for w in settings.values() if w.strip().casefold() not in {*Mode, ""}]
    assert len(switch.problems) == len(strange)


def test_no_variable_frees_production():
    """Production is gated although its variable says free, and the program can say so."""
    switch = Environment.from_env({"GATE_PRODUCTION": "free"})
    assert switch(asked(environment="production")) is None
    assert [p.partition(" ")[0] for p in switch.problems] == ["GATE_PRODUCTION"]
    unguarded = Environment.from_env({"GATE_PRODUCTION": "free"}, never_free=())
    assert isinstance(unguarded(asked(environment="production")), Approve)


def test_a_misspelt_environment_is_told():
    """A mode for an environment that does not exist is a problem; other variables are not."""
    environ = {"GATE_PRODUCTOIN": "closed", "GATE_STORE": "sqlite:///a.db", "PATH": "free"}
    (problem,) = Environment.from_env(environ).problems
    assert problem.startswith("GATE_PRODUCTOIN changes nothing")


def test_what_changes_later_changes_nothing(monkeypatch):
    """Variables are read when wiring; an agent that sets them afterwards gains nothing."""
    monkeypatch.delenv("GATE_STAGING", raising=False)
    switch = Environment.from_env(os.environ)
    monkeypatch.setenv("GATE_STAGING", "free")
    assert switch(asked(environment="staging")) is None
    with pytest.raises(TypeError):
        switch.modes["staging"] = Mode.FREE
    modes = {"staging": Mode.GATED}
    switch = Environment(modes=modes)
    modes["staging"] = Mode.FREE
    assert switch(asked(environment="staging")) is None


@given(name=st.from_regex(r"[a-z][a-z0-9 .-]{0,12}", fullmatch=True))
def test_every_environment_has_a_variable_that_a_shell_can_set(name):
    """Whatever an environment is called, a shell can name its variable."""
    assert variable(name).isidentifier() and variable(name).isupper()


def test_a_bypass_is_in_the_trail():
    """A call that ran because gates were off says so, with the variable that did it."""
    store = MemoryStore()
    gated = gate(
        lambda: "done",
        approver=nobody,
        policies=[Environment.from_env({"GATE_DEVELOPMENT": "free"})],
        environment="development",
        store=store,
    )
    assert gated() == "done"
    assert any("bypass: GATE_DEVELOPMENT=free" in record.body for record in store.trail())


def test_a_closed_environment_rejects_before_anyone_is_asked():
    """A closed environment takes no call, and the agent learns why."""
    ran = []
    gated = gate(
        lambda: ran.append(1),
        approver=nobody,
        policies=[Environment.from_env({"GATE_PRODUCTION": "closed"})],
    )
    with pytest.raises(Rejected, match="production is closed"):
        gated()
    assert ran == []


def test_a_policy_that_rejects_stands_before_a_bypass():
    """The first opinion decides, so a rule that never yields comes first."""
    never = RejectIf(lambda amount: amount > 5, because="too much")
    free = Environment.from_env({"GATE_DEVELOPMENT": "free"})
    pay = gate(
        lambda amount: amount, approver=no, policies=[never, free], environment="development"
    )
    assert pay(5) == 5
    with pytest.raises(Rejected, match="too much"):
        pay(6)
