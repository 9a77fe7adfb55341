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
"""What a person at a terminal sees while nothing is printed yet.

It is on standard error, and only where that is a terminal and the output is
a table for people: programs get neither bars nor words.
"""

import argparse
import logging
import sys
import threading
from typing import Any
from typing import TYPE_CHECKING

from osc_ha_router import text

if TYPE_CHECKING:
    from rich import progress as rich_progress

LOG = logging.getLogger(__name__)

#: seconds after which somebody begins to wonder; bringing in what draws the
#: bars costs a tenth of that
_PATIENCE = 1.0


class Progress:
    """Shows how far it is, from a moment after the beginning to the end.

    A context manager. To be told from any thread.

    :param shown: whether there is anybody to look at it
    """

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        #: guards what follows
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, int]] = {}
        self._bars: rich_progress.Progress | None = None
        self._tasks: dict[str, Any] = {}
        self._over = False
        self._timer = threading.Timer(_PATIENCE, self._show)
        # nobody waits for it at the end of the program
        self._timer.daemon = True

    def __enter__(self) -> 'Progress':
        if self._shown:
            self._timer.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()

    def tell(self, what: str, done: int, total: int) -> None:
        """Say how much of how much is done.

        :param what: in a word or two
        """
        with self._lock:
            # threads that count do not tell in the order in which they did
            before, _ = self._counts.get(what, (0, 0))
            self._counts[what] = max(before, done), total
            self._draw(what)

    def say(self, message: str) -> None:
        """Say what takes time, above the bars; only to whoever waits."""
        self._say(message, logging.INFO)

    def warn(self, message: str) -> None:
        """Say what is missing in the answer, to programs as well."""
        self._say(message, logging.WARNING)

    def _say(self, message: str, level: int) -> None:
        message = text.clean(message)
        with self._lock:
            if self._bars is not None:
                self._bars.console.print(
                    message, markup=False, highlight=False
                )
            elif self._shown:
                sys.stderr.write(message + '\n')
            else:
                LOG.log(level, message)

    def end(self) -> None:
        """Take the bars away; nothing is shown any more."""
        self._timer.cancel()
        with self._lock:
            self._over = True
            if self._bars is not None:
                self._bars.stop()
                self._bars = None

    def _show(self) -> None:
        from rich import console
        from rich import progress as rich_progress

        with self._lock:
            if self._over:
                return
            self._bars = rich_progress.Progress(
                rich_progress.TextColumn('{task.description}'),
                rich_progress.BarColumn(),
                rich_progress.MofNCompleteColumn(),
                rich_progress.TimeElapsedColumn(),
                # an IPv6 address has a :b: in it
                console=console.Console(stderr=True, emoji=False),
                transient=True,
                # what is printed meanwhile is none of its business
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._bars.start()
            for what in self._counts:
                self._draw(what)

    def _draw(self, what: str) -> None:
        if self._bars is None:
            return
        done, total = self._counts[what]
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)


def wanted(parsed_args: argparse.Namespace, verbosity: int) -> bool:
    """Return whether there is a person who looks at standard error.

    :param verbosity: of the openstack command; 0: --quiet
    """
    return (
        sys.stderr.isatty()
        and verbosity > 0
        and getattr(parsed_args, 'formatter', 'table') == 'table'
        and not getattr(parsed_args, 'nagios', False)
        # that goes on for hours; whoever waits knows for what
        and getattr(parsed_args, 'watch', None) is None
    )
