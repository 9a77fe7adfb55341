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

"""What the commands share that move many routers."""

import abc
import argparse
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import signal
import socket
import threading
from typing import Any

from osc_ha_router import config
from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.backends import registry
from osc_ha_router.commands import acting
from osc_ha_router.commands import base
from osc_ha_router.commands import listing
from osc_ha_router.commands import moved
from osc_ha_router.commands import progress
from osc_ha_router.failover import plan as planning
from osc_ha_router.fleet import plan as plans
from osc_ha_router.fleet import run as running
from osc_ha_router.model import report

_MOST = 32
#: several at a time share the processors of one node
_PARALLEL = 4


def parallel(value: str) -> int:
    """Parse how many moves may be under way at a time."""
    number = int(value)
    if not 1 <= number <= _MOST:
        raise argparse.ArgumentTypeError(f'{value} is not 1 to {_MOST}')
    return number


class MoveMany(acting.Act, base.Reach, listing.Listing, metaclass=abc.ABCMeta):
    """A command that plans moves, shows and confirms them, does them."""

    auth_required = False

    #: keeps whoever waits at a terminal company
    _company: progress.Progress | None = None

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--parallel',
            metavar='<number>',
            type=parallel,
            default=_PARALLEL,
            help='How many routers to move at a time '
            f'(1 to {_MOST}, default: {_PARALLEL})',
        )
        parser.add_argument(
            '--method',
            metavar='<name>',
            choices=('promote', 'handover'),
            help='How: promote or handover, as for "router ha failover" '
            '(default: the first that the router allows)',
        )
        acting.add_options(
            parser, ignore='Move routers in spite of this finding'
        )
        base.add_reach_options(
            parser, timeout='Bound for one look, and for each move'
        )
        return parser

    @abc.abstractmethod
    def plan(
        self,
        parsed_args: argparse.Namespace,
        reports: Iterable[report.Report],
        ignore: frozenset[str],
    ) -> plans.Plan:
        """Say what is to be moved.

        :raises Error: see ``errors``
        """

    def sequel(self, plan: plans.Plan) -> str:
        """Return in words what follows when all has moved; empty: nothing.

        :param plan: what ``plan`` has made
        """
        return ''

    def after(
        self,
        parsed_args: argparse.Namespace,
        fleet: running.Fleet,
        settings: config.Settings,
    ) -> int:
        """Do what is to be done when all moves have ended, well or not.

        :return: what the command ends with if all has moved
        """
        return 0

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Any]]:
        asks = acting.asks(parsed_args, 'This moves routers')
        settings = self.settings(parsed_args)
        wish = planning.Wish(
            method=parsed_args.method, ignore=frozenset(parsed_args.ignore)
        )
        fleet = running.Fleet(
            self.cloud(settings.timeout),
            registry.load(settings, self.connect),
            tell=self.tell,
            detail=self._detail,
            progress=self._progress,
        )
        self.tell('plan', 'looking at all routers')
        with self._accompanied(parsed_args):
            reports = fleet.look(wish.ignore, settings.timeout)
        self._notes: list[str] = []
        self._plan = plan = self.plan(parsed_args, reports, wish.ignore)
        self._moved: list[running.Moved] = []
        self.planned = parsed_args.dry_run
        code = 0
        if not self.planned:
            question = self._question(plan)
            if asks and question:
                acting.confirm(question)
            with self._accompanied(parsed_args):
                if plan.moves:
                    self._carry_out(parsed_args, fleet, wish, settings.timeout)
                code = self._after(parsed_args, fleet, settings)
        elif sequel := self.sequel(plan):
            self.note(f'Then this would {sequel}.')
        self.exit_code = self._code or code
        self.narrow(parsed_args, moved.NARROW)
        return moved.COLUMNS, self._rows()

    def note(self, sentence: str) -> None:
        """Keep a sentence for the end of the output.

        One that begins with blanks, such as a command, is not wrapped.
        """
        self._notes.append(sentence)

    @property
    def clean(self) -> bool:
        """Whether everything that was planned has come about."""
        return not self._code

    def tell(self, phase: str, message: str) -> None:
        if self._company is None:
            super().tell(phase, message)
        else:
            self._company.say(f'{phase}: {text.clean(message)}')

    def words(self, width: int) -> Iterable[str]:
        yield ''
        yield from moved.balance(self._plan)
        for sentence in self._notes:
            if sentence.startswith(' '):
                yield sentence
            else:
                yield from acting.wrapped('', sentence, width)
        for row in self._rows():
            name, notes = row[1], row[8]
            for sentence in notes.machine_readable():
                yield from acting.wrapped(
                    f'- {name.machine_readable()}: ', sentence, width
                )

    @property
    def _code(self) -> int:
        """What the plan, and the moves so far, end with."""
        return moved.exit_code(self._plan, self._moved, self.planned)

    def _question(self, plan: plans.Plan) -> str:
        """Show what is going to be done, and return what to ask of it."""
        deeds = []
        if plan.moves:
            for move in plan.moves:
                self.tell(
                    'plan',
                    f'{move.name or move.router_id} moves from {move.source} '
                    f'to {move.target}',
                )
            deeds.append(f'move {_count(len(plan.moves))}')
        if sequel := self.sequel(plan):
            self.tell('plan', f'then {sequel}')
            deeds.append(sequel)
        return f'{", then ".join(deeds)}?' if deeds else ''

    def _after(
        self,
        parsed_args: argparse.Namespace,
        fleet: running.Fleet,
        settings: config.Settings,
    ) -> int:
        # what has moved is worth being shown, whatever comes of the rest
        try:
            return self.after(parsed_args, fleet, settings)
        except KeyboardInterrupt:
            self.note('Interrupted before the last look was over.')
            return 3
        except errors.Error as exc:
            self.note(
                f'The moves have ended; what was to follow failed: {exc}'
            )
            return 3

    @contextlib.contextmanager
    def _accompanied(self, parsed_args: argparse.Namespace) -> Iterator[None]:
        """Show bars to whoever waits at a terminal."""
        verbosity = self.app.options.verbose_level
        if not progress.wanted(parsed_args, verbosity):
            yield
            return
        with progress.Progress(True) as self._company:
            yield

    def _progress(self, what: str, done: int, total: int) -> None:
        if self._company is not None:
            self._company.tell(what, done, total)

    def _detail(self, phase: str, message: str) -> None:
        """Say of a single move what goes on, with --verbose only."""
        if self.app.options.verbose_level > 1:
            self.tell(phase, message)

    def _carry_out(
        self,
        parsed_args: argparse.Namespace,
        fleet: running.Fleet,
        wish: planning.Wish,
        timeout: float,
    ) -> None:
        moves = self._plan.moves
        self._progress('routers', 0, len(moves))
        with _interrupting(fleet):
            for each in fleet.carry_out(
                moves,
                wish,
                by=acting.author(),
                parallel=parsed_args.parallel,
                timeout=timeout,
            ):
                self._moved.append(each)
                move, number = each.move, len(self._moved)
                self.tell(
                    'moved',
                    f'{move.name or move.router_id} from {move.source} to '
                    f'{move.target}: {moved.outcome(each)} '
                    f'({number} of {len(moves)})',
                )
                self._progress('routers', number, len(moves))

    def _rows(self) -> list[tuple[Any, ...]]:
        return list(moved.rows(self._plan, self._moved, self.planned))


@contextlib.contextmanager
def _interrupting(fleet: running.Fleet) -> Iterator[None]:
    """Have Ctrl-C end the moves, and not what waits for them.

    Another thread sees to it: what the signal interrupts may hold a lock
    without which nothing can be said. It hears of the signal through a
    socket, since a handler only runs when the main thread comes to it: one
    that is about to wait does not, and the press would be lost. Where SIGINT
    is ignored, as in a job in the background, it stays ignored.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        yield
        return
    pressed, press = socket.socketpair()
    press.setblocking(False)

    def heed() -> None:
        while number := pressed.recv(1):
            if number[0] == signal.SIGINT:
                fleet.interrupt()

    with pressed:
        heeding = threading.Thread(target=heed, daemon=True)
        heeding.start()
        woken = signal.set_wakeup_fd(press.fileno())
        signal.signal(signal.SIGINT, lambda *_: None)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            signal.set_wakeup_fd(woken)
            press.close()
            heeding.join()


def _count(number: int) -> str:
    return '1 router' if number == 1 else f'{number} routers'
