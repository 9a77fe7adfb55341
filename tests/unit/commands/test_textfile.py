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

"""openstack router ha check --textfile, and what the node exporter finds."""

import dataclasses
import os
import stat

import fixtures

from osc_ha_router import capture
from tests.unit.commands import base
from tests.unit.commands import test_check
from tests.unit.scene import Scene
from tests.unit.test_engine import renamed
from tests.unit.test_metrics import parsed


class TextfileTest(base.CommandTest):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.file = self.path('router_ha.prom')

    def write(self, scene: Scene, *options: str) -> base.Result:
        return self.check(scene, options=('--textfile', self.file, *options))

    def read(self):
        with open(self.file, 'rb') as file:
            return parsed(file.read())

    def assert_no_more_files(self, *names: str):
        self.assertEqual(
            {'clouds.yaml', 'scenes.json', *names},
            {n for n in os.listdir(self.folder) if not n.startswith('.')},
        )
        self.assertEqual(
            [], [n for n in os.listdir(self.folder) if n.endswith('.tmp')]
        )


class WrittenTest(TextfileTest):
    def test_beside_what_is_printed(self):
        plain = self.check(self.healthy)
        result = self.write(self.healthy)
        self.assertEqual(plain, result)
        samples = self.read()
        self.assertEqual(1, samples['router_ha_routers'][(('health', 'OK'),)])
        self.assertEqual({(): 1.0}, samples['router_ha_check_success'])
        self.assertIn('router_ha_check_duration_seconds', samples)
        self.assert_no_more_files('router_ha.prom')

    def test_exit_code_and_nagios_stay_the_same(self):
        broken = self.healthy.without_address(
            self.healthy.reported, self.healthy.floating_ip
        )
        self.assertEqual(5, self.write(broken).exit_code)
        result = self.write(broken, '--nagios')
        self.assertEqual(2, result.exit_code)
        self.assertTrue(result.stdout.startswith('ROUTER_HA CRITICAL'))
        self.assertIn('router_ha_findings', self.read())

    def test_all_routers_whatever_is_printed(self):
        result = self.write(self.healthy, '--unhealthy', '-f', 'json')
        self.assertEqual([], result.rows)
        self.assertEqual(1, len(self.read()['router_ha_router_info']))

    def test_many_routers_row_by_row(self):
        scenes = [renamed(self.healthy, n) for n in range(1, 151)]
        plain = self.check(*scenes)
        result = self.check(*scenes, options=('--textfile', self.file))
        self.assertEqual(plain, result)
        self.assertEqual(0, result.exit_code)
        self.assertEqual(150, len(self.read()['router_ha_router_info']))

    def test_a_capture_is_as_old_as_it_is(self):
        self.ran('check', '--capture', 'example:incident', '--textfile',
                 self.file)  # fmt: skip
        taken = capture.load('example:incident').taken_at
        (at,) = self.read()['router_ha_last_check_timestamp_seconds'].values()
        self.assertEqual(
            capture.datetime.datetime.fromisoformat(taken).timestamp(), at
        )

    def test_a_capture_of_no_time(self):
        path = base.save(self.path('scene.json'), self.healthy)
        taken = capture.load(path)
        for at in ('', 'yesterday', '99999-01-01', '2026-11-22T25:00:00'):
            capture.save(dataclasses.replace(taken, taken_at=at), path)
            result = self.ran(
                'check', '--capture', path, '--textfile', self.file
            )
            self.assertEqual(1, result.exit_code, result)
            self.assertIn('which is no time', result.stderr)
            self.assertFalse(os.path.exists(self.file))

    def test_a_node_that_no_router_is_on(self):
        self.write(test_check.spare(self.healthy))
        found = self.read()['router_ha_probe_success']
        self.assertEqual(0, found[(('host', 'net9'),)])

    def test_others_can_read_it(self):
        self.addCleanup(os.umask, os.umask(0o077))
        self.write(self.healthy)
        self.assertEqual(0o644, stat.S_IMODE(os.stat(self.file).st_mode))

    def test_a_link_stays_a_link(self):
        os.symlink('real.prom', self.file)
        self.write(self.healthy)
        self.assertTrue(os.path.islink(self.file))
        self.assertTrue(os.path.isfile(self.path('real.prom')))
        self.read()


class RefusedTest(TextfileTest):
    def test_places(self):
        for path, word in (
            (self.path('router_ha.txt'), 'does not end with .prom'),
            (self.path('missing/x.prom'), 'no folder that you can write in'),
            ('/dev/null/x.prom', 'no folder that you can write in'),
        ):
            result = self.check(self.healthy, options=('--textfile', path))
            self.assert_refused(result, 2, word)
        os.mkdir(self.path('folder.prom'))
        path = self.path('folder.prom')
        result = self.check(self.healthy, options=('--textfile', path))
        self.assert_refused(result, 2, 'is not a file')

    def test_a_check_that_fails_leaves_it_alone(self):
        self.write(self.healthy)
        with open(self.file, 'rb') as file:
            before = file.read()
        result = self.ran(
            'check', '--capture', self.path('none'), '--textfile', self.file
        )
        self.assertEqual(1, result.exit_code)
        with open(self.file, 'rb') as file:
            self.assertEqual(before, file.read())

    def test_a_file_that_cannot_be_written(self):
        base.save(self.path('scenes.json'), self.healthy)
        self.useFixture(
            fixtures.MockPatch(
                'osc_ha_router.commands.textfile.os.replace',
                side_effect=OSError(28, 'No space left on device'),
            )
        )
        result = self.ran(
            'check',
            '--capture',
            self.path('scenes.json'),
            '--textfile',
            self.file,
        )
        self.assertEqual(1, result.exit_code)
        self.assertIn('No space left on device', result.stderr)
        self.assert_no_more_files()
