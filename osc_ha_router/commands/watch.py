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

"""check --watch: look again and again, and print what changed.

Only what can be said of a router in a few words is kept from one look to
the next, so a watch can go on for months.
"""

import argparse
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
import logging
import select
import time
from typing import TextIO

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.commands import base
from osc_ha_router.commands import news
from osc_ha_router.commands import state as states
from osc_ha_router.model import report

LOG = logging.getLogger(__name__)

OPTION = '--watch'
#: exit code of a check that learned nothing
UNKNOWN = 3
#: pause between two looks, however long they take
_REST = 1.0

Reports = Sequence[report.Report]
#: makes a check of routers, by name or id; none: of all that there are
Look = Callable[[tuple[str, ...]], Reports]


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--watch``."""
    parser.add_argument(
        OPTION,
        metavar='<seconds>',
        type=base.bound,
        help='Look again and again, with this time from one look to the '
        'next, and print changes as they come; ends on Ctrl-C with the exit '
        'code of the last look. With -f json: one object a line',
    )


def run(
    parsed_args: argparse.Namespace,
    stream: TextIO,
    look: Look,
    verdict: Callable[[Reports], int],
    detail: Callable[[report.Finding, int], Iterable[str]],
    *,
    sleep: Callable[[float], None] | None = None,
) -> int:
    """Watch until Ctrl-C, and return the exit code of the last look.

    :param verdict: returns the exit code for the reports of a look
    :param detail: returns the lines on a finding, of so many characters
    :raises Error: wrong usage, or a first look that failed for good
    :raises BrokenPipeError: whoever read this has gone
    """
    if parsed_args.capture is not None:
        raise errors.UsageError(f'{OPTION}: a capture does not change')
    if parsed_args.formatter not in ('table', 'json') or parsed_args.columns:
        raise errors.UsageError(
            f'{OPTION} prints sentences, or objects with -f json: leave out '
            'other formats, and -c'
        )
    says = (
        news.Objects(stream)
        if parsed_args.formatter == 'json'
        else news.Sentences(stream, detail)
    )
    names = tuple(parsed_args.routers)
    watch = Watch(look, says, names, parsed_args.unhealthy, parsed_args.watch)
    code = UNKNOWN
    try:
        while True:
            began = time.monotonic()
            reports = watch.look()
            code = UNKNOWN if reports is None else verdict(reports)
            if names and not watch.names:
                # all of them were deleted
                break
            left = began + parsed_args.watch - time.monotonic()
            left = max(left, min(_REST, parsed_args.watch))
            if sleep is not None:
                sleep(left)
            else:
                rest(stream, left)
    except KeyboardInterrupt:
        LOG.debug('Ended by the user')
    return 0 if parsed_args.fail_on == 'never' else code


def rest(stream: TextIO, seconds: float) -> None:
    """Wait, and notice when whoever reads the stream goes.

    Where nothing changes nothing is written, and nothing else would tell.

    :raises BrokenPipeError: the reader has gone
    """
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        # not a file: nobody can hang up
        time.sleep(seconds)
        return
    poll = select.poll()
    poll.register(descriptor, 0)
    if poll.poll(seconds * 1000):
        raise BrokenPipeError


class Watch:
    """Looks, and tells what is new.

    :param names: of routers; none: all
    :param unhealthy: pass over routers without findings that count
    :param interval: seconds from one look to the next, in words only
    """

    def __init__(
        self,
        look: Look,
        says: news.News,
        names: tuple[str, ...],
        unhealthy: bool,
        interval: float,
    ) -> None:
        self._look = look
        self._says = says
        self._unhealthy = unhealthy
        self._interval = interval
        self.names = names
        #: None: there was no look yet
        self._known: dict[str, states.State] | None = None
        #: why the last look failed
        self._failed: str | None = None

    def look(self) -> Reports | None:
        """Look once and return the reports, None where the look failed.

        :raises Error: it was the first one, and the next would fail as well
        """
        try:
            reports = self._reports()
        except errors.CloudUnreachable as exc:
            self._fail(str(exc))
            return None
        except Exception as exc:
            # what is wrong with the command itself shows at once
            if self._known is None and self._failed is None:
                raise
            LOG.debug('The look failed', exc_info=True)
            known = isinstance(exc, errors.Error) and str(exc)
            self._fail(known or f'{type(exc).__name__}: {exc}')
            return None
        if self._failed is not None:
            self._failed = None
            self._says.works()
        self._tell(reports)
        return reports

    def _reports(self) -> Reports:
        try:
            reports = self._look(self.names)
        except errors.RouterNotFound:
            if self._known is None:
                raise
            # the others are still there; which ones, only asking tells
            reports = [item for name in self.names for item in self._one(name)]
        if self.names:
            # a name can be given to another router, or to a second one
            self.names = tuple(item.router.id for item in reports)
        return reports

    def _one(self, name: str) -> Reports:
        try:
            return self._look((name,))
        except errors.RouterNotFound:
            return ()

    def _fail(self, why: str) -> None:
        why = text.one_line(why, 1000)
        if why != self._failed:
            self._says.fails(why, len(self._known or ()))
        self._failed = why

    def _tell(self, reports: Reports) -> None:
        ordered = sorted(reports, key=lambda r: (r.router.name, r.router.id))
        now = {r.router.id: states.State.of(r) for r in ordered}
        first, before = self._known is None, self._known or {}
        self._says.name(now, before)
        for item in ordered:
            id_ = item.router.id
            state, old = now[id_], before.get(id_)
            if self._unhealthy and not (
                state.unhealthy or (old is not None and old.unhealthy)
            ):
                continue
            if first:
                self._says.is_(item, state)
            elif old is None:
                self._says.comes(item, state)
            elif state != old:
                self._says.changes(item, state, old)
        for id_, old in before.items():
            if id_ not in now and (old.unhealthy or not self._unhealthy):
                self._says.goes(id_, old)
        if first:
            self._says.all(now.values(), self._interval)
        self._known = {id_: state.lasting for id_, state in now.items()}
