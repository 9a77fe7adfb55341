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


"""A list with an exit code of its own, and words below its table."""

import abc
import argparse
from collections.abc import Iterable
from collections.abc import Sequence
import itertools
import shutil
import sys
from typing import Any

from osc_lib.command import command

from osc_ha_router.commands import base
from osc_ha_router.commands import stream

#: as many rows are a table of cliff's, as wide as what is in it
_FEW = 100


class Listing(command.Lister, metaclass=abc.ABCMeta):
    """A lister whose table is for people, and whose exit code for scripts.

    cliff has no exit code for what was listed, only for failures, and no
    room for what a table cannot hold.
    """

    #: what the command ends with; set by ``take_action``
    exit_code = 0
    #: whether it is for a person, who has not said what to see
    worded = False

    @abc.abstractmethod
    def words(self, width: int) -> Iterable[str]:
        """Yield the lines below the table.

        :param width: of the terminal, in characters
        """

    def narrow(
        self, parsed_args: argparse.Namespace, names: Sequence[str]
    ) -> None:
        """Show a person these columns only, unless some were asked for."""
        self.worded = (
            parsed_args.formatter == 'table' and not parsed_args.columns
        )
        if self.worded:
            parsed_args.columns = list(names)

    def run(self, parsed_args: argparse.Namespace) -> int:
        def run() -> int:
            super(Listing, self).run(parsed_args)
            return self.exit_code

        return base.guarded(run)

    def longest(self) -> dict[str, int] | None:
        """Return how long values of columns may be, to print row by row.

        Asked for when there are rows. None: they cannot be told beforehand.
        """
        return None

    def printing(self) -> None:
        """Hear that rows are going to be printed on a terminal, one by one."""

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        rows = iter(data)
        first = list(itertools.islice(rows, _FEW))
        every = itertools.chain(first, rows)
        if len(first) < _FEW or parsed_args.sort_columns:
            super().produce_output(parsed_args, column_names, list(every))
        else:
            self._print(parsed_args, column_names, every)
        if self.worded:
            for line in self.words(shutil.get_terminal_size().columns):
                self.app.stdout.write(line + '\n')
        return 0

    def _print(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        rows: Iterable[Sequence[Any]],
    ) -> None:
        """Print many rows, as fast as it can be done."""
        names, selector = self._generate_columns_and_selector(
            parsed_args, column_names
        )
        chosen = (
            list(itertools.compress(row, selector or itertools.repeat(1)))
            for row in rows
        )
        fitted = parsed_args.fit_width or parsed_args.max_width > 0
        if self.worded and not fitted:
            self._stream(names, chosen)
            return
        every = list(chosen)
        if parsed_args.formatter == 'json' and not parsed_args.noindent:
            whole = stream.document(names, every)
            if whole is not None:
                self.app.stdout.write(whole + '\n')
                return
        self.formatter.emit_list(names, every, self.app.stdout, parsed_args)

    def _stream(
        self, names: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> None:
        """Print the table row by row."""
        room = None
        if sys.stdout.isatty():
            self.printing()
            room = shutil.get_terminal_size().columns
        widths = stream.widths(names, self.longest() or {}, room)
        with stream.Printer(self._put, names, widths) as printer:
            for row in rows:
                printer.add(row)

    def _put(self, piece: str) -> None:
        self.app.stdout.write(piece)
        self.app.stdout.flush()
