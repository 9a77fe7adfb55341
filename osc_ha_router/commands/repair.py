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

"""The command ``openstack router ha repair``."""

import argparse
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
import textwrap
import time
from typing import Any

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.backends import base as backends
from osc_ha_router.backends import registry
from osc_ha_router.commands import acting
from osc_ha_router.commands import base
from osc_ha_router.commands import columns
from osc_ha_router.commands import listing
from osc_ha_router.commands import sentences
from osc_ha_router.repair import action
from osc_ha_router.repair import plan as planning
from osc_ha_router.repair import result as results
from osc_ha_router.repair import run as running

COLUMNS = (
    'Router',
    'Result',
    'Health',
    'Actions',
    'Refused',
    'Findings',
    'Notes',
)

#: of an object of Actions
ACTION_KEYS = (
    'host',
    'action',
    'what',
    'codes',
    'risks',
    'waits_for',
    'details',
    'result',
    'changed',
    'failed',
)
#: of an object of Refused
REFUSAL_KEYS = ('code', 'name', 'host', 'reason', 'steps')

#: seconds after which what somebody says yes to is looked at once more
_LONG = 30.0

#: what 80 columns have room for
NARROW = ('Router', 'Result', 'Health', 'Actions', 'Findings')


class RepairRouterHA(acting.Act, base.Reach, listing.Listing):
    """Undo what an incident has left of a router, and prove it.

    Looks first what is wrong, plans the smallest actions that mend it, each
    with its reason and its risk, asks, does them, and looks again until the
    check finds nothing any more or the time is up. Which of several active
    nodes is right it does not decide, and what only a living L3 agent can do
    it leaves to that; it says then what to do by hand, in order.

    Exit status: 0 mended (or nothing to do), 1 refused, or failed with
    nothing changed, 2 wrong usage, 3 not known, or Neutron's agents have not
    done their part in time, 4 some of it is mended, the rest is said.
    """

    auth_required = False

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'router', metavar='<router>', help='Router to mend (name or ID)'
        )
        parser.add_argument(
            '--keep',
            metavar='<host>',
            help='Node that keeps the addresses where several hold them and '
            'none is provably right',
        )
        acting.add_options(
            parser, ignore='Leave this finding as it is, and do not count it'
        )
        parser.add_argument(
            '--recheck',
            metavar='<seconds>',
            type=base.seconds,
            default=10.0,
            help='Look again after this time before planning against what '
            'may be a change under way; 0: do not (default: 10)',
        )
        base.add_reach_options(parser)
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Any]]:
        asks = acting.asks(parsed_args, 'This changes a router')
        settings = self.settings(parsed_args)
        deadline = backends.Deadline.after(settings.timeout)
        repair = running.Repair(
            self.cloud(settings.timeout),
            registry.load(settings, self.connect),
            self._changes,
            tell=self.tell,
        )
        wish = planning.Wish(
            keep=parsed_args.keep, ignore=frozenset(parsed_args.ignore)
        )
        self.tell('plan', f'looking at {text.clean(parsed_args.router)}')
        plan = repair.plan(
            parsed_args.router, wish, deadline, parsed_args.recheck
        )
        if parsed_args.dry_run or not plan.actions:
            done = _undone(plan)
        else:
            self._show(plan)
            if asks and plan.changes:
                began, asked = deadline.left(), time.monotonic()
                acting.confirm(f'mend {plan.router.name or plan.router.id}?')
                # the time somebody thinks is not the command's
                deadline = backends.Deadline.after(began)
                if time.monotonic() - asked > _LONG:
                    plan = self._again(repair, plan, deadline)
            try:
                done = repair.carry_out(plan, deadline, by=acting.author())
            except KeyboardInterrupt:
                raise errors.Interrupted(
                    'Interrupted: what was done stays done.\nRun the command '
                    'again: it looks anew, and goes on with what is left.'
                ) from None
        self.exit_code = done.outcome.exit_code
        self._done = done
        self.narrow(parsed_args, NARROW)
        return COLUMNS, [_row(done)]

    def words(self, width: int) -> Iterable[str]:
        return _details(self._done, width)

    def _again(
        self,
        repair: running.Repair,
        plan: planning.Plan,
        deadline: backends.Deadline,
    ) -> planning.Plan:
        """Look again, after somebody has thought about a plan for long.

        :return: the same plan, of now
        :raises Refused: it is another one by now
        """
        self.tell('plan', 'looking again: the plan is old by now')
        now = repair.plan(plan.router.id, plan.wish, deadline, 0.0)
        if now.deeds != plan.deeds:
            raise errors.Refused(
                'The router is not any more what the plan was made for: '
                'nothing was done.\nRun the command again to see what there '
                'is to be done now.'
            )
        return now

    def _show(self, plan: planning.Plan) -> None:
        for each in plan.actions:
            self.tell('plan', _sentence(each))
            for risk in each.risks:
                self.tell('plan', f'  risk: {risk}')
        for later in plan.later:
            self.tell('plan', _afterwards(later))
        for refusal in plan.refusals:
            self.tell('plan', f'left: {_left(refusal)}')


def _undone(plan: planning.Plan) -> results.Result:
    """Return the result where nothing is done."""
    if plan.healthy:
        outcome = results.Outcome.HEALTHY
    elif plan.actions:
        outcome = results.Outcome.PLANNED
    else:
        outcome = results.Outcome.REFUSED
    return results.Result(
        outcome=outcome,
        report=plan.report,
        steps=tuple(results.Step(each) for each in plan.actions),
        later=plan.later,
        refusals=plan.refusals,
        notes=tuple(planning.notes(plan.report)),
    )


def _sentence(todo: action.Action) -> str:
    where = f'{todo.host}: ' if todo.host else ''
    return f'{where}{todo.what} ({", ".join(todo.codes)})'


def _afterwards(later: action.Later) -> str:
    where = f' on {later.host}' if later.host else ''
    return f'perhaps {later.op}{where} afterwards, {later.when}'


def _left(refusal: action.Refusal) -> str:
    where = f' on {refusal.host}' if refusal.host else ''
    return f'{refusal.code} {refusal.name}{where}: {refusal.reason}'


def _row(done: results.Result) -> tuple[Any, ...]:
    router = done.report.router
    return (
        columns.Name(router.id, router.name or router.id),
        done.outcome.value,
        done.report.health.value,
        Actions([_action(step) for step in done.steps]),
        Refusals([_refusal(refusal) for refusal in done.refusals]),
        columns.Findings([columns.finding(f) for f in done.report.findings]),
        columns.Lines(list(done.notes)),
    )


def _action(step: results.Step) -> dict[str, Any]:
    """Return an action as programs read it."""
    todo = step.action
    values = (
        todo.host,
        todo.op.value,
        todo.what,
        list(todo.codes),
        list(todo.risks),
        todo.waits_for or None,
        dict(todo.fields),
        step.words or None,
        step.changed,
        step.failed,
    )
    return dict(zip(ACTION_KEYS, values, strict=True))


def _refusal(refusal: action.Refusal) -> dict[str, Any]:
    """Return a refusal as programs read it."""
    values = (
        refusal.code,
        refusal.name,
        refusal.host,
        refusal.reason,
        list(refusal.steps),
    )
    return dict(zip(REFUSAL_KEYS, values, strict=True))


class Actions(columns.Lines):
    """Action objects."""

    def line(self, item: Any) -> str:
        where = f'{item["host"]}: ' if item['host'] else ''
        failed = ' (failed)' if item['failed'] else ''
        return f'{where}{item["action"]}{failed}'


class Refusals(columns.Lines):
    """Refusal objects."""

    def line(self, item: Any) -> str:
        where = f' on {item["host"]}' if item['host'] else ''
        return f'{item["code"]} {item["name"]}{where}'


def _details(done: results.Result, width: int) -> Iterator[str]:
    """Yield what the table has no room for, for people."""
    if done.steps:
        yield ''
    for step in done.steps:
        mark = 'failed: ' if step.failed else ''
        words = f' -- {mark}{step.words}' if step.words else ''
        sentence = text.clean(_sentence(step.action) + words)
        yield from acting.wrapped('- ', sentence, width)
        if not step.words:
            for risk in step.action.risks:
                yield from acting.wrapped('  risk: ', risk, width)
    for later in done.later:
        yield from acting.wrapped('- ', _afterwards(later), width)
    if done.notes:
        yield ''
    for note in done.notes:
        yield from acting.wrapped('- ', text.clean(note), width)
    yield from _by_hand(done.refusals, width)
    told = {(refusal.code, refusal.host) for refusal in done.refusals}
    rest = dataclasses.replace(
        done.report,
        findings=tuple(
            finding
            for finding in done.report.findings
            if (finding.code, finding.host) not in told
        ),
    )
    yield from sentences.details([rest], width)


def _by_hand(refusals: Iterable[action.Refusal], width: int) -> Iterator[str]:
    """Yield what is left to people, and how it is done, once a kind."""
    seen = set()
    for refusal in refusals:
        yield ''
        left = text.clean(_left(refusal))
        yield from acting.wrapped('Left to you: ', left, width)
        if refusal.code in seen:
            yield '  Steps as above.'
            continue
        seen.add(refusal.code)
        for number, step in enumerate(refusal.steps, 1):
            begin = f'  {number}. '
            yield from textwrap.wrap(
                step,
                max(width, 40),
                initial_indent=begin,
                subsequent_indent=' ' * len(begin),
                break_long_words=False,
                break_on_hyphens=False,
            )
