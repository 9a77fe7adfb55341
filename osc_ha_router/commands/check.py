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

"""openstack router ha check"""

import argparse
from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses
import logging
import textwrap
from typing import Any

from osc_ha_router.commands import base
from osc_ha_router.commands import columns
from osc_ha_router.commands import listing
from osc_ha_router.commands import nagios
from osc_ha_router.model import report

LOG = logging.getLogger(__name__)

COLUMNS = (
    'Router',
    'Name',
    'Health',
    'Active Hosts',
    'Reported Active',
    'Replicas',
    'Findings',
)
#: what fits beside each other on a terminal of 80 columns
NARROW = ['Name', 'Health', 'Active Hosts', 'Reported Active', 'Findings']

#: exit codes; 1 and 2 are the openstack command's own
UNKNOWN, WARNING, ERROR = 3, 4, 5


class CheckRouterHA(base.Look, listing.Listing):
    """Check what HA routers really are.

    Compares what Neutron claims about each router with what the network
    nodes show: addresses, keepalived, devices, routes. A router is active
    where its namespace holds the HA VIP and a live keepalived owns it.
    What could not be looked at is UNKNOWN, never OK.

    Exit status: 0 nothing at or above --fail-on, 1 the command failed,
    2 wrong usage, 3 something could not be looked at, 4 warning, 5 error.
    With --nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'routers',
            metavar='<router>',
            nargs='*',
            help='Router to check (name or ID); default: every HA router '
            'that you can see',
        )
        parser.add_argument(
            '--project',
            metavar='<project>',
            help="Only this project's routers (name or ID)",
        )
        parser.add_argument(
            '--host',
            metavar='<host>',
            help='Only routers with an L3 agent on this host',
        )
        parser.add_argument(
            '--unhealthy',
            action='store_true',
            help='Only routers with findings',
        )
        parser.add_argument(
            '--long',
            action='store_true',
            help='Show the ID and the replicas in the table, too',
        )
        parser.add_argument(
            '--fail-on',
            metavar='<severity>',
            choices=('warning', 'error', 'never'),
            default='warning',
            help='warning, error or never: exit with 4 or 5 from this '
            'severity on, and with 3 when '
            'something could not be looked at; never: exit with 0 '
            '(default: warning)',
        )
        base.add_look_options(parser)
        nagios.add_option(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        if parsed_args.nagios:
            return nagios.run(
                parsed_args,
                self.app.stdout,
                lambda: self._reports_of(parsed_args),
                exit_code,
            )
        return super().run(parsed_args)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Any]]:
        self.narrow(parsed_args, COLUMNS if parsed_args.long else NARROW)
        reports = self._reports_of(parsed_args)
        self.exit_code = exit_code(reports, parsed_args.fail_on)
        if not reports:
            LOG.warning('There is no HA router here that you can see')
        if parsed_args.unhealthy:
            reports = tuple(
                r for r in reports if not all(f.ignored for f in r.findings)
            )
        self._reports = sorted(
            reports, key=lambda r: (r.router.name, r.router.id)
        )
        titles = columns.titles(self._reports)
        return COLUMNS, [_row(r, titles) for r in self._reports]

    def _reports_of(
        self, parsed_args: argparse.Namespace
    ) -> tuple[report.Report, ...]:
        question = dataclasses.replace(
            self.question(parsed_args, tuple(parsed_args.routers)),
            project=parsed_args.project,
            host=parsed_args.host,
        )
        return self.answer(parsed_args, question).reports

    def words(self, width: int) -> Iterable[str]:
        return details(self._reports, width)


def exit_code(reports: Iterable[report.Report], fail_on: str) -> int:
    """Return the exit code for what was found.

    :param fail_on: warning, error or never
    """
    found = {
        finding.severity
        for item in reports
        for finding in item.findings
        if not finding.ignored
    }
    if fail_on == 'never':
        return 0
    if report.Severity.ERROR in found:
        return ERROR
    if report.Severity.WARNING in found and fail_on == 'warning':
        return WARNING
    return UNKNOWN if report.Severity.UNKNOWN in found else 0


def details(reports: Iterable[report.Report], width: int) -> Iterable[str]:
    """Yield each finding in a sentence, with what to do, for people."""
    for item in reports:
        if not item.findings:
            continue
        yield ''
        yield f'{item.router.name or item.router.id}:'
        for finding in item.findings:
            yield from sentence(finding, width)


def sentence(finding: report.Finding, width: int) -> Iterable[str]:
    """Yield one finding as lines of at most ``width`` characters."""
    where = f' on {finding.host}' if finding.host else ''
    ignored = ' (ignored)' if finding.ignored else ''
    text = (
        f'{finding.severity}{ignored} {finding.code} {finding.name}{where}: '
        f'{finding.summary}'
    )
    for line, first, rest in (
        (text, '  ', '    '),
        (finding.hint, '    -> ', '       '),
    ):
        yield from textwrap.wrap(
            line,
            max(width, 40),
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _row(item: report.Report, titles: dict[str, str]) -> tuple[Any, ...]:
    router = item.router
    return (
        router.id,
        columns.Name(router.name, titles[router.id]),
        item.health.value,
        columns.Lines(item.active_hosts),
        columns.Lines(item.reported_active),
        columns.Replicas([columns.replica(r) for r in item.replicas]),
        columns.Findings([columns.finding(f) for f in item.findings]),
    )
