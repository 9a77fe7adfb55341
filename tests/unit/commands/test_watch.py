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

"""openstack router ha check --watch: how it goes on, and how it ends."""

import io
import json
import os
import threading
import time

import fixtures
import testtools

from osc_ha_router import errors
from osc_ha_router.commands import watch
from tests.unit.commands import base
from tests.unit.commands import test_check
from tests.unit.commands import watching
from tests.unit.scene import Scene
from tests.unit.test_engine import renamed


class FailureTest(watching.WatchTest):
    def test_a_failed_look_is_unknown_and_not_the_end(self):
        down = errors.CloudUnreachable('Neutron does not answer')
        code, lines = self.watch([self.healthy, self.second], down, down)
        self.assertEqual(3, code)
        self.assertEqual(
            [
                'The look failed, and 2 routers are UNKNOWN: Neutron does '
                'not answer'
            ],
            lines[3:],
        )

    def test_afterwards_only_what_changed_meanwhile(self):
        down = errors.CloudUnreachable('Neutron does not answer')
        code, lines = self.watch([self.healthy], down, [self.healthy])
        self.assertEqual((0, 'Looks work again'), (code, lines[-1]))
        code, lines = self.watch([self.healthy], down, [self.broken])
        self.assertEqual(5, code)
        self.assertIn('Looks work again', lines)
        self.assertIn('Router r1 is ERROR', '\n'.join(lines))

    def test_another_reason_is_news(self):
        _, lines = self.watch(
            [self.healthy],
            errors.CloudUnreachable('one'),
            errors.CloudUnreachable('two'),
            errors.CloudUnreachable('two'),
        )
        self.assertEqual(2, len(lines[2:]))

    def test_a_bug_or_a_library_does_not_end_a_watch(self):
        code, lines = self.watch(
            [self.healthy], ValueError('a\nb\x1b[2J'), [self.healthy]
        )
        self.assertEqual(0, code)
        self.assertIn(
            'The look failed, and 1 router is UNKNOWN: ValueError: a b'
            '\\x1b[2J',
            lines,
        )

    def test_a_first_look_that_cannot_work_is_the_end(self):
        for error in (
            errors.RouterNotFound('no'),
            errors.UsageError('no'),
            errors.CloudError('refused'),
            ValueError('no'),
        ):
            self.assertRaises(type(error), self.watch, error, [self.healthy])

    def test_a_cloud_that_is_down_at_first_is_waited_for(self):
        code, lines = self.watch(
            errors.CloudUnreachable('down'), [self.healthy]
        )
        self.assertEqual(0, code)
        self.assertEqual('The look failed: down', lines[0])
        self.assertIn('Router r1 is OK', lines[2])
        # having waited once, it waits for whatever comes then
        code, _ = self.watch(
            errors.CloudUnreachable('down'), errors.CloudError('refused')
        )
        self.assertEqual(3, code)

    def test_a_named_router_that_is_deleted_does_not_hide_the_other(self):
        code, lines = self.watch(
            [self.healthy, self.second],
            [self.broken_second()],
            [self.broken_second()],
            routers=['r1', 'r2'],
        )
        self.assertEqual(5, code)
        ids = (self.router_id, self.second.router.id)
        self.assertEqual(
            [
                ('r1', 'r2'),
                ids,
                ids[:1],
                ids[1:],
                ids[1:],
            ],
            self.world.asked,
        )
        text = '\n'.join(lines)
        self.assertIn('Router r1 is not there any more', text)
        self.assertIn('Router r2 is ERROR', text)
        self.assertNotIn('failed', text)

    def test_ends_when_all_that_were_named_are_deleted(self):
        code, lines = self.watch(
            [self.broken], [], [self.healthy], routers=['r1']
        )
        self.assertEqual(0, code)
        self.assertIn('Router r1 is not there any more', lines[-1])
        self.assertEqual(3, len(self.world.asked))

    def test_a_name_is_followed_by_its_id(self):
        self.watch([self.healthy], [self.healthy], routers=['r1'])
        self.assertEqual([('r1',), (self.router_id,)], self.world.asked)


class ReaderTest(testtools.TestCase):
    """Whoever reads goes while nothing happens."""

    def setUp(self):
        super().setUp()
        reading, writing = os.pipe()
        self.reader = open(reading)
        self.addCleanup(self.reader.close)
        self.stream = open(writing, 'w')
        self.addCleanup(self.stream.close)

    def test_gone(self):
        self.reader.close()
        began = time.monotonic()
        self.assertRaises(BrokenPipeError, watch.rest, self.stream, 60)
        self.assertLess(time.monotonic() - began, 1)

    def test_goes_meanwhile(self):
        timer = threading.Timer(0.1, self.reader.close)
        timer.start()
        self.addCleanup(timer.join)
        self.assertRaises(BrokenPipeError, watch.rest, self.stream, 60)

    def test_stays(self):
        watch.rest(self.stream, 0.05)

    def test_no_file(self):
        watch.rest(io.StringIO(), 0.05)

    def test_into_a_file(self):
        folder = self.useFixture(fixtures.TempDir()).path
        with open(f'{folder}/out', 'w') as stream:
            watch.rest(stream, 0.05)


class EndTest(watching.WatchTest):
    def test_the_exit_code_is_that_of_the_last_look(self):
        for scene, code in (
            (self.healthy, 0),
            (self.warning, 4),
            (self.broken, 5),
            (self.healthy.with_unreachable(self.other), 3),
        ):
            self.assertEqual(code, self.watch([self.broken], [scene])[0])

    def test_fail_on(self):
        self.assertEqual(0, self.watch([self.warning], fail_on='error')[0])
        down = errors.CloudUnreachable('down')
        self.assertEqual(0, self.watch([self.broken], fail_on='never')[0])
        self.assertEqual(
            0, self.watch([self.broken], down, fail_on='never')[0]
        )

    def test_ctrl_c_in_a_look(self):
        self.assertEqual(3, self.watch(KeyboardInterrupt())[0])
        self.assertEqual(5, self.watch([self.broken], KeyboardInterrupt())[0])

    def test_waits(self):
        self.watch([self.healthy], [self.healthy], watch=30.0)
        for seconds in self.world.waited:
            self.assertTrue(29 < seconds <= 30, seconds)
        # a look that takes longer than that has a rest after it
        self.watch([self.healthy], watch=0.0001)
        self.assertEqual([0.0001], self.world.waited)

    def test_everything_is_written_at_once(self):
        """Whoever reads a pipe must not wait for the next change."""
        flushed = []
        stream = io.StringIO()
        stream.flush = lambda: flushed.append(stream.getvalue())
        watch.news.Objects(stream).works()
        self.assertEqual([stream.getvalue()], flushed)

    def test_memory_does_not_grow_with_time(self):
        """What is kept is the last look in a few words."""
        world = watching.World()
        watched = watch.Watch(
            world.look,
            watch.news.Objects(io.StringIO()),
            (),
            False,
            30.0,
        )
        for number in range(50):
            world._steps = [[renamed(self.healthy, number)]]
            watched.look()
        self.assertEqual(1, len(watched._known))
        (state,) = watched._known.values()
        self.assertEqual('r49', state.name)


class CloudTest(base.CloudTest):
    """The command with an API over HTTP."""

    def watch(self, looks: int, *options: str) -> base.Result:
        """Press Ctrl-C after so many looks."""
        left = looks

        def sleep(seconds: float) -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                raise KeyboardInterrupt

        self.useFixture(fixtures.MockPatchObject(watch.time, 'sleep', sleep))
        return self.ran('check', '--watch', '30', '--recheck', '0', *options)

    def setUp(self) -> None:
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.broken = self.healthy.without_address(
            self.healthy.reported, self.healthy.floating_ip
        )
        self.add(self.healthy)

    def test_looks_until_ctrl_c(self) -> None:
        self.nodes(self.healthy, self.healthy, self.broken)
        result = self.watch(4, '-f', 'json')
        self.assertEqual((5, ''), (result.exit_code, result.stderr))
        found = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual(
            [('state', 'OK'), ('change', 'ERROR')],
            [(item['Event'], item['Health']) for item in found],
        )

    def test_a_node_that_no_router_is_on(self) -> None:
        """Said when it is news, and the exit code is that of the last look."""
        self.neutron.add_agent('net9')
        lost = test_check.spare(self.healthy)
        self.nodes(self.healthy, lost, lost, self.healthy, lost)
        result = self.watch(5, '-f', 'json')
        self.assertEqual(3, result.exit_code)
        self.assertEqual(1, len(result.stdout.splitlines()))
        self.assertEqual(
            2, result.stderr.count('net9 was not looked at (nobody listens)')
        )

    def test_each_look_writes_the_metrics(self) -> None:
        self.nodes(self.healthy, self.broken)
        path = self.path('router_ha.prom')
        self.watch(1, '--textfile', path)
        with open(path, encoding='utf-8') as file:
            self.assertNotIn('router_ha_findings', file.read())
        self.watch(2, '--textfile', path)
        with open(path, encoding='utf-8') as file:
            self.assertIn('router_ha_findings{code="RHA502"', file.read())

    def test_by_name_and_then_by_id(self) -> None:
        self.nodes(self.healthy)
        result = self.watch(2, self.healthy.router.name)
        self.assertEqual(0, result.exit_code, result.stderr)
        self.assertIn('Router r1 is OK', result.stdout)
        result = self.watch(2, 'none-of-this-name')
        self.assert_refused(result, 1, 'none-of-this-name')


class CommandTest(base.CommandTest):
    """What the command itself refuses."""

    def test_refused(self):
        scene = Scene.of('healthy')
        result = self.check(scene, options=('--watch', '5'))
        self.assert_refused(result, 2, 'a capture does not change')
        for value in ('0', '-1', 'x', 'inf'):
            result = self.check(scene, options=('--watch', value))
            self.assertEqual(2, result.exit_code)

    def test_formats(self):
        for options in (('-f', 'yaml'), ('-f', 'json', '-c', 'Name')):
            result = self.ran('check', '--watch', '5', *options)
            self.assert_refused(result, 2, 'objects with -f json')

    def test_not_for_nagios(self):
        result = self.ran('check', '--watch', '5', '--nagios')
        self.assertEqual(3, result.exit_code)
        self.assertIn('leave out --watch', result.stdout)
