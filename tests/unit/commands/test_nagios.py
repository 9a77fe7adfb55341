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

"""openstack router ha check --nagios, as a monitor runs it."""

import os
import pathlib
import subprocess
import sys

from osc_ha_router.commands import check
from tests.unit.commands import base
from tests.unit.commands import test_check
from tests.unit.scene import Scene


class NagiosTest(base.CommandTest):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.active = self.healthy.reported
        self.standby, self.other = self.healthy.standbys
        self.warning = self.healthy.without_processes(self.standby, 'monitor')
        self.error = self.healthy.without_address(
            self.active, self.healthy.floating_ip
        )
        self.unknown = self.healthy.with_unreachable(self.other)

    def nagios(self, scene: Scene, *options: str) -> base.Result:
        return self.check(scene, options=('--nagios', *options))

    def assert_line(self, result: base.Result, code: int, *words: str):
        """The command printed one line, and nothing else."""
        state = ('OK', 'WARNING', 'CRITICAL', 'UNKNOWN')[code]
        self.assertEqual((code, ''), (result.exit_code, result.stderr))
        line, rest = result.stdout.split('\n')
        self.assertEqual('', rest)
        self.assertTrue(line.startswith(f'ROUTER_HA {state} - '), line)
        for word in words:
            self.assertIn(word, line)


class StateTest(NagiosTest):
    def test_states(self):
        for scene, code, words in (
            (self.healthy, 0, '1 OK | routers=1 ok=1 '),
            (self.healthy.with_peers(4, 4), 0, '1 INFO | '),
            (self.warning, 1, '1 WARNING (r1 monitor-dead on '),
            (self.error, 2, '1 ERROR (r1 floating-ip-missing on '),
            (self.unknown, 3, '1 UNKNOWN (r1 node-unreachable on '),
        ):
            self.assert_line(self.nagios(scene), code, words)

    def test_the_worst_counts(self):
        both = self.warning.with_unreachable(self.other)
        self.assert_line(self.nagios(both), 1)
        both = self.error.with_unreachable(self.other)
        self.assert_line(self.nagios(both), 2)

    def test_fail_on(self):
        result = self.nagios(self.warning, '--fail-on', 'error')
        self.assert_line(result, 0, '1 WARNING')
        result = self.nagios(self.error, '--fail-on', 'error')
        self.assert_line(result, 2)
        both = self.warning.with_unreachable(self.other)
        result = self.nagios(both, '--fail-on', 'error')
        self.assert_line(result, 3, 'not all looked at')
        for scene in (self.error, self.unknown):
            result = self.nagios(scene, '--fail-on', 'never')
            self.assert_line(result, 0)

    def test_ignore(self):
        options = ('--ignore', 'floating-ip-missing')
        self.assert_line(self.nagios(self.error, *options), 0, '1 OK')
        options = ('--ignore', 'node-unreachable')
        self.assert_line(self.nagios(self.unknown, *options), 0, '1 OK')

    def test_as_the_check(self):
        """The same verdict for whatever was asked."""
        codes = {0: 0, check.WARNING: 1, check.ERROR: 2, check.UNKNOWN: 3}
        for scene in (self.healthy, self.warning, self.error, self.unknown):
            for fail_on in ('warning', 'error', 'never'):
                options = ('--fail-on', fail_on)
                code = self.check(scene, options=options).exit_code
                self.assert_line(self.nagios(scene, *options), codes[code])

    def test_all_count_whatever_is_shown(self):
        result = self.nagios(self.healthy, '--unhealthy', '--long')
        self.assert_line(result, 0, 'routers=1 ')

    def test_nothing_to_check(self):
        result = self.check(options=('--nagios',))
        self.assert_line(result, 0, 'no HA router', 'routers=0 ')

    def test_a_node_that_no_router_is_on(self):
        scene = test_check.spare(self.healthy)
        words = (
            '1 OK, 1 node (net9) not looked at |',
            'hosts=4 unreachable=1',
        )
        self.assert_line(self.nagios(scene), 3, *words)
        for options in (('--ignore', 'RHA901'), ('--fail-on', 'never')):
            self.assert_line(self.nagios(scene, *options), 0, *words)
        both = test_check.spare(self.error)
        self.assert_line(self.nagios(both), 2, 'unreachable=1')

    def test_saves_what_was_seen(self):
        path = self.path('saved.json')
        self.assert_line(self.nagios(self.error, '--save', path), 2)
        self.assertTrue(os.path.exists(path))


class FailureTest(NagiosTest):
    def test_bad_captures(self):
        result = self.ran('check', '--nagios', '--capture', self.path('none'))
        self.assert_line(result, 3, 'No such file')
        path = pathlib.Path(self.path('a|b'))
        path.write_text('{')
        result = self.ran('check', '--nagios', '--capture', str(path))
        self.assert_line(result, 3, 'a/b', 'is not a capture')
        self.assertNotIn('|', result.stdout)

    def test_no_such_router(self):
        self.assert_line(self.nagios(self.healthy, 'r9'), 3, "'r9'")

    def test_cannot_be_saved(self):
        result = self.nagios(self.healthy, '--save', self.path('none/x'))
        self.assert_line(result, 3, 'cannot be written')

    def test_wrong_usage(self):
        """argparse's own code, 2, would be CRITICAL."""
        for options in (
            ('--fail-on', 'x'),
            ('--ignore', 'x|y'),
            ('--no-such-option',),
            ('--timeout',),
        ):
            result = self.nagios(self.healthy, *options)
            self.assert_line(result, 3, options[0])
            result = self.ran('check', *options, '--nagios')
            self.assert_line(result, 3, options[0])

    def test_wrong_usage_without_it(self):
        result = self.ran('check', '--no-such-option')
        self.assert_refused(result, 2, '--no-such-option')

    def test_other_formats(self):
        for options in (('-f', 'json'), ('-c', 'Health'), ('-f', 'value')):
            result = self.nagios(self.healthy, *options)
            self.assert_line(result, 3, '--nagios', '-f and -c')

    def test_no_credentials(self):
        self.assert_line(self.ran('check', '--nagios'), 3, 'auth')

    def test_a_mistake_of_ours(self):
        def broken(*_):
            raise KeyError('a\nb|c')

        self.patch(check.CheckRouterHA, 'answer', broken)
        self.assert_line(self.nagios(self.healthy), 3, 'KeyError: ')

    def test_interrupted(self):
        def interrupted(*_):
            raise KeyboardInterrupt

        self.patch(check.CheckRouterHA, 'answer', interrupted)
        self.assert_line(self.nagios(self.healthy), 3, 'interrupted')

    def test_where_only_ascii_can_be_written(self):
        """As a monitor's environment has it."""
        scene = self.error.with_router(name='r\xf6\u8def')
        done = subprocess.run(
            [
                *(sys.executable, '-m', 'openstackclient.shell'),
                *('router', 'ha', 'check', '--nagios', '--capture'),
                base.save(self.path('x.json'), scene),
            ],
            capture_output=True,
            env={**os.environ, 'PYTHONIOENCODING': 'ascii'},
        )
        self.assertEqual((2, b''), (done.returncode, done.stderr))
        self.assertIn(b'(r\\xf6\\u8def floating', done.stdout)


class CloudTest(base.CloudTest, NagiosTest):
    def setUp(self):
        super().setUp()
        self.add(self.healthy)

    def test_healthy(self):
        self.nodes(self.healthy)
        self.assert_line(self.ran('check', '--nagios'), 0, '1 OK | ')
        self.assert_line(self.ran('check', '--nagios', 'r1'), 0, '1 OK | ')

    def test_looks_again(self):
        self.nodes(self.warning, self.healthy)
        result = self.ran('check', '--nagios', '--recheck', '0.01')
        self.assert_line(result, 0, '1 INFO')

    def test_api_fails(self):
        self.nodes(self.healthy)
        self.neutron.instead['ports'] = (500, {})
        self.assert_line(self.ran('check', '--nagios'), 3, 'API call failed')

    def test_wrong_names(self):
        self.nodes(self.healthy)
        for options in (('--project', 'x'), ('--host', 'x'), ('r9',)):
            self.assert_line(self.ran('check', '--nagios', *options), 3, 'No ')

    def test_no_such_backend(self):
        result = self.ran('check', '--nagios', '--backend', 'pigeon')
        self.assert_line(result, 3, "'pigeon'")
