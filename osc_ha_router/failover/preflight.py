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

"""What must be so before anything is touched, and the words if it is not.

A refusal is for whoever is on call: what is not done, why, what to do; a line
or several for each.
"""

from collections.abc import Iterable
import shlex

from osc_ha_router import errors
from osc_ha_router.diagnosis import case
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis.rules import words
from osc_ha_router.failover import methods
from osc_ha_router.failover import obstacles
from osc_ha_router.model import report

ACTIVE = report.Observed.ACTIVE
UNKNOWN = report.Observed.UNKNOWN
_COUNTS = report.Severity.UNKNOWN.rank


class Preflight:
    """The checks of one wish, in the order of a plan.

    :param findings: what was found wrong with the router
    :param ignore: codes of those that do not count
    """

    def __init__(
        self,
        this: case.Case,
        findings: Iterable[report.Finding],
        ignore: frozenset[str],
    ) -> None:
        self._this = this
        self._findings = tuple(findings)
        self._ignore = ignore
        self._name = this.router.name or this.router.id

    # -- the router ----------------------------------------------------------

    def free(self) -> None:
        """Refuse while somebody else moves the router.

        :raises Locked: by whom and since when
        """
        lines = [
            f'{finding.host}: {finding.summary}.'
            for finding in self._findings
            if finding.name == 'failover-under-way'
        ]
        if not lines:
            return
        raise errors.Locked(
            _lines(
                f'Somebody else is moving router {self._name} right now.',
                lines,
                f'Wait until that has ended, then look: {self._command()}',
            )
        )

    def source(self) -> report.Replica:
        """Return the active replica.

        :raises Refused: there is none, or several, or it is not known
        """
        active = self._this.seen(ACTIVE)
        if len(active) == 1:
            return active[0]
        if active:
            what = f'{len(active)} nodes are active: {words.hosts(active)}'
        elif self._this.seen(UNKNOWN):
            what = 'it is not known which node is active'
        elif self._this.router.agents is None:
            what = 'it is not known which nodes it is on'
        else:
            what = 'no node is active'
        lines = [
            _line(finding)
            for finding in self._findings
            if obstacles.bars(finding) == catalogue.Bars.ALWAYS
            or finding.severity == report.Severity.UNKNOWN
        ]
        advice = (
            'A failover needs one active node. Cure that first: '
            f'{self._command("--listen 7")} shows what is wrong, openstack '
            'router ha finding show <code> what to do.'
        )
        if self._this.router.agents is None:
            advice = (
                'A failover is for administrators, whom Neutron tells where '
                'a router is: ask one to do it.'
            )
        raise self._refused(
            what,
            lines or [words.states(self._this.replicas) or 'Nothing was seen'],
            advice,
        )

    def alone(self, source: report.Replica) -> None:
        """Refuse to call it done while others hold the VIP as well.

        :raises Refused: they do
        """
        if self._this.active is not None:
            return
        others = [r for r in self._this.holders if r.host != source.host]
        raise self._refused(
            f'{source.host} is active already, but not alone',
            [_line(f) for f in self._findings if self._barred(f, source, None)]
            or [f'{words.hosts(others)} hold the VIP as well'],
            f'Cure that first: {self._command("--listen 7")}',
        )

    def health(self, source: report.Replica, target: str | None) -> None:
        """Refuse to touch a router that is not well.

        :param target: the host that is to take over, if it is known
        :raises Refused: with each finding that counts
        """
        barred, ignorable = [], []
        for finding in self._findings:
            if self._barred(finding, source, target):
                barred.append(finding)
            elif finding.severity.rank >= _COUNTS and not self._passes(
                finding
            ):
                ignorable.append(finding)
        if not barred and not ignorable:
            return
        lines = [
            f'{_line(finding)} (cannot be ignored: a move would not be safe)'
            for finding in barred
        ]
        lines += [_line(finding) for finding in ignorable]
        raise self._refused(
            'it is not healthy', lines, _advice(barred, ignorable)
        )

    def passed(self) -> list[str]:
        """Return the findings that a plan has passed over."""
        return [
            f'{_line(finding)} (ignored)'
            if finding.severity.rank >= _COUNTS
            else _line(finding)
            for finding in self._findings
        ]

    # -- the wish ------------------------------------------------------------

    def asked(self, to: str | None, method: str | None) -> None:
        """Refuse what makes no sense.

        :raises Refused: it contradicts itself
        """
        if method is not None and method not in methods.METHODS:
            raise self._refused(
                f'there is no method {method}',
                [f'{m.name}: {m.summary}' for m in methods.METHODS.values()],
                'Choose one of them, or leave --method out.',
            )
        if to is not None and method == methods.RELEASE:
            raise self._refused(
                f'release cannot move it to {to}',
                [
                    'With release the active node resigns, and VRRP chooses '
                    'who takes over.'
                ],
                'Leave --to out, or choose another --method.',
            )

    def guard(self, source: report.Replica, from_: str | None) -> None:
        """Refuse to move the role from another node than was said.

        :raises Refused: it is active elsewhere
        """
        if from_ is not None and from_ != source.host:
            raise self._refused(
                f'it is not active on {from_}',
                [f'{source.host} is the active node.'],
                'If it is to be moved from there, say so with --from '
                f'{shlex.quote(source.host)}, or leave --from out.',
            )

    def hosting(self, to: str | None) -> None:
        """Refuse a target that has nothing of the router.

        :raises Refused: it is none of the replicas
        """
        replicas = self._this.replicas
        if to is not None and to not in {r.host for r in replicas}:
            raise self._refused(
                f'{to} does not host it',
                [
                    f'Its replicas are on {words.hosts(replicas)}.',
                ],
                'Choose one of them, or add a replica:\n'
                'openstack network agent add router --l3 <agent> <router>',
            )

    def target(
        self,
        met: dict[str, tuple[str, ...]],
        source: report.Replica,
        to: str | None,
    ) -> str:
        """Return who takes over: who was asked for, or the best.

        :param met: host -> its obstacles
        :raises Refused: it cannot take over, or nobody can
        """
        ready = [host for host, obstacles in met.items() if not obstacles]
        if to in ready:
            return to
        if to is not None:
            others = words.some(ready) or 'nobody else either'
            raise self._refused(
                f'{to} cannot take over',
                [f'{to}: {obstacle}' for obstacle in met[to]],
                f'Cure that first, or choose another: ready is {others}.',
            )
        if not ready:
            lines = [
                f'{host}: {obstacle}'
                for host, obstacles in sorted(met.items())
                for obstacle in obstacles
            ]
            raise self._refused(
                f'no other node could take over from {source.host}',
                lines or ['It has no other replica.'],
                f'Cure one of them first: {self._command()}',
            )
        return min(ready, key=lambda host: (self._troubles(host), host))

    def method(
        self,
        source: report.Replica,
        target: str | None,
        asked: str | None,
    ) -> str:
        """Return the method that was asked for, or the best.

        :raises Refused: it is not possible
        """
        # release leaves the winner open: only if that was asked for
        names = [asked] if asked else [methods.PROMOTE, methods.HANDOVER]
        reasons = {name: methods.impossible(name, source) for name in names}
        for name in names:
            if not reasons[name]:
                return name
        others = [
            name
            for name in methods.METHODS
            if name not in names and not methods.impossible(name, source)
        ]
        raise self._refused(
            f'{" and ".join(names)} {"is" if asked else "are"} not possible',
            [
                f'{name}: {reason}'
                for name in names
                for reason in reasons[name]
            ],
            f'Possible is {", ".join(others)}: --method {others[0]}'
            if others
            else f'Cure that first: {self._command()}',
        )

    # -- words ---------------------------------------------------------------

    def _barred(
        self,
        finding: report.Finding,
        source: report.Replica,
        target: str | None,
    ) -> bool:
        """Whether a move would be unsafe."""
        bars = obstacles.bars(finding)
        if bars == catalogue.Bars.ENDS:
            return finding.host in (source.host, target, None)
        if bars == catalogue.Bars.TARGET:
            return finding.host in (target, None)
        return bars == catalogue.Bars.ALWAYS

    def _passes(self, finding: report.Finding) -> bool:
        return finding.ignored or finding.code in self._ignore

    def _troubles(self, host: str) -> int:
        """Return how many findings there are of a host."""
        return sum(
            finding.host == host and finding.severity.rank >= _COUNTS
            for finding in self._findings
        )

    def _refused(
        self, what: str, why: Iterable[str], advice: str
    ) -> errors.Refused:
        return errors.Refused(
            _lines(f'Router {self._name} is not moved: {what}.', why, advice)
        )

    def _command(self, options: str = '') -> str:
        command = f'openstack router ha check {shlex.quote(self._name)}'
        return f'{command} {options}' if options else command


def _lines(what: str, why: Iterable[str], advice: str) -> str:
    return '\n'.join((what, *why, advice))


def _line(finding: report.Finding) -> str:
    where = f' on {finding.host}' if finding.host else ''
    return (
        f'{finding.code} {finding.name} ({finding.severity}){where}: '
        f'{finding.summary.rstrip(".")}'
    )


def _advice(
    barred: list[report.Finding], ignorable: list[report.Finding]
) -> str:
    codes = sorted({finding.code for finding in ignorable})
    flags = ' '.join(f'--ignore {code}' for code in codes)
    first = (barred or ignorable)[0].code
    show = f'openstack router ha finding show {first}'
    if not ignorable:
        return f'Cure that first: {show}'
    if not barred:
        return f'Cure that first ({show}), or move it all the same: {flags}'
    return (
        f'Cure first what cannot be ignored ({show}); the rest can be '
        f'ignored: {flags}'
    )
