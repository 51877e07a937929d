"""Who is asked about what: the only file here that wires gates.

| tool          | where      | risk     | who decides                                              |
| ------------- | ---------- | -------- | -------------------------------------------------------- |
| `status`      | everywhere | -        | nobody: it only reads                                    |
| `changes`     | everywhere | -        | nobody: it only reads                                    |
| `logs`        | everywhere | -        | nobody: it only reads                                    |
| `deploy`      | free       | LOW      | policy approves: it is recorded                          |
|               | free       | LOW      | policy rejects: this commit is live already              |
|               | protected  | HIGH     | two release managers                                     |
|               | protected  | CRITICAL | two release managers: migrations, dependencies, pipeline |
|               | protected  | HIGH     | policy rejects: not proven before, frozen, live already  |
| `rollback`    | free       | LOW      | policy approves: it is recorded                          |
|               | free       | LOW      | policy rejects: nothing healthy to go back to            |
|               | protected  | HIGH     | one release manager: within working hours                |
|               | protected  | CRITICAL | one release manager: outside working hours               |
| `run_task`    | free       | LOW      | policy approves: it is recorded                          |
|               | protected  | HIGH     | two release managers                                     |
|               | protected  | HIGH     | policy rejects: frozen, or there is no such task         |
| `lift_freeze` | protected  | CRITICAL | two release managers: a person asks, never the agent     |

Whoever asks never decides: neither the agent nor the person it works for. A ref becomes a commit
once, before anybody is asked; the branch may move on, and the commit that was approved ships. When
another release goes live meanwhile, people are asked again, with the new difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial, wraps

from core import Approver, BoundFile, Panel, Preview, Quote, Risk, Store, Table, facade, gate
from core.model import State, StoredRequest, utc_now
from core.policies.conditional import RejectIf
from core.policies.environment import Environment, variable
from core.policies.office_hours import OfficeHours

from .careful import Careful
from .config import Config
from .errors import DeployError
from .project import Project
from .rules import Rules
from .showing import Showing, Shown

TIMES_ASKED_AGAIN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the agent gets: the same names and parameters as on `Project`."""

    status: Callable[[], str]
    changes: Callable[[str, str], str]
    logs: Callable[[str], str]
    deploy: Callable[[str, str], str]
    rollback: Callable[[str], str]
    run_task: Callable[[str, str], str]


def gated(
    project: Project,
    approver: Approver,
    *,
    store: Store | None = None,
    environ: Mapping[str, str] | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Tools:
    """Return the project's tools with people in front of what changes a protected environment.

    Args:
        environ: Variables such as `GATE_STAGING`, read once; see `switch`.
    """
    careful, rules = Careful(project), Rules(project)
    people, world = People(project, now), Showing(project, careful)
    known = RejectIf(rules.is_unknown, because=rules.why_unknown)
    moving = RejectIf(rules.is_frozen, because=rules.why_frozen)
    free = switch(project.config, environ or {})
    ask = partial(
        gate,
        approver=approver,
        store=store,
        environment=place,
        ask_again=TIMES_ASKED_AGAIN,
    )
    tools = Tools(
        status=project.status,
        changes=project.changes,
        logs=project.logs,
        deploy=ask(
            careful.deploy,
            pin={"ref": project.resolve},
            policies=[
                known,
                RejectIf(rules.is_live, because="this very commit is live there, and healthy"),
                RejectIf(rules.is_unproven, because=rules.why_unproven),
                moving,
                free,
            ],
            risk=people.risk_of_deploy,
            panel=people.two,
            preview=drawn(world.deploy),
            reconcile=careful.finding,
        ),
        rollback=ask(
            careful.rollback,
            policies=[
                known,
                RejectIf(rules.is_stuck, because="nothing healthy to go back to"),
                free,
            ],
            risk=people.risk_of_rollback,
            panel=people.one,
            preview=drawn(world.rollback),
            reconcile=careful.standing,
        ),
        run_task=ask(
            careful.run_task,
            policies=[known, RejectIf(rules.is_no_task, because=rules.why_no_task), moving, free],
            risk=people.risk,
            panel=people.two,
            preview=drawn(world.run_task),
            reconcile=careful.standing,
        ),
    )
    return facade(tools)


def found(project: Project, store: Store) -> Iterator[StoredRequest]:
    """Yield calls that were cut off, each with what the world says of it now.

    Nobody calls them again, so nobody else would look. A person says what became of them.
    """
    store.sweep()
    careful = Careful(project)
    for stored in store.search(state=State.OUTCOME_UNKNOWN):
        arguments = {name: str(value) for name, value in stored.request.arguments.items()}
        try:
            match stored.request.name:
                case "deploy":
                    finding = careful.finding(arguments["ref"], arguments["environment"])
                case "rollback" | "run_task":
                    finding = careful.standing(arguments["environment"])
                case _:
                    continue
        except (DeployError, KeyError) as error:
            finding = f"the look failed ({error})"
        known = stored.outcome.finding if stored.outcome else ""
        yield stored if finding == known else store.report(stored.request.id, finding=finding)


def lifting(
    project: Project, approver: Approver, *, store: Store | None, requester: str
) -> Callable[[str, int, str], str]:
    """Return `lift_freeze` for a person who asks; two others have to agree.

    An agent never gets it: what it may do is not its own to change.
    """

    def lift_freeze(environment: str, minutes: int, because: str) -> str:
        """Let a frozen environment move for a while."""
        return project.lift_freeze(environment, minutes, because)

    return gate(
        lift_freeze,
        approver=approver,
        store=store,
        environment=place,
        risk=Risk.CRITICAL,
        panel=People(project).two,
        preview=drawn(Showing(project, Careful(project)).lift_freeze),
        requester=requester,
    )


def place(environment: str) -> str:
    """Say where a call takes effect: where the agent says."""
    return environment


def switch(config: Config, environ: Mapping[str, str]) -> Environment:
    """Return the policy that frees environments: what is not protected, unless a variable says no.

    `GATE_STAGING=gated` asks in staging too, `closed` refuses everything there. No variable frees
    what `deploy.toml` protects.
    """
    names = config.environments
    protected = [name for name, one in names.items() if one.protected]
    free = {variable(name): "free" for name in names if name not in protected}
    said = {name: text for name, text in environ.items() if text.strip()}
    return Environment.from_env(free | said, environments=names, never_free=protected)


@dataclass(frozen=True, slots=True)
class People:
    """Who decides, and how bad it could be."""

    project: Project
    now: Callable[[], datetime] = utc_now

    def two(self) -> Panel:
        """Two different release managers."""
        return Panel(members=frozenset(self.project.config.release_managers), votes=2)

    def one(self) -> Panel:
        """Any release manager."""
        return Panel(members=frozenset(self.project.config.release_managers))

    def risk(self, environment: str) -> Risk:
        """What is not protected may break."""
        return Risk.HIGH if self.is_protected(environment) else Risk.LOW

    def risk_of_deploy(self, ref: str, environment: str) -> Risk:
        """Say how bad it could be: migrations, dependencies and the pipeline are the worst."""
        risk = self.risk(environment)
        if risk < Risk.HIGH or environment not in self.project.config.environments:
            return risk
        live = self.project.live(environment)
        look = self.project.looks.between(live.sha if live else "", ref)
        return Risk.CRITICAL if look.attention.is_critical else risk

    def risk_of_rollback(self, environment: str) -> Risk:
        """At night nobody is there to see what comes of it."""
        if self.is_protected(environment) and self.is_night():
            return Risk.CRITICAL
        return self.risk(environment)

    def is_protected(self, environment: str) -> bool:
        """Whether people are asked; what is not known counts as protected."""
        found = self.project.config.environments.get(environment)
        return found is None or found.protected

    def is_night(self) -> bool:
        """Whether it is outside working hours, where there are any."""
        said = self.project.config.working_hours
        if said is None:
            return False
        hours = OfficeHours(
            opens=said.opens,
            closes=said.closes,
            timezone=said.timezone,
            days=said.days,
            holidays=frozenset(said.holidays),
        )
        return not hours.is_open(self.now())


def drawn(look: Callable[..., Shown]) -> Callable[..., Preview]:
    """Return a look in the words that every window shows."""

    @wraps(look)
    def preview(**arguments: object) -> Preview:
        seen = look(**arguments)
        return Preview(
            summary=seen.summary,
            facts=seen.facts,
            tables=tuple(Table(title=t.title, columns=t.columns, rows=t.rows) for t in seen.tables),
            diff=seen.diff,
            warnings=seen.warnings,
            quotes=(Quote(who="whoever asks", text=seen.words),) if seen.words else (),
            files=(BoundFile(path=str(seen.config), sha256=seen.sha256),),
        )

    return preview
