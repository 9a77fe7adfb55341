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
import shutil
from typing import Any

from osc_lib.command import command

from osc_ha_router.commands import base


class Listing(command.Lister, metaclass=abc.ABCMeta):
    """A lister whose table is for people, and whose exit code for scripts.

    cliff has no exit code for what was listed, only for failures, and no
    room for what a table cannot hold.
    """

    #: what the command ends with; set by ``take_action``
    exit_code = 0
    _worded = False

    @abc.abstractmethod
    def words(self, width: int) -> Iterable[str]:
        """Yield the lines below the table.

        :param width: of the terminal, in characters
        """

    def narrow(
        self, parsed_args: argparse.Namespace, names: Sequence[str]
    ) -> None:
        """Show a person these columns only, unless some were asked for."""
        self._worded = (
            parsed_args.formatter == 'table' and not parsed_args.columns
        )
        if self._worded:
            parsed_args.columns = list(names)

    def run(self, parsed_args: argparse.Namespace) -> int:
        def run() -> int:
            super(Listing, self).run(parsed_args)
            return self.exit_code

        return base.guarded(run)

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        status = super().produce_output(parsed_args, column_names, data)
        if self._worded:
            for line in self.words(shutil.get_terminal_size().columns):
                self.app.stdout.write(line + '\n')
        return int(status)
