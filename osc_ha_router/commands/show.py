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

"""openstack router ha show"""

import argparse
from collections.abc import Iterable
from collections.abc import Sequence
import shutil
from typing import Any

from osc_lib.command import command

from osc_ha_router import codec
from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.commands import base
from osc_ha_router.commands import columns
from osc_ha_router.commands import looking
from osc_ha_router.commands import sentences
from osc_ha_router.diagnosis import evidence
from osc_ha_router.model import report


class ShowRouterHA(looking.Look, command.ShowOne):
    """Show one HA router: each replica as claimed and as seen.

    Beside what check shows: the HA VIP, the addresses and routes that the
    active node must hold, and everything that was seen of each replica.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'router',
            metavar='<router>',
            help='Router to show (name or ID)',
        )
        looking.add_look_options(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        run = super().run
        return self.ended(base.guarded(lambda: run(parsed_args)))

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Any]]:
        question = self.question(parsed_args, (parsed_args.router,))
        reports = self.answer(parsed_args, question).reports
        if not reports:
            raise errors.RouterNotFound(
                f'Router {text.clean(parsed_args.router)!r} was deleted '
                'while it was looked at'
            )
        (self._report,) = reports
        shown = _fields(self._report)
        return tuple(shown), tuple(shown.values())

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Any,
    ) -> int:
        status = super().produce_output(parsed_args, column_names, data)
        if parsed_args.formatter == 'table' and not parsed_args.columns:
            width = shutil.get_terminal_size().columns
            for line in sentences.details([self._report], width):
                self.app.stdout.write(line + '\n')
        return status


def _fields(item: report.Report) -> dict[str, Any]:
    router = item.router
    expected = _expected(item)
    return {
        'Router': router.id,
        'Name': router.name,
        'Project': router.project_id,
        'Distributed': router.distributed,
        'Health': item.health.value,
        'Active Hosts': columns.Lines(item.active_hosts),
        'Reported Active': columns.Lines(item.reported_active),
        'VIP': columns.Lines(sorted(item.vips)),
        'Virtual Router ID': columns.Lines(expected['vrids']),
        'Expected Addresses': columns.Lines(expected['addresses']),
        'Expected Routes': columns.Lines(expected['routes']),
        'Replicas': Evidence([_replica(r) for r in item.replicas]),
        'Findings': columns.Findings(
            [columns.finding(f) for f in item.findings]
        ),
    }


def _expected(item: report.Report) -> dict[str, list[Any]]:
    """Return what keepalived.conf gives to the active node."""
    confs = [
        r.view.keepalived_conf
        for r in item.replicas
        if r.view is not None and r.view.keepalived_conf is not None
    ]
    return {
        'vrids': sorted({c.vrid for c in confs if c.vrid is not None}),
        'addresses': sorted(
            {
                f'{evidence.normal(a.address)} on {a.device}'
                for conf in confs
                for a in conf.excluded
            }
        ),
        'routes': sorted(
            {
                route.destination
                + (f' via {route.gateway}' if route.gateway else '')
                for conf in confs
                for route in conf.routes
            }
        ),
    }


def _replica(item: report.Replica) -> dict[str, Any]:
    return columns.replica(item) | {'view': codec.encode(item.view)}


class Evidence(columns.Replicas):
    """Replica objects with what was seen; people see the essence of it."""

    def line(self, item: Any) -> str:
        words = [super().line(item)]
        if item['failure']:
            words.append(f'  {item["failure"]}')
        view = item['view']
        if view is not None and view['namespace'] is not None:
            words.append(f'  {view["namespace"]}')
            words.append(
                f'  VIP {_yes(item["vip"])}, '
                f'keepalived {_yes(item["keepalived"])}, '
                f'monitor {_yes(item["monitor"])}, '
                f'state file {_state_file(view)}'
            )
            for link in view['links'] or ():
                words.append(_device(link, view))
            for process in view['processes'] or ():
                role = process['role']
                if role == 'other':
                    role = (process['command'] or ['?'])[0]
                words.append(f'  {role} (pid {process["pid"]})')
        return '\n'.join(words)


def _yes(value: bool | None) -> str:
    return {True: 'yes', False: 'no', None: 'not looked at'}[value]


def _state_file(view: dict[str, Any]) -> str:
    if view['state_file'] is not None:
        return str(view['state_file']['value'])
    return 'missing' if view['files'] else 'not looked at'


def _device(link: dict[str, Any], view: dict[str, Any]) -> str:
    addresses = [
        a['address']
        for a in view['addresses'] or ()
        if a['device'] == link['name']
    ]
    state = 'up' if link['up'] else 'down'
    return f'  {link["name"]} {state}: {", ".join(addresses) or "-"}'
