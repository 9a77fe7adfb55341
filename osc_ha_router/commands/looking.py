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

"""What the commands share that only look at routers: options, the look."""

import argparse
from collections.abc import Iterator
import contextlib
import dataclasses
import logging
import time

from osc_ha_router import capture
from osc_ha_router import codec
from osc_ha_router import config
from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router import interruption
from osc_ha_router import text
from osc_ha_router.backends import registry
from osc_ha_router.commands import base
from osc_ha_router.commands import columns
from osc_ha_router.commands import progress
from osc_ha_router.commands import services
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.sweep import run as sweeping
from osc_ha_router.sweep import served

LOG = logging.getLogger(__name__)

#: said below what was printed after Ctrl-C
INCOMPLETE = (
    'Interrupted: this is what was known by then; what was not is UNKNOWN'
)

#: the backend that is a service as well
AGENT = 'agent'
#: part of the time for one call of Neutron where somebody else can answer
_NEUTRON = 0.25


def listening(value: str) -> float:
    """Parse a time to listen, which the node program bounds as well."""
    number = base.seconds(value)
    if number > 60:
        raise argparse.ArgumentTypeError(f'{value} is not 0 to 60 seconds')
    return number


def add_look_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that only looks at routers."""
    base.add_reach_options(parser)
    parser.add_argument(
        '--listen',
        metavar='<seconds>',
        type=listening,
        default=engine.Question.listen,
        help='Listen for VRRP advertisements on each node this long first',
    )
    parser.add_argument(
        '--recheck',
        metavar='<seconds>',
        type=base.seconds,
        default=engine.Question.recheck,
        help='Look again after this time before reporting what may be a '
        'change under way; 0: do not '
        f'(default: {engine.Question.recheck:g})',
    )
    parser.add_argument(
        '--ignore',
        metavar='<code>',
        type=base.code,
        action='append',
        default=[],
        help='Show this finding but do not count it (repeat for several)',
    )
    parser.add_argument(
        '--save',
        metavar='<file>',
        help='Save what was seen as a capture, which holds names and '
        'addresses of the cloud but no credentials',
    )
    parser.add_argument(
        '--capture',
        metavar='<file>',
        help='Judge a saved capture instead of a cloud, or example:<name> '
        'for one that is shipped; no credentials needed',
    )


class Look(base.Reach):
    """A mixin for commands that look at routers.

    Such a command needs a cloud only without ``--capture``, which is known
    after parsing, so it signs on by itself.
    """

    auth_required = False
    #: whether finished reports will do, made by the node agents for callers
    #: who may not see where routers are
    served = True

    #: ends the waiting where there is a use for what is known by then
    stop: interruption.Interruption = interruption.Never()
    #: what ``reports`` is at
    sweep: sweeping.Sweep
    #: when that was seen, if it is a capture
    taken_at: str | None = None
    #: of its routers, by id, what to call them; from the first report on
    titles: dict[str, str]
    #: keeps whoever waits company
    company: progress.Progress
    #: why what was seen is not saved, although all else went well
    unsaved: errors.CaptureError | None = None

    def answer(
        self, parsed_args: argparse.Namespace, question: engine.Question
    ) -> engine.Answer:
        """Gather and judge, and save the look if that was asked for.

        The reports on all routers come without the views that they rest on.

        :raises Error: see ``osc_ha_router.errors``
        """
        self._prepare(parsed_args)
        with self._company(parsed_args) as company, _reading(parsed_args):
            work = self._work(parsed_args, question, company)
            answer = work.machine.check(
                work.question, recheck=work.recheck, lean=not question.names
            )
            self.titles = columns.titles(answer.reports)
        if work.taken_at is not None:
            taken = dataclasses.replace(answer.look, taken_at=work.taken_at)
            answer = dataclasses.replace(answer, look=taken)
        self._save(parsed_args, answer.look)
        return answer

    def reports(
        self, parsed_args: argparse.Namespace, question: engine.Question
    ) -> Iterator[report.Report]:
        """Do the same and yield the reports, each as soon as it is final.

        What is shown on the way ends when the first one is there and the
        reader prints it, or with the last one.

        :raises Error: see ``osc_ha_router.errors``
        """
        self._prepare(parsed_args)
        saves = parsed_args.save is not None
        with self._company(parsed_args) as company, _reading(parsed_args):
            self.company, self.titles = company, {}
            work = self._work(parsed_args, question, company)
            self.taken_at = work.taken_at
            self.sweep = work.machine.sweep(
                work.question, recheck=work.recheck, keep=saves
            )
            for item in self.sweep.reports():
                self.titles = self.titles or columns.telling(self.sweep.names)
                yield item
        if saves:
            look = capture.Capture(
                self.sweep.claims,
                self.sweep.hosts,
                work.taken_at or capture.now(),
            )
            self._save(parsed_args, look)

    def _prepare(self, parsed_args: argparse.Namespace) -> None:
        """Refuse what would come to nothing after minutes of looking."""
        self.unsaved = None
        if parsed_args.save is not None:
            capture.place(parsed_args.save)

    def _save(
        self, parsed_args: argparse.Namespace, look: capture.Capture
    ) -> None:
        """Save it if that was asked for; ``unsaved`` tells what went wrong.

        What was found is worth being shown all the same.
        """
        if parsed_args.save is None:
            return
        try:
            with _reading(parsed_args):
                capture.save(look, parsed_args.save)
        except errors.CaptureError as exc:
            self.unsaved = exc

    def ended(self, code: int) -> int:
        """Return what the command ends with, when all has been printed.

        :param code: if all else went well
        """
        if self.unsaved is None:
            return code
        LOG.error(str(self.unsaved))
        return self.unsaved.exit_code

    def title(self, router: claim.Router) -> str:
        """Return what to call a router among those that there are."""
        return self.titles.get(router.id) or router.name or router.id

    def _company(self, parsed_args: argparse.Namespace) -> progress.Progress:
        verbosity = self.app.options.verbose_level
        return progress.Progress(progress.wanted(parsed_args, verbosity))

    def _work(
        self,
        parsed_args: argparse.Namespace,
        question: engine.Question,
        company: progress.Progress,
    ) -> '_Work':
        if parsed_args.capture is not None:
            captured = capture.load(parsed_args.capture)
            machine = engine.Engine(
                capture.CapturedCloud(captured),
                capture.CapturedNodes(captured),
                stop=self.stop,
            )
            # a capture does not change however long one waits
            return _Work(machine, question, False, captured.taken_at)
        began = time.monotonic()
        settings = self.settings(parsed_args)
        service = self._service(settings, parsed_args.save is not None)
        patience = settings.timeout
        if service is not None and served.replaceable(question):
            # a Neutron that hangs is not to take all the time there is
            patience *= _NEUTRON
        try:
            source = self.cloud(patience, self.stop)
        except KeyboardInterrupt:
            if not self.stop.wanted:
                raise
            raise errors.Interrupted(
                'Interrupted before signing on was done'
            ) from None
        machine = engine.Engine(
            source,
            registry.load(settings, self.connect),
            notify=company.say,
            warn=company.warn,
            service=service,
            progress=company.tell,
            stop=self.stop,
        )
        left = question.timeout - (time.monotonic() - began)
        return _Work(
            machine, dataclasses.replace(question, timeout=max(left, 0.1))
        )

    def _service(
        self, settings: config.Settings, saves: bool
    ) -> engine.Service | None:
        # whoever chose another way to the nodes wants no other
        if not self.served or settings.backend not in ('', AGENT):
            return None
        if saves:
            return services.Unsaved()
        return services.Agents(settings, self.connect)

    def question(
        self, parsed_args: argparse.Namespace, names: tuple[str, ...]
    ) -> engine.Question:
        """Return what the common options ask."""
        settings = self.settings(parsed_args)
        return engine.Question(
            names=names,
            ignore=frozenset(parsed_args.ignore),
            listen=parsed_args.listen,
            recheck=parsed_args.recheck,
            timeout=settings.timeout,
        )


@contextlib.contextmanager
def _reading(parsed_args: argparse.Namespace) -> Iterator[None]:
    """Say so when a capture turns out to be none."""
    try:
        yield
    except codec.DecodeError as exc:
        raise errors.CaptureError(
            f'{text.clean(parsed_args.capture)!r} is not a capture: {exc}'
        ) from None


@dataclasses.dataclass(frozen=True)
class _Work:
    """What is to be done, and with what."""

    machine: engine.Engine
    question: engine.Question
    recheck: bool = True
    #: when the capture was taken
    taken_at: str | None = None
