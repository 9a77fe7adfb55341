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

"""The published JSON Schema, against what the commands really print."""

import json

import fixtures
import jsonschema
import testtools

from osc_ha_router.commands import check
from osc_ha_router.commands import failover
from osc_ha_router.commands import host
from osc_ha_router.commands import moved
from osc_ha_router.commands import repair
from osc_ha_router.failover import result as moves
from osc_ha_router.fleet import plan
from osc_ha_router.fleet import run
from osc_ha_router.repair import action
from osc_ha_router.repair import result as repairs
from tests.unit import captures
from tests.unit import published
from tests.unit.commands import base
from tests.unit.commands import test_sweep
from tests.unit.commands import watching
from tests.unit.failover import base as plans
from tests.unit.scene import Scene

SAMPLES = published.DOC / 'source' / 'samples'
#: whatever an action may be done to
FIELDS = {
    'addresses': [{'device': 'qg-1', 'address': '192.0.2.9/32'}],
    'routes': [],
    'pids': [1234],
    'devices': ['qg-1'],
    'device': 'all',
    'ports': ['a'],
    'whole': False,
}
NAMES = sorted(path.stem for path in captures.FOLDER.glob('*.json'))


def machine(columns, row):
    """Return a row as -f json has it."""
    return {
        key: value.machine_readable()
        if hasattr(value, 'machine_readable')
        else value
        for key, value in zip(columns, row, strict=True)
    }


class Case:
    """What each kind of output must hold."""

    def assert_exact(self, kind, row):
        """It is valid as it is, and with no key less, and with none more.

        :param kind: of $defs, which holds one row
        """
        published.match(kind, row)
        for key in row:
            lacking = {other: row[other] for other in row if other != key}
            with testtools.ExpectedException(jsonschema.ValidationError):
                published.validate(kind, lacking)
        more = {**row, 'Weather': 'fine'}
        # a script that holds to the file reads what newer versions print
        published.validate(kind, more)
        with testtools.ExpectedException(jsonschema.ValidationError):
            published.match(kind, more)


class TestOutcomes(Case, testtools.TestCase):
    """Every result that there is; the commands' tests have real ones."""

    def setUp(self):
        super().setUp()
        scene = Scene.of('healthy')
        self.active, self.target = scene.reported, scene.standbys[0]
        self.report = scene.without_address(
            self.active, scene.floating_ip
        ).judge()
        self.router_id = self.report.router.id

    def result(self, outcome):
        return moves.Result(
            outcome,
            self.active,
            None if outcome is moves.Outcome.UNKNOWN else self.target,
            'release',
            self.report,
            takeover=1.25 if outcome is moves.Outcome.VERIFIED else None,
            notes=('a note',),
        )

    def test_failover(self):
        for outcome in moves.Outcome:
            row = failover._row(self.result(outcome))
            self.assert_exact('failover/items', machine(failover.COLUMNS, row))

    def test_evacuate_and_rebalance(self):
        move = plan.Move(self.router_id, '', self.active, self.target)
        stuck = [
            plan.Stuck(self.router_id, 'r1', self.active, 'no', unknown)
            for unknown in (False, True)
        ]
        ends = [
            None,
            run.Moved(move, None, 'somebody has it'),
            run.Moved(move, None, 'interrupted', False),
            *(run.Moved(move, self.result(item)) for item in moves.Outcome),
        ]
        found = set()
        for end in ends:
            made = plan.Plan((move,), tuple(stuck), {}, {})
            for planned in (True, False):
                for row in moved.rows(made, [end] if end else [], planned):
                    shown = machine(moved.COLUMNS, row)
                    found.add(shown['Result'])
                    self.assert_exact('evacuate/items', shown)
                    self.assert_exact('rebalance/items', shown)
        self.assertEqual(
            {item.value for item in moves.Outcome} | {'refused', 'not begun'},
            found,
        )

    def step(self, todo):
        """Return an action that was not begun, or one that was done."""
        if todo.host is None:
            return repairs.Step(todo)
        return repairs.Step(todo, 'done', changed=True)

    def test_repair(self):
        todo = [
            action.Action(op, host, ('RHA502',), FIELDS)
            for op in action.Op
            for host in (None, self.active)
        ]
        for outcome in repairs.Outcome:
            done = repairs.Result(
                outcome,
                self.report,
                steps=tuple(self.step(each) for each in todo),
                refusals=(
                    action.Refusal(
                        'RHA104', 'both-active', None, 'no', ('a',)
                    ),
                    action.Refusal('RHA902', 'x', self.active, 'no', ()),
                ),
                notes=('a note',),
            )
            shown = machine(repair.COLUMNS, repair._row(done))
            self.assert_exact('repair/items', shown)
        for each in shown['Actions']:
            self.assert_exact('action', each)
        for each in shown['Refused']:
            self.assert_exact('refusal', each)
        for each in shown['Findings']:
            self.assert_exact('finding', each)


class TestWatch(Case, watching.WatchTest):
    """Of check --watch, an object a line."""

    def test_every_event(self):
        _, found = self.objects(
            [self.healthy],
            [self.broken, self.broken_second()],
            ValueError('away'),
            [self.second],
        )
        events = {item['Event'] for item in found}
        self.assertEqual(
            {'state', 'change', 'new', 'gone', 'failed', 'works'}, events
        )
        for item in found:
            self.assert_exact('watch', item)
            if 'Before' in item:
                self.assert_exact('before', item['Before'])

    def test_no_event_is_of_another_form(self):
        _, (state,) = self.objects([self.healthy])
        for event in ('change', 'gone', 'weather'):
            with testtools.ExpectedException(jsonschema.ValidationError):
                published.match('watch', {**state, 'Event': event})


class TestFleet(test_sweep.CloudTest):
    """Of what evacuate and rebalance are going to do to many routers."""

    def test_planned(self):
        self.useFixture(
            fixtures.MonkeyPatch('osc_ha_router.fleet.run._LISTEN', 0.01)
        )
        active = self.healthy.reported
        well = plans.listened(self.healthy, active)
        self.sweep(*test_sweep.many(*[well] * 4))
        for kind, words in (
            ('evacuate', (active,)),
            ('rebalance', ()),
        ):
            result = self.ran(kind, *words, '--dry-run', '-f', 'json')
            self.assertEqual(0, result.exit_code, result)
            self.assertGreaterEqual(len(result.rows), 2)
            self.assertEqual({'planned'}, {r['Result'] for r in result.rows})
            published.match(kind, result.rows)


class TestPublishedSchema(Case, base.CommandTest):
    """Of -f json."""

    def test_it_is_that_of_the_code(self):
        self.assertEqual(published.generator().build(), published.schema())
        jsonschema.Draft202012Validator.check_schema(published.schema())

    def test_it_has_every_column(self):
        for kind, columns in (
            ('check', check.COLUMNS),
            ('host-list', host.COLUMNS),
            ('failover', failover.COLUMNS),
            ('evacuate', moved.COLUMNS),
            ('rebalance', moved.COLUMNS),
            ('repair', repair.COLUMNS),
        ):
            with self.subTest(kind=kind):
                items = published.schema()['$defs'][kind]['items']
                self.assertEqual(set(columns), set(items['properties']))

    def test_page_names_every_part_that_is_printed(self):
        text = (published.DOC / 'source/reference/schema.rst').read_text()
        for kind in published.schema()['$defs']:
            # the model has pages of its own
            if kind.islower():
                self.assertIn(f'``{kind}``', text)

    def test_what_captures_give(self):
        self.assertGreater(len(NAMES), 10)
        for name in NAMES:
            path = captures.path(name)
            with self.subTest(name=name):
                published.match('capture', captures.raw(name))
                for kind in ('check', 'host-list'):
                    said = base.openstack(
                        *f'router ha {kind.replace("-", " ")}'.split(),
                        *('--capture', path, '-f', 'json'),
                    )
                    published.match(kind, json.loads(said.stdout))

    def test_show(self):
        said = base.openstack(
            *('router', 'ha', 'show', 'r1', '-f', 'json'),
            *('--capture', 'example:incident'),
        )
        shown = json.loads(said.stdout)
        published.match('show', shown)
        properties = published.schema()['$defs']['show']['properties']
        self.assertEqual(set(properties), set(shown))

    def test_catalogue(self):
        for options in ((), ('--long',)):
            rows = self.ran('finding', 'list', '-f', 'json', *options).rows
            self.assertGreater(len(rows), 50)
            published.match('finding-list', rows)
        for code in ('RHA101', 'RHA201', 'RHA609'):
            said = self.ran('finding', 'show', code, '-f', 'json')
            self.assert_exact('finding-show', json.loads(said.stdout))

    def test_samples_of_the_lab(self):
        for sample, kind in (
            ('check-json', 'check'),
            ('host-list-json', 'host-list'),
        ):
            text = (SAMPLES / f'{sample}.txt').read_text('utf-8')
            _, _, text = text.partition('\n')
            value, _ = json.JSONDecoder().raw_decode(text)
            published.match(kind, value)

    def test_it_can_refuse(self):
        said = base.openstack(
            *('router', 'ha', 'check', '-f', 'json'),
            *('--capture', 'example:incident'),
        )
        (row,) = json.loads(said.stdout)
        self.assert_exact('check/items', row)
        row['Replicas'][0]['observed'] = 'fine'
        self.assertRaises(
            jsonschema.ValidationError, published.validate, 'check', [row]
        )
