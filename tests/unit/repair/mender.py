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

"""A node program that mends nodes which exist in the tests only."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from osc_ha_router.backends import base as backends
from osc_ha_router.node import errors as kinds
from osc_ha_router.node import protocol
from osc_ha_router.node import wanted
from tests.unit import lines
from tests.unit import moving


class Line(lines.Line):
    """A node program that can be asked to mend something."""

    def _answer(
        self,
        op: str,
        fields: dict[str, Any],
        until: backends.Deadline,
        enough: Callable[[], bool] | None,
    ) -> Iterator[dict[str, Any]]:
        return super()._answer(op.replace('-', '_'), fields, until, enough)

    def _begin(self, fields: dict[str, Any]) -> dict[str, Any]:
        assert fields['bare'] is True
        if self._fit():
            return super()._begin(fields)
        if self.host in self._nodes.locks:
            raise kinds.ProgramError(kinds.LOCKED, 'somebody has it')
        self._nodes.locks[self.host] = (fields['by'], 'now')
        self._begun = True
        return {
            'undone': [],
            'keepalived': [],
            'sha256': None,
            'priority': None,
            'nopreempt': None,
            'advert_int': None,
            'namespace': None,
        }

    def _quiet(self, fields: dict[str, Any]) -> dict[str, Any]:
        if not self._fit():
            raise kinds.ProgramError(kinds.ABSENT, 'there is nothing')
        return super()._quiet(fields)

    def _clean(self, fields: dict[str, Any]) -> dict[str, Any]:
        held = self._held()
        places = wanted.addresses(fields)
        gone = [each for each in places if each in held]
        self._nodes.edit(
            lambda s: s.without_address(self.host, *(a for _, a in gone))
        )
        for destination, _, _ in wanted.routes(fields):
            self._nodes.edit(
                lambda s, d=destination: s.without_route(self.host, d)
            )
        self._nodes.edit(lambda s: s.with_state_file(self.host, 'backup'))
        return {
            'addresses': [{'device': d, 'address': a} for d, a in gone],
            'routes': fields.get('routes', []),
        }

    def _add(self, fields: dict[str, Any]) -> dict[str, Any]:
        lost = [p for p in wanted.addresses(fields) if p not in self._held()]
        for device, address in lost:
            self._nodes.edit(
                lambda s, d=device, a=address: s.with_address(self.host, a, d)
            )
        return {'addresses': [{'device': d, 'address': a} for d, a in lost]}

    def _reload(self, fields: dict[str, Any]) -> dict[str, Any]:
        routes = self._nodes.well.shown(self.host).routes
        self._nodes.edit(lambda s: s.with_view(self.host, routes=routes))
        return {'pids': [1234]}

    def _link_up(self, fields: dict[str, Any]) -> dict[str, Any]:
        device = wanted.device(fields)
        self._nodes.edit(
            lambda s: s.with_link(self.host, device, up=True, oper='UP')
        )
        return {'changed': True}

    def _forward(self, fields: dict[str, Any]) -> dict[str, Any]:
        on = ('all',) if fields['device'] == 'all' else ()
        self._nodes.edit(lambda s: s.with_view(self.host, ipv6_forwarding=on))
        return {'on': bool(on), 'changed': True}

    def _end(self, fields: dict[str, Any]) -> dict[str, Any]:
        pids = wanted.pids(fields)
        shown = self._nodes.scene.shown(self.host)
        self._nodes.edit(
            lambda s: s.with_view(
                self.host,
                processes=tuple(
                    p for p in shown.processes or () if p.pid not in pids
                ),
            )
        )
        return {'pids': pids}

    def _wake(self, fields: dict[str, Any]) -> dict[str, Any]:
        for role in ('keepalived', 'keepalived-vrrp'):
            self._nodes.edit(
                lambda s, r=role: s.with_process(self.host, r, state='S')
            )
        return {'pids': wanted.pids(fields)}

    def _report(self, fields: dict[str, Any]) -> dict[str, Any]:
        nodes = self._nodes
        if not self._fit():
            raise kinds.ProgramError(kinds.ABSENT, 'there is no file')
        told = dict(nodes.told.get(self.host, {}))
        if told:
            return {'state': 'backup', **told}
        active = nodes.holds(self.host, nodes.well.vip)
        nodes.edit(lambda s: moving.claimed(s, nodes.active))
        nodes.edit(
            lambda s: s.with_state_file(
                self.host, 'primary' if active else 'backup'
            ).without_processes(self.host, 'haproxy', 'radvd')
        )
        well = nodes.well.shown(nodes.well.reported)
        shown = nodes.scene.shown(self.host)
        helpers = [
            process
            for process in well.processes or ()
            if active and process.role in ('haproxy', 'radvd')
        ]
        nodes.edit(
            lambda s: s.with_view(
                self.host,
                processes=(*(shown.processes or ()), *helpers),
                ipv6_forwarding=('all',),
            )
        )
        return {
            'state': 'primary' if active else 'backup',
            'answered': True,
            'known': True,
        }

    def _evict(self, fields: dict[str, Any]) -> dict[str, Any]:
        whole = protocol.flag(fields, 'whole')
        self._nodes.edit(lambda s: s.without_keepalived(self.host))
        if whole:
            self._nodes.remove(self.host)
        return {
            'pids': [] if whole else [1234, 1235],
            'addresses': [],
            'devices': ['qg-x'] if whole else [],
            'namespace': whole,
        }

    def _fit(self) -> bool:
        """Whether there is anything that could be changed for a while."""
        shown = self._nodes.view(self.host)
        return shown is not None and shown.keepalived_conf is not None

    def _held(self) -> list[tuple[str, str]]:
        shown = self._nodes.scene.shown(self.host)
        return [(a.device, a.address) for a in shown.addresses or ()]

    def undo(self) -> list[str]:
        if self.host in self._nodes.gone:
            # its view has gone with the namespace
            self._raised = None
        return super().undo()
