# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""What a repair would do, in which order, and what it leaves to people.

Pure functions from a fresh report to a plan: no I/O, no clock.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import shlex

from osc_ha_router import errors
from osc_ha_router.diagnosis import case
from osc_ha_router.diagnosis.rules import words
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.repair import action
from osc_ha_router.repair import remedies
from osc_ha_router.repair import situation

_COUNTS = report.Severity.UNKNOWN.rank
_ORDER = {op: index for index, op in enumerate(action.Op)}


@dataclasses.dataclass(frozen=True)
class Wish:
    """What was asked for."""

    #: the host that stays where there is a choice
    keep: str | None = None
    #: codes of findings that are not cured and do not count
    ignore: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is going to be done."""

    report: report.Report
    wish: Wish
    #: in the order in which they are done
    actions: tuple[action.Action, ...]
    #: what may follow when these are done; done without asking again
    later: tuple[action.Later, ...]
    refusals: tuple[action.Refusal, ...]
    #: the active host, None for none that is certain
    serving: str | None

    @property
    def router(self) -> claim.Router:
        """Return the router, as Neutron describes it."""
        return self.report.router

    @property
    def healthy(self) -> bool:
        """Return whether nothing is wrong that counts."""
        return not counted(self.report)

    @property
    def changes(self) -> bool:
        """Return whether anything would be changed or sent."""
        return any(each.op != action.Op.WAIT for each in self.actions)

    @property
    def deeds(self) -> tuple[object, ...]:
        """Return what makes the plan another one when it is different."""
        return self.actions, self.later, self.serving

    @property
    def approved(self) -> frozenset[action.Key]:
        """Return what whoever says yes to this plan says yes to."""
        return frozenset(each.key for each in self.actions) | frozenset(
            each.key for each in self.later
        )


def make(
    found: report.Report,
    wish: Wish,
    tried: Mapping[action.Key, bool] | None = None,
) -> Plan:
    """Say how a router can be mended.

    :param found: from a look of just now
    :param tried: what was done already: key -> whether it has had its time
    :raises Locked: somebody else is changing the router
    :raises Refused: the wish makes no sense
    """
    this = situation.Situation(
        case.Case(
            found.router,
            found.replicas,
            frozenset(found.vips),
            # what other routers there are is in the findings by now
            peers=(),
        ),
        wish.keep,
        tried or {},
    )
    _free(found)
    _check(this, wish)
    actions: dict[action.Key, action.Action] = {}
    later: dict[action.Key, action.Later] = {}
    refusals: dict[tuple[str, str | None], action.Refusal] = {}
    following: list[report.Finding] = []
    for finding in counted(found):
        for remedy in remedies.of(this, finding):
            match remedy:
                case action.Action():
                    known = actions.get(remedy.key)
                    actions[remedy.key] = (
                        known.join(remedy) if known else remedy
                    )
                case action.Later():
                    later.setdefault(remedy.key, remedy)
                case action.Refusal():
                    refusals.setdefault((remedy.code, remedy.host), remedy)
                case action.Follows():
                    following.append(finding)
    if not actions:
        for finding in following:
            refusals[finding.code, finding.host] = this.pass_over(
                finding, 'nothing that a repair may do would cure it'
            )
    return Plan(
        report=found,
        wish=wish,
        actions=tuple(
            sorted(
                actions.values(),
                key=lambda each: (_ORDER[each.op], each.host or ''),
            )
        ),
        later=tuple(
            each for each in later.values() if each.key not in actions
        ),
        refusals=tuple(refusals.values()),
        serving=this.serving.host if this.serving else None,
    )


def counted(found: report.Report) -> list[report.Finding]:
    """Return the findings that are to be cured."""
    return [
        finding
        for finding in found.findings
        if finding.severity.rank >= _COUNTS and not finding.ignored
    ]


def notes(found: report.Report) -> Iterable[str]:
    """Yield what a look alone has mended already."""
    for finding in found.findings:
        if finding.name == 'failover-undone':
            yield f'{finding.host}: {finding.summary.rstrip(".")}'


def _free(found: report.Report) -> None:
    """Refuse while somebody else changes the router."""
    lines = [
        f'{finding.host}: {finding.summary.rstrip(".")}.'
        for finding in found.findings
        if finding.name == 'failover-under-way'
    ]
    if lines:
        name = found.router.name or found.router.id
        raise errors.Locked(
            '\n'.join(
                (
                    f'Somebody else is changing router {name} right now.',
                    *lines,
                    'Wait until that has ended, then look: openstack router '
                    f'ha check {shlex.quote(name)}',
                )
            )
        )


def _check(this: situation.Situation, wish: Wish) -> None:
    """Refuse to keep a node that is provably not the right one."""
    if wish.keep is None:
        return
    name = this.case.router.name or this.case.router.id
    holders = this.case.holders
    if wish.keep not in {replica.host for replica in holders}:
        raise errors.Refused(
            f'Router {name} is not mended: {wish.keep} does not hold the VIP, '
            'so it cannot be the one that stays.\n'
            f'The VIP is on {words.hosts(holders) or "no node"}.\n'
            'Choose one of them, or leave --keep out.'
        )
    serving = this.serving
    if serving is not None and serving.host != wish.keep:
        raise errors.Refused(
            f'Router {name} is not mended: {serving.host} is active, '
            f'{wish.keep} only holds what was left there.\n'
            'A repair does not move the role. Leave --keep out, then: '
            f'openstack router ha failover {shlex.quote(name)} --to '
            f'{shlex.quote(wish.keep)}'
        )
