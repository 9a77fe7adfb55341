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

"""Hostile names in captures, and where a router is moved or mended."""

import json
import pathlib

import fixtures

from osc_ha_router import text
from osc_ha_router.backends import registry
from osc_ha_router.commands import repair
from tests.unit import captures
from tests.unit.commands import base
from tests.unit.commands import hostile
from tests.unit.commands import move
from tests.unit.repair import mending
from tests.unit.scene import Scene

FORMATS = (
    (),
    ('--max-width', '70'),
    ('-f', 'json'),
    ('-f', 'yaml'),
    ('-f', 'csv'),
    ('-f', 'value'),
    ('-f', 'shell'),
)


class CaptureTest(hostile.Watching, base.CommandTest):
    """A capture of which every text is hostile, or every text but some."""

    NAMES = ('incident', 'healthy', 'dvr', 'leftover-replica')
    #: without these it is no capture
    FORM = frozenset(('format', 'severity', 'observed', 'health'))
    #: without these it is one of another router
    SUBJECT = FORM | {
        *('id', 'router_id', 'owner', 'ha_state', 'role', 'device'),
        'taken_at',
    }

    def captures(self):
        for name in self.NAMES:
            data = json.loads((captures.FOLDER / f'{name}.json').read_text())
            for keep in (self.FORM, self.SUBJECT):
                path = self.path('capture.json')
                pathlib.Path(path).write_text(
                    json.dumps(hostile.poisoned(data, keep))
                )
                (router,) = data['claims']['routers']
                yield path, router['name'] + hostile.ESCAPES

    def test_all_there_is_to_see(self):
        for path, name in self.captures():
            for options in (
                *(FORMATS[:-1]),
                ('--long',),
                ('--long', '-f', 'json'),
                ('--unhealthy',),
                ('--nagios',),
                ('--save', self.path('again.json')),
                ('--host', 'net1' + hostile.ESCAPES),
                ('--project', 'p' + hostile.ESCAPES),
                ('nobody' + hostile.ESCAPES,),
            ):
                self.ran('check', '--capture', path, *options)
            for options in FORMATS:
                self.ran('show', '--capture', path, name, *options)
                self.ran('host', 'list', '--capture', path, *options[:2])

    def test_metrics(self):
        for path, _ in self.captures():
            metrics = pathlib.Path(self.path('router.prom'))
            result = self.ran(
                *('check', '--capture', path, '--textfile', str(metrics))
            )
            if metrics.exists():
                self.assert_harmless(metrics.read_text())
                metrics.unlink()
            else:
                self.assertIn('which is no time', result.stderr)

    def test_what_was_saved(self):
        for path, _ in self.captures():
            again = pathlib.Path(self.path('again.json'))
            self.ran('check', '--capture', path, '--save', str(again))
            self.assertTrue(again.exists())
            self.assert_harmless(again.read_text())

    def test_no_capture(self):
        for content in (
            hostile.ESCAPES,
            json.dumps(hostile.ESCAPES),
            json.dumps({'format': hostile.ESCAPES}),
            json.dumps(
                {'format': 'osc-ha-router capture', 'version': hostile.ESCAPES}
            ),
        ):
            path = pathlib.Path(
                self.path('no' + hostile.ESCAPES.replace('/', ''))
            )
            path.write_text(content)
            result = self.ran('check', '--capture', str(path))
            self.assertEqual(1, result.exit_code)

    def test_arguments(self):
        for word in (hostile.ESCAPES, *hostile.WORDS):
            for arguments in (
                ('check', '--capture', word),
                ('check', '--capture', 'example:' + word),
                ('check', '--ignore', word),
                ('check', '--backend', word),
                ('check', '--textfile', word, '--capture', 'example:incident'),
                (
                    'check',
                    '--save',
                    word + '/x',
                    '--capture',
                    'example:incident',
                ),
                ('finding', 'show', word),
            ):
                result = self.ran(*arguments)
                if word != '--help':
                    self.assertIn(result.exit_code, (1, 2), result)


class FailoverTest(hostile.Watching, move.FailoverTest):
    """A hostile name where a router is moved, and where somebody is asked."""

    def setUp(self):
        super().setUp()
        self.neutron.routers[0]['name'] = 'r1' + hostile.ESCAPES
        self.name = 'r1' + hostile.ESCAPES

    def test_asked(self):
        self.stdin(move.Terminal('n\n'))
        result = self.ran('failover', self.name, '--to', self.target)
        self.assertEqual(1, result.exit_code)
        self.assertIn('confirm: ', result.stderr)

    def test_moved(self):
        result = self.ran(
            'failover', self.name, '--to', self.target, '--auto-approve'
        )
        self.assertEqual(0, result.exit_code, result)

    def test_host_left(self):
        self.useFixture(
            fixtures.MonkeyPatch('osc_ha_router.fleet.run._LISTEN', 0.01)
        )
        self.stdin(move.Terminal('n\n'))
        result = self.ran('evacuate', self.active)
        self.assertIn('confirm: ', result.stderr)
        result = self.ran('evacuate', self.active, '--auto-approve')
        self.assertEqual(0, result.exit_code, result)
        self.assertIn(text.clean(self.name), result.stdout)

    def test_balance(self):
        self.ran('rebalance', '--dry-run')


class RepairTest(hostile.Watching, base.CloudTest):
    """The same, with a repair."""

    def setUp(self):
        super().setUp()
        well = Scene.of('healthy')
        self.add(well)
        self.name = 'r1' + hostile.ESCAPES
        self.neutron.routers[0]['name'] = self.name
        mending.quick(self)
        broken = well.without_address(well.reported, well.floating_ip)
        nodes = mending.Nodes(broken, well)
        for where, what, found in (
            (registry, 'load', lambda settings, connect: nodes),
            (
                repair.RepairRouterHA,
                '_changes',
                lambda command: mending.Neutron(nodes),
            ),
        ):
            self.useFixture(fixtures.MockPatchObject(where, what, found))

    def repair(self, *options: str) -> base.Result:
        return self.ran('repair', self.name, '--recheck', '0', *options)

    def test_planned(self):
        self.repair('--dry-run')

    def test_asked(self):
        stream = move.Terminal('n\n')
        self.useFixture(fixtures.MonkeyPatch('sys.stdin', stream))
        result = self.repair()
        self.assertIn('confirm: ', result.stderr)

    def test_mended(self):
        result = self.repair('--auto-approve')
        self.assertEqual(0, result.exit_code, result)
