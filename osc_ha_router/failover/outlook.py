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

"""What a move will cost, and what a plan cannot promise."""

from collections.abc import Iterator

from osc_ha_router.diagnosis import case
from osc_ha_router.diagnosis import evidence
from osc_ha_router.failover import methods
from osc_ha_router.model import report


class Outlook:
    """A move that could begin now.

    :param target: None: the winner is not chosen
    :param met: host -> why it cannot take over; none: it is ready
    :param method: one of ``methods.METHODS``
    """

    def __init__(
        self,
        this: case.Case,
        source: report.Replica,
        target: str | None,
        met: dict[str, tuple[str, ...]],
        method: str,
    ) -> None:
        self._this = this
        self._source = source
        self._target = target
        self._met = met
        self._method = method
        self._ready = sorted(host for host in met if not met[host])

    def warnings(self) -> Iterator[str]:
        """Yield what will be lost or can go wrong, a sentence each."""
        if self._method != methods.PROMOTE:
            yield from self._resigning()
        if self._method == methods.RELEASE:
            yield from self._open()
        yield from self._preempting()

    def unproven(self) -> Iterator[str]:
        """Yield what only doing it proves, a sentence each."""
        source = self._source.host
        ends = [source, *([self._target] if self._target else self._ready)]
        yield (
            'Not proven: that the node program may change keepalived.conf '
            f'and signal keepalived on {" and ".join(ends)}'
        )
        winner = self._target or 'another node'
        yield f'Not proven: that keepalived on {winner} takes over when asked'
        yield (
            'Not proven: that nobody else begins to move or change the router '
            'meanwhile'
        )
        if self._this.router.gateway is not False and not all(
            self._synchronised(host) for host in ends
        ):
            yield (
                'Not proven: that open connections through SNAT and floating '
                'IPs live on; they are copied shortly before the move, and '
                'those opened in the last second are lost'
            )

    def _resigning(self) -> Iterator[str]:
        """What comes of ending keepalived on the active node."""
        host = self._source.host
        agent = self._source.agent
        if agent is not None and not (agent.alive and agent.admin_state_up):
            yield (
                f'The L3 agent on {host} is '
                f'{"disabled" if agent.alive else "dead"}, so nobody may '
                'start keepalived there again'
            )
        yield (
            f'If check_child_processes_action is exit on {host}, the L3 '
            'agent there ends itself, for all of its routers, when it finds '
            'keepalived dead'
        )
        yield (
            f'If check_child_processes_interval is 0 on {host}, nobody '
            'starts keepalived there again'
        )
        if len(self._ready) == 1:
            yield (
                f'Nobody could take over from {self._ready[0]} until '
                f'keepalived on {host} runs again: no other standby is ready'
            )

    def _open(self) -> Iterator[str]:
        """Who else may win who should not."""
        for replica in self._this.replicas:
            reasons = self._met.get(replica.host)
            # what was not looked at may have a keepalived, too
            if reasons and replica.keepalived is not False:
                yield (
                    f'VRRP may also choose {replica.host}, which is not '
                    f'ready: {"; ".join(reasons)}'
                )

    def _preempting(self) -> Iterator[str]:
        """Who takes the role away again when the target's file is back."""
        confs = dict(self._this.confs())
        for winner in [self._target] if self._target else self._ready:
            conf = confs.get(winner)
            own = conf.priority if conf is not None else None
            for host, other in sorted(confs.items()):
                if (
                    own is not None
                    and other.priority is not None
                    and other.priority > own
                    and not other.nopreempt
                    and host != winner
                ):
                    yield (
                        f'{host} has priority {other.priority} without '
                        f'nopreempt, so it takes the role from {winner} '
                        f'(priority {own}) as soon as it can'
                    )

    def _synchronised(self, host: str) -> bool:
        """Whether conntrackd was seen on a node."""
        return any(
            process.role == 'conntrackd' and evidence.living(process)
            for replica in self._this.replicas
            if replica.host == host and replica.view is not None
            for process in replica.view.processes or ()
        )
