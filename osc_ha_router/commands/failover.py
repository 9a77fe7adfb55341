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


"""The command ``openstack router ha failover``."""

import argparse
from collections.abc import Iterable
from collections.abc import Sequence
import logging
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
from osc_ha_router.failover import plan as planning
from osc_ha_router.failover import result as results
from osc_ha_router.failover import run as running

LOG = logging.getLogger(__name__)

COLUMNS = (
    'Router',
    'From',
    'To',
    'Method',
    'Result',
    'Takeover Seconds',
    'Outage',
    'Health',
    'Findings',
    'Connections',
    'Notes',
)

#: what 80 columns have room for
NARROW = COLUMNS[:7]


class FailoverRouterHA(acting.Act, base.Reach, listing.Listing):
    """Move the active role of a router to a chosen node, and prove it.

    Looks first who is active and who can take over, says what it is going
    to do, asks, does it, and looks again. Whatever it changes on a node it
    puts back, even if it is killed. A router that is not healthy is not
    moved, unless the finding is named with --ignore.

    Exit status: 0 moved and verified (or already there), 1 refused, or
    failed with nothing changed, 2 wrong usage, 3 not known, or Neutron has
    not caught up in time, 4 moved, but something is not as it should be.
    """

    auth_required = False

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'router', metavar='<router>', help='Router to move (name or ID)'
        )
        parser.add_argument(
            '--to',
            metavar='<host>',
            help='Node that is to be active (default: the first that can)',
        )
        parser.add_argument(
            '--from',
            dest='from_',
            metavar='<host>',
            help='Refuse unless this node is the active one now',
        )
        parser.add_argument(
            '--method',
            metavar='<name>',
            choices=tuple(planning.METHODS),
            help='How: '
            + '; '.join(
                f'{name}: {method.summary}'
                for name, method in planning.METHODS.items()
            )
            + ' (default: the first that the router allows)',
        )
        acting.add_options(
            parser, ignore='Move the router in spite of this finding'
        )
        parser.add_argument(
            '--wait',
            action=argparse.BooleanOptionalAction,
            default=True,
            help='Wait until Neutron has caught up (default: wait)',
        )
        base.add_reach_options(parser)
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Any]]:
        asks = acting.asks(parsed_args, 'This moves a router')
        settings = self.settings(parsed_args)
        deadline = backends.Deadline.after(settings.timeout)
        failover = running.Failover(
            self.cloud(settings.timeout),
            registry.load(settings, self.connect),
            tell=self.tell,
        )
        wish = planning.Wish(
            to=parsed_args.to,
            from_=parsed_args.from_,
            method=parsed_args.method,
            ignore=frozenset(parsed_args.ignore),
        )
        self.tell('plan', f'looking at {text.clean(parsed_args.router)}')
        plan = failover.plan(parsed_args.router, wish, deadline)
        if plan.done:
            done = _unmoved(plan, results.Outcome.ALREADY)
        elif parsed_args.dry_run:
            done = _unmoved(plan, results.Outcome.PLANNED)
        else:
            self._show(plan)
            if asks:
                began = deadline.left()
                name = plan.router.name or plan.router.id
                acting.confirm(f'move {name}?')
                # the time somebody thinks is not the command's
                deadline = backends.Deadline.after(began)
            try:
                done = failover.carry_out(
                    plan, deadline, by=acting.author(), wait=parsed_args.wait
                )
            except KeyboardInterrupt:
                raise errors.Interrupted(
                    'Interrupted: what was begun on the nodes, they undo by '
                    'themselves.\nWhere the router is active now, "openstack '
                    'router ha check" tells.'
                ) from None
        self.exit_code = done.outcome.exit_code
        self._done = done
        self.narrow(parsed_args, NARROW)
        return COLUMNS, [_row(done)]

    def words(self, width: int) -> Iterable[str]:
        return _details(self._done, width)

    def _show(self, plan: planning.Plan) -> None:
        name = plan.router.name or plan.router.id
        where = plan.target or 'whoever VRRP chooses'
        self.tell(
            'plan',
            f'{name} moves from {plan.source} to {where} by {plan.method}',
        )
        for warning in plan.warnings:
            self.tell('preflight', warning)


def _unmoved(plan: planning.Plan, outcome: results.Outcome) -> results.Result:
    return results.Result(
        outcome=outcome,
        source=plan.source,
        target=plan.target,
        method=plan.method,
        report=plan.report,
        notes=(
            *(
                f'{c.host} cannot take over: {"; ".join(c.obstacles)}'
                for c in plan.candidates
                if c.obstacles
            ),
            *plan.warnings,
            *plan.unproven,
        )
        if outcome == results.Outcome.PLANNED
        else (),
    )


def _row(done: results.Result) -> tuple[Any, ...]:
    router = done.report.router
    return (
        columns.Name(router.id, router.name or router.id),
        done.source,
        columns.Maybe(done.target),
        columns.Maybe(done.method or None),
        done.outcome.value,
        columns.Maybe(acting.rounded(done.takeover)),
        columns.Maybe(acting.rounded(done.outage)),
        done.report.health.value,
        columns.Findings([columns.finding(f) for f in done.report.findings]),
        columns.Maybe(done.connections or None),
        columns.Lines(list(done.notes)),
    )


def _details(done: results.Result, width: int) -> Iterable[str]:
    """Yield what the table has no room for, for people."""
    yield ''
    yield f'Health: {done.report.health.value}'
    if done.connections:
        yield from acting.wrapped('Connections: ', done.connections, width)
    if done.notes:
        yield ''
        for note in done.notes:
            yield from acting.wrapped('- ', note, width)
    yield from sentences.details([done.report], width)
