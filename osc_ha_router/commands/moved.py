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

"""What the commands that move many routers print of it, and end with."""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from osc_ha_router import text
from osc_ha_router.commands import acting
from osc_ha_router.commands import columns
from osc_ha_router.failover import result as results
from osc_ha_router.fleet import plan as plans
from osc_ha_router.fleet import run as running

COLUMNS = (
    'Router',
    'Name',
    'From',
    'To',
    'Result',
    'Takeover Seconds',
    'Outage',
    'Health',
    'Notes',
)
#: what 80 columns have room for
NARROW = ('Name', 'From', 'To', 'Result', 'Takeover Seconds', 'Outage')

#: beside the outcomes of a failover
REFUSED = 'refused'
NOT_BEGUN = 'not begun'


def exit_code(
    plan: plans.Plan, moved: Iterable[running.Moved], dry_run: bool
) -> int:
    """Return 0, 1, 3 or 4, as documented."""
    moved = list(moved)
    codes = {m.result.outcome.exit_code for m in moved if m.result is not None}
    refused = any(not s.unknown for s in plan.stuck) or any(
        m.result is None and m.begun for m in moved
    )
    if 4 in codes:
        return 4
    if refused or 1 in codes:
        return 4 if codes - {1} or (dry_run and plan.moves) else 1
    unknown = plan.blind or any(s.unknown for s in plan.stuck)
    if 3 in codes or unknown or any(not m.begun for m in moved):
        return 3
    return 0


def balance(plan: plans.Plan) -> Iterator[str]:
    """Yield how many routers are active on each node, before and after."""
    if not plan.moves:
        yield 'Active routers on each node:'
    else:
        yield 'Active routers on each node, before and after:'
    for host, before in plan.before.items():
        after = plan.after[host]
        number = f'{before} -> {after}' if plan.moves else f'{before}'
        if host in plan.unseen:
            least = f', at least {number}' if before or after else ''
            number = f'not known{least}'
        yield f'  {text.clean(host)}: {number}'


def rows(
    plan: plans.Plan, moved: Iterable[running.Moved], planned: bool
) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each router that is to move, and each that cannot.

    :param planned: whether it was to be shown only
    """
    done = {each.move.router_id: each for each in moved}
    for move in plan.moves:
        yield _row(move, done.get(move.router_id), planned)
    for stuck in plan.stuck:
        yield _stuck_row(stuck)


def outcome(moved: running.Moved) -> str:
    """Return in a word or two how a move has ended."""
    if moved.result is not None:
        return moved.result.outcome.value
    return REFUSED if moved.begun else NOT_BEGUN


def _row(
    move: plans.Move, moved: running.Moved | None, planned: bool
) -> tuple[Any, ...]:
    done = moved.result if moved is not None else None
    notes: list[str] = []
    if moved is not None and moved.reason:
        notes = moved.reason.split('\n')
    elif done is not None:
        notes = [
            *done.notes,
            *(f'{f.code} {f.name}: {f.summary}' for f in done.report.findings),
        ]
    return (
        move.router_id,
        columns.Name(move.name, move.name or move.router_id),
        move.source,
        move.target,
        outcome(moved)
        if moved is not None
        else (results.Outcome.PLANNED.value if planned else NOT_BEGUN),
        columns.Maybe(acting.rounded(done.takeover if done else None)),
        columns.Maybe(acting.rounded(done.outage if done else None)),
        columns.Maybe(done.report.health.value if done else None),
        columns.Lines(notes),
    )


def _stuck_row(stuck: plans.Stuck) -> tuple[Any, ...]:
    return (
        stuck.router_id,
        columns.Name(stuck.name, stuck.name or stuck.router_id),
        stuck.source,
        columns.Maybe(None),
        results.Outcome.UNKNOWN.value if stuck.unknown else REFUSED,
        columns.Maybe(None),
        columns.Maybe(None),
        columns.Maybe(None),
        columns.Lines(stuck.reason.split('\n')),
    )
