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

"""openstack router ha finding list, openstack router ha finding show"""

import argparse
from collections.abc import Iterable
from collections.abc import Sequence
import re
from typing import Any

from cliff import columns as cliff_columns
from osc_lib.command import command

from osc_ha_router import codec
from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.commands import base
from osc_ha_router.commands import columns
from osc_ha_router.diagnosis import catalogue


class ListFinding(command.Lister):
    """List what a check can find."""

    auth_required = False

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--long',
            action='store_true',
            help='Show the summaries, too',
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Any]]:
        rows = [
            (
                entry.code,
                entry.name,
                entry.severity.value,
                Template(entry.summary),
            )
            for entry in catalogue.entries().values()
        ]
        titles = ('Code', 'Name', 'Severity', 'Summary')
        if parsed_args.long:
            return titles, rows
        return titles[:-1], [row[:-1] for row in rows]


class ShowFinding(command.ShowOne):
    """Explain a finding: what it means, how to confirm it, how to fix it."""

    auth_required = False

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'code',
            metavar='<code>',
            help='Finding to explain (code or name)',
        )
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        return base.guarded(lambda: super(ShowFinding, self).run(parsed_args))

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Any]]:
        entry = catalogue.by_code(parsed_args.code)
        if entry is None:
            raise errors.Error(
                f'No finding has the code or name '
                f'{text.clean(parsed_args.code)!r}; see "openstack router '
                'ha finding list"'
            )
        shown = {
            'Code': entry.code,
            'Name': entry.name,
            'Severity': entry.severity.value,
            'Summary': Template(entry.summary),
            'Hint': Template(entry.hint),
            'Explanation': Paragraphs(entry.explanation),
            'Confirm': Steps(codec.encode(entry.confirm)),
            'Fix': Numbered(list(entry.fix)),
            'Lookalikes': Lookalikes(codec.encode(entry.lookalikes)),
            'Bugs': Bugs(codec.encode(entry.bugs)),
            'Documentation URL': entry.documentation_url,
        }
        return tuple(shown), tuple(shown.values())


_FIELD = re.compile(r'\{(\w+)[^}]*\}')


class Template(cliff_columns.FormattableColumn[str]):
    """A line with {fields}, which people see as <fields>."""

    def human_readable(self) -> str:
        return _FIELD.sub(r'<\1>', self._value)


class Paragraphs(cliff_columns.FormattableColumn[str]):
    """Text that the table wraps as wide as it is."""

    def human_readable(self) -> str:
        paragraphs = self._value.split('\n\n')
        return '\n\n'.join(' '.join(p.split()) for p in paragraphs)


class Steps(columns.Lines):
    """Commands, each with what it shows."""

    def line(self, item: Any) -> str:
        return f'$ {item["run"]}\n  {item["expect"]}'


class Numbered(columns.Lines):
    """Sentences in the order in which to follow them."""

    def human_readable(self) -> str:
        return '\n'.join(
            f'{number}. {step}' for number, step in enumerate(self._value, 1)
        )


class Lookalikes(columns.Lines):
    """Other findings, and how to tell them apart."""

    def line(self, item: Any) -> str:
        return f'{item["code"]}: {item["how"]}'


class Bugs(columns.Lines):
    """Known bugs."""

    def line(self, item: Any) -> str:
        releases = f' ({item["releases"]})' if item['releases'] else ''
        return f'{item["id"]} {item["title"]}{releases}\n  {item["url"]}'
