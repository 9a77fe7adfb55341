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


"""Whether a move has done what it was to do, by what is seen after it."""

import collections
from collections.abc import Iterable
import dataclasses

from osc_ha_router.failover import plan as planning
from osc_ha_router.failover import result
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view

#: the ports that Neutron binds to the active node
FOLLOWING = frozenset(
    (claim.GATEWAY_PORT, claim.INTERNAL_PORT, claim.SNAT_PORT)
)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The outcome, and why it is not better."""

    outcome: result.Outcome
    #: sentences
    reasons: tuple[str, ...] = ()


def caught_up(router: claim.Router, host: str) -> bool:
    """Whether Neutron says what is true: active on this host alone."""
    return not any(_lag(router, host))


def unheard(router: claim.Router, active: str) -> list[str]:
    """Return the hosts of agents that Neutron has to hear from again.

    It binds the ports when the agent of the active node has told it of that.

    :param active: the host that really is
    """
    wrong = {
        agent.host
        for agent in router.agents or ()
        if agent.ha_state != _wanted(agent, active)
    }
    if _misbound(router, active):
        wrong.add(active)
    # the new node's last: whoever tells its agent stays to look after it
    return sorted(wrong, key=lambda host: (host == active, host))


def arrived(
    plan: planning.Plan, winner: str | None, after: report.Report
) -> str | None:
    """Return where the role went, or was to go if it went nowhere.

    Where VRRP chooses, what is seen in the end counts: of two equals both
    may have taken the role for a moment.
    """
    if plan.target:
        return winner or plan.target
    others = [host for host in after.active_hosts if host != plan.source]
    return others[0] if len(others) == 1 else winner


def judge(
    plan: planning.Plan, winner: str | None, after: report.Report
) -> Verdict:
    """Compare the look before the move with one after it.

    :param plan: with the look before
    :param winner: where the role was seen to arrive, None if nowhere
    :param after: the look after
    """
    active = after.active_hosts
    wanted = plan.target or arrived(plan, winner, after)
    unseen = _unseen(plan, after)
    if active == [plan.source]:
        return _stayed(plan, winner, after, unseen)
    if wanted is None or active != [wanted]:
        if unseen:
            return Verdict(result.Outcome.UNKNOWN, unseen)
        where = ' and '.join(active) or 'no node'
        return Verdict(
            result.Outcome.INCOMPLETE, (f'the router is active on {where}',)
        )
    left = (*_leftovers(after, wanted), *_changed(plan, after))
    if left:
        return Verdict(result.Outcome.INCOMPLETE, left)
    if unseen:
        return Verdict(result.Outcome.UNKNOWN, unseen)
    waiting = (*_missing(plan, after), *_lag(after.router, wanted))
    if waiting:
        return Verdict(result.Outcome.LAGGING, waiting)
    worse = tuple(_worse(plan, after))
    if worse:
        return Verdict(result.Outcome.INCOMPLETE, worse)
    return Verdict(result.Outcome.VERIFIED)


def _stayed(
    plan: planning.Plan,
    winner: str | None,
    after: report.Report,
    unseen: tuple[str, ...],
) -> Verdict:
    changed = (*_leftovers(after, plan.source), *_changed(plan, after))
    if changed:
        return Verdict(result.Outcome.INCOMPLETE, changed)
    if unseen:
        return Verdict(result.Outcome.UNKNOWN, unseen)
    if winner is not None:
        back = f'the router went to {winner}, and back to {plan.source}'
        return Verdict(result.Outcome.INCOMPLETE, (back,))
    # who fails with nothing changed leaves nothing worse than it was
    worse = (*_missing(plan, after), *_worse(plan, after))
    if worse:
        return Verdict(result.Outcome.INCOMPLETE, worse)
    return Verdict(
        result.Outcome.FAILED,
        (f'the router is still active on {plan.source}, as before',),
    )


def _unseen(plan: planning.Plan, after: report.Report) -> tuple[str, ...]:
    """Return who cannot be looked at any more.

    A node that was out of sight from the beginning has nothing to do with
    the move.
    """
    before = {
        r.host
        for r in plan.report.replicas
        if r.observed == report.Observed.UNKNOWN
    }
    return tuple(
        f'{r.host} cannot be looked at'
        + (f': {r.failure.message}' if r.failure else '')
        for r in after.replicas
        if r.observed == report.Observed.UNKNOWN and r.host not in before
    )


def _leftovers(after: report.Report, active: str) -> Iterable[str]:
    for replica in after.replicas:
        if replica.vip and replica.host != active:
            yield f'{replica.host} still holds the HA address'


def _changed(plan: planning.Plan, after: report.Report) -> Iterable[str]:
    """Say whose keepalived.conf is not what it was.

    Neutron may have written another one meanwhile; what it never changes by
    itself is what a failover changes.
    """
    was = _confs(plan.report)
    for host, conf in _confs(after).items():
        before = was.get(host)
        if before is None:
            continue
        if (before.priority, before.nopreempt) != (
            conf.priority,
            conf.nopreempt,
        ):
            yield (
                f'{conf.path} on {host} has {_rank(conf)}, not '
                f'{_rank(before)} as before'
            )


def _rank(conf: view.KeepalivedConf) -> str:
    how = 'with' if conf.nopreempt else 'without'
    return f'priority {conf.priority} {how} nopreempt'


def _confs(seen: report.Report) -> dict[str, view.KeepalivedConf]:
    return {
        r.host: r.view.keepalived_conf
        for r in seen.replicas
        if r.view is not None and r.view.keepalived_conf is not None
    }


def _missing(plan: planning.Plan, after: report.Report) -> Iterable[str]:
    was = {r.host for r in plan.report.replicas if r.keepalived}
    for replica in after.replicas:
        if replica.host in was and replica.keepalived is False:
            yield (
                f'keepalived on {replica.host} has not been started again '
                'yet; its L3 agent does that'
            )


def _lag(router: claim.Router, active: str) -> Iterable[str]:
    """Say what Neutron has not learned yet."""
    for agent in router.agents or ():
        if agent.ha_state != _wanted(agent, active):
            yield f'Neutron says {agent.ha_state} for {agent.host}'
    for host, count in sorted(_misbound(router, active).items()):
        yield f'Neutron has {count} ports of the router bound to {host}'


def _wanted(agent: claim.Agent, active: str) -> str:
    return 'active' if agent.host == active else 'standby'


def _misbound(router: claim.Router, active: str) -> dict[str, int]:
    """Return how many ports are bound to other hosts, by host."""
    return collections.Counter(
        port.host
        for port in router.ports or ()
        if port.owner in FOLLOWING and port.host not in (None, active)
    )


def _worse(plan: planning.Plan, after: report.Report) -> Iterable[str]:
    def found(seen: report.Report) -> dict[tuple[str, str | None], str]:
        return {
            (f.code, f.host): f'{f.code} {f.name}: {f.summary}'
            for f in seen.findings
            if f.severity.rank >= report.Severity.WARNING.rank
            and not f.ignored
        }

    before = found(plan.report)
    for key, words in found(after).items():
        if key not in before:
            yield words
