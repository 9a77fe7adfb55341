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
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
import logging
from typing import Any

from osc_ha_router import capture
from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router import interruption
from osc_ha_router.commands import base
from osc_ha_router.commands import columns
from osc_ha_router.commands import listing
from osc_ha_router.commands import looking
from osc_ha_router.commands import nagios
from osc_ha_router.commands import sentences
from osc_ha_router.commands import textfile
from osc_ha_router.commands import watch
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.model import report
from osc_ha_router.model import view

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

#: the longest code and name of a finding, in characters; so that the whole
#: catalogue need not be read for a table of healthy routers
FINDING = len('RHA101 stale-vip-dead-keepalived')
#: what is said of a replica beside its host, in characters
_REPLICA = len(': seen standby, claimed standby, agent dead')

#: exit codes; 1 and 2 are the openstack command's own
UNKNOWN, WARNING, ERROR = 3, 4, 5


class CheckRouterHA(looking.Look, listing.Listing):
    """Check what HA routers really are.

    Compares what Neutron claims about each router with what the network
    nodes show: addresses, keepalived, devices, routes. A router is active
    where its namespace holds the HA VIP and a live keepalived owns it.
    What could not be looked at is UNKNOWN, never OK.

    Exit status: 0 nothing at or above --fail-on, 1 the command failed,
    2 wrong usage, 3 something could not be looked at, 4 warning, 5 error.
    With --nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    """

    #: whether somebody did not wait for all of it
    _incomplete = False
    #: nodes that could not be looked at, and no report says so
    _unseen: Sequence[view.HostView] = ()

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
        looking.add_look_options(parser)
        nagios.add_option(parser)
        textfile.add_option(parser)
        watch.add_option(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        if parsed_args.nagios:
            return nagios.run(
                parsed_args,
                self.app.stdout,
                lambda: self._whole(parsed_args),
                lambda found: self._code(
                    parsed_args, found.reports, found.unseen
                ),
            )
        if parsed_args.watch is not None:
            return base.guarded(lambda: self._watch(parsed_args))
        with (
            interruption.Interruption() as self.stop,
            # until all is printed
            capture.keeping(parsed_args.capture is not None),
        ):
            code = super().run(parsed_args)
            self._tell(self._unseen)
            code = self.ended(code)
            if self._incomplete:
                # last of all, as what is above may be screens long
                LOG.warning(looking.INCOMPLETE)
            return code

    def _watch(self, parsed_args: argparse.Namespace) -> int:
        def look(names: tuple[str, ...]) -> Sequence[report.Report]:
            parsed_args.routers = names
            answer = self._whole(parsed_args)
            before = {shown.host for shown in self._unseen}
            self._unseen = answer.unseen
            self._tell([s for s in answer.unseen if s.host not in before])
            return answer.reports

        return watch.run(
            parsed_args,
            self.app.stdout,
            look,
            lambda reports: self._code(parsed_args, reports, self._unseen),
            sentences.sentence,
        )

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Any]]:
        self.narrow(parsed_args, COLUMNS if parsed_args.long else NARROW)
        self._said = sentences.Sentences()
        found = self.reports(parsed_args, self._question(parsed_args))
        if parsed_args.textfile:
            found = self._written(
                found, textfile.Textfile(parsed_args.textfile)
            )
        rows = self._rows(found, parsed_args)
        # people see them as they come, programs in the order of the names
        return COLUMNS, rows if self.worded else sorted(rows, key=_by_name)

    def _rows(
        self, found: Iterator[report.Report], parsed_args: argparse.Namespace
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows, and know the exit code when all are out."""
        severities: set[report.Severity] = set()
        some = False
        # most of a row is in columns that few people see
        whole = not self.worded or parsed_args.long
        try:
            for item in found:
                some = True
                title = self.title(item.router)
                severities |= counted(item)
                self._said.add(item, title)
                if counted(item) or not parsed_args.unhealthy:
                    yield _row(item, title, whole)
        except errors.Interrupted as exc:
            # before there was a single router
            LOG.error(str(exc))
            self.exit_code = exc.exit_code
            return
        self._unseen = self.sweep.unseen
        severities |= blind(self._unseen, parsed_args.ignore)
        self.exit_code = code_of(severities, parsed_args.fail_on)
        if self.stop.wanted:
            self._incomplete = True
            self.exit_code = self.exit_code or UNKNOWN
        elif not some:
            LOG.warning('There is no HA router here that you can see')

    def _written(
        self, found: Iterator[report.Report], file: textfile.Textfile
    ) -> Iterator[report.Report]:
        """Yield the same, and write the metrics when all are out."""
        for item in found:
            file.add(item)
            yield item
        if self.stop.wanted:
            # what is missing would look as if it were gone
            LOG.warning('The metrics are left as they were')
        else:
            file.write(self.sweep.hosts, self.taken_at)

    def _question(self, parsed_args: argparse.Namespace) -> engine.Question:
        return dataclasses.replace(
            self.question(parsed_args, tuple(parsed_args.routers)),
            project=parsed_args.project,
            host=parsed_args.host,
        )

    def _whole(self, parsed_args: argparse.Namespace) -> engine.Answer:
        """Return all that is found, when all of it is there."""
        if parsed_args.nagios and parsed_args.watch is not None:
            raise errors.UsageError(
                f'{nagios.OPTION} looks once: leave out {watch.OPTION}'
            )
        written = parsed_args.textfile and textfile.Textfile(
            parsed_args.textfile
        )
        answer = self.answer(parsed_args, self._question(parsed_args))
        if written:
            for item in answer.reports:
                written.add(item)
            written.write(answer.look.hosts, answer.look.taken_at)
        if self.unsaved is not None:
            raise self.unsaved
        return answer

    def _code(
        self,
        parsed_args: argparse.Namespace,
        reports: Iterable[report.Report],
        unseen: Collection[view.HostView],
    ) -> int:
        besides = blind(unseen, parsed_args.ignore)
        return exit_code(reports, parsed_args.fail_on, besides)

    def _tell(self, unseen: Iterable[view.HostView]) -> None:
        """Say which nodes without a row of their own were not looked at."""
        for sentence in sentences.unseen(unseen):
            LOG.warning(sentence)

    def words(self, width: int) -> Iterable[str]:
        return self._said.lines(width)

    def printing(self) -> None:
        # what is shown on the terminal meanwhile would be in the way
        self.company.end()

    def longest(self) -> dict[str, int]:
        hosts = max(map(len, self.sweep.places), default=0)
        return {
            'Router': max(map(len, self.titles), default=0),
            'Name': max(map(len, self.titles.values()), default=0),
            'Health': max(map(len, report.Severity)),
            'Active Hosts': hosts,
            'Reported Active': hosts,
            'Replicas': hosts + _REPLICA,
            'Findings': FINDING,
        }


def exit_code(
    reports: Iterable[report.Report],
    fail_on: str,
    besides: Collection[report.Severity] = (),
) -> int:
    """Return the exit code for what was found.

    :param fail_on: warning, error or never
    :param besides: severities that count and are of no report
    """
    return code_of({*besides}.union(*map(counted, reports)), fail_on)


def blind(
    unseen: Collection[view.HostView], ignore: Collection[str]
) -> set[report.Severity]:
    """Return the severity of nodes that were not looked at, if it counts.

    :param unseen: that no report is about
    :param ignore: codes that do not count
    """
    if not unseen:
        return set()
    entry = catalogue.entries()['node-unreachable']
    return set() if entry.code in ignore else {entry.severity}


def counted(item: report.Report) -> set[report.Severity]:
    """Return the severities of the findings that count."""
    return {f.severity for f in item.findings if not f.ignored}


#: for repair and failover


def code_of(found: Collection[report.Severity], fail_on: str) -> int:
    """Return the exit code for findings of these severities.

    :param fail_on: warning, error or never
    """
    if fail_on == 'never':
        return 0
    if report.Severity.ERROR in found:
        return ERROR
    if report.Severity.WARNING in found and fail_on == 'warning':
        return WARNING
    return UNKNOWN if report.Severity.UNKNOWN in found else 0


def _row(item: report.Report, title: str, whole: bool) -> tuple[Any, ...]:
    router = item.router
    return (
        router.id,
        columns.Name(router.name, title),
        item.health.value,
        columns.Lines(item.active_hosts),
        columns.Lines(item.reported_active),
        columns.Replicas([columns.replica(r) for r in item.replicas if whole]),
        columns.Findings([columns.finding(f) for f in item.findings]),
    )


def _by_name(row: tuple[Any, ...]) -> tuple[str, str]:
    return row[1].machine_readable(), row[0]
