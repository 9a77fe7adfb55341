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

"""openstack router ha host list"""

import argparse
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence
import logging
import textwrap
from typing import Any

from cliff import columns as cliff_columns

from osc_ha_router import errors
from osc_ha_router import hosts
from osc_ha_router import interruption
from osc_ha_router.commands import listing
from osc_ha_router.commands import looking
from osc_ha_router.diagnosis import catalogue

LOG = logging.getLogger(__name__)

COLUMNS = (
    'Host',
    'Active',
    'Standby',
    'Problems',
    'Orphans',
    'Agent Alive',
    'Reachable',
    'Probe Seconds',
)

#: what fits beside each other on a terminal of 80 columns
NARROW = list(COLUMNS[:-1])

#: exit code: a node could not be looked at
UNKNOWN = 3


class ListHost(looking.Look, listing.Listing):
    """List the network nodes: what each one does, and how well.

    Looks at every HA router that you can see, and counts for each node with
    an L3 agent what is really there. What could not be looked at is
    unknown, never 0.

    Ctrl-C ends it with what is known by then.

    Exit status: 0 every node was looked at, whatever was seen there, 1 the
    command failed, 2 wrong usage, 3 a node could not be looked at.
    """

    #: reports name replicas, not hosts
    served = False

    #: whether Ctrl-C came before all was known
    _incomplete = False

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--long',
            action='store_true',
            help='Show how long each look took in the table, too',
        )
        looking.add_look_options(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        with interruption.Interruption() as self.stop:
            code = self.ended(super().run(parsed_args))
            if self._incomplete:
                # last of all, as what is above may be screens long
                LOG.warning(looking.INCOMPLETE)
            return code

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Any]]:
        self.narrow(parsed_args, COLUMNS if parsed_args.long else NARROW)
        question = self.question(parsed_args, ())
        self._hosts: tuple[hosts.Host, ...] = ()
        try:
            answer = self.answer(parsed_args, question)
        except errors.Interrupted as exc:
            # before there was a single router
            LOG.error(str(exc))
            self.exit_code = exc.exit_code
            return COLUMNS, []
        self._hosts = hosts.count(answer)
        if not self._hosts:
            # Neutron refuses some, and shows others an empty list
            raise errors.CloudError(
                'There is no L3 agent that you can see: it needs the right '
                'to list agents (policy get_agent, administrators by default)'
            )
        self.exit_code = exit_code(self._hosts, question.ignore)
        if self.stop.wanted:
            self._incomplete = True
            self.exit_code = UNKNOWN
        return COLUMNS, [_row(host) for host in self._hosts]

    def words(self, width: int) -> Iterable[str]:
        return details(self._hosts, width)


def exit_code(found: Iterable[hosts.Host], ignore: Collection[str]) -> int:
    """Return the exit code for what was found.

    :param ignore: codes of findings that do not count
    """
    gaps = {host.gap for host in found} - {None}
    ignored = {name for name in gaps if _code(name) in ignore}
    return UNKNOWN if gaps - ignored else 0


def details(found: Iterable[hosts.Host], width: int) -> Iterable[str]:
    """Yield for each node that could not be looked at why, for people."""
    for host in found:
        if host.failure is None:
            continue
        yield ''
        yield f'{host.host}:'
        for line, first, rest in (
            (host.failure.message, '  ', '    '),
            (host.failure.advice, '    -> ', '       '),
        ):
            yield from textwrap.wrap(
                line,
                max(width, 40),
                initial_indent=first,
                subsequent_indent=rest,
                break_long_words=False,
                break_on_hyphens=False,
            )


class Known(cliff_columns.FormattableColumn[Any]):
    """A value that may not be known, which people see as a question mark."""

    def human_readable(self) -> str:
        return '?' if self._value is None else str(self._value)

    def __lt__(self, other: object) -> bool:
        # cliff sorts rows by their values; what is not known comes last
        if not isinstance(other, Known):
            return NotImplemented
        mine, theirs = self._value, other._value
        return mine is not None and (theirs is None or bool(mine < theirs))


def _row(host: hosts.Host) -> tuple[Any, ...]:
    seconds = host.seconds
    return (
        host.host,
        *map(
            Known,
            (
                host.active,
                host.standby,
                host.problems,
                host.orphans,
                host.alive,
                host.reachable,
                None if seconds is None else round(seconds, 2),
            ),
        ),
    )


def _code(name: str | None) -> str:
    return catalogue.entries()[name].code if name else ''
