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

"""What /proc says, and which monitor is a router's."""

import os
import subprocess
import sys

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router.node import arguments
from osc_ha_router.node import processes

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
OPTIONS = (
    f'--namespace=qrouter-{UUID}',
    '--monitor_interface=ha-d07d6b79-95',
)
SCRIPT = '/usr/bin/neutron-keepalived-state-change'


class MonitorTest(testtools.TestCase):
    def test_monitors(self):
        for argv in (
            # up to Stein
            ('/usr/bin/python2', SCRIPT, f'--router_id={UUID}', *OPTIONS),
            # packages that isolate their scripts
            ('/usr/bin/python3', '-sP', SCRIPT, f'--router_id={UUID}'),
            # from Train to 2026.1, with a title of one word
            (
                'neutron-keepalived-state-change (/usr/bin/python3 '
                f'{SCRIPT} --router_id={UUID} {OPTIONS[0]})',
            ),
            (
                'neutron-keepalived-state-change (/usr/bin/python3.9 '
                f'{SCRIPT} {OPTIONS[0]} --router_id={UUID})',
            ),
            # since 2026.2
            ('/bin/sh', SCRIPT, '--router_id', UUID, '--namespace', 'x'),
            ('/usr/bin/busybox', 'sh', SCRIPT, '--router_id', UUID)[2:],
        ):
            self.assertEqual(UUID, arguments.monitored(argv), argv)

    def test_others(self):
        whole = (SCRIPT, '--router_id', UUID)
        for argv in (
            (),
            ('',),
            ('sudo', *whole),
            ('/usr/bin/python3', '/usr/bin/neutron-rootwrap', 'x', *whole),
            ('ip', 'netns', 'exec', f'qrouter-{UUID}', *whole),
            ('vi', SCRIPT),
            ('grep', 'neutron-keepalived-state-change', '--router_id', UUID),
            (SCRIPT, '--namespace', f'qrouter-{UUID}'),
            (SCRIPT, f'--router_id={UUID}0'),
            (SCRIPT, '--router_id=../../etc'),
            (SCRIPT + '-wrapper', '--router_id', UUID),
        ):
            self.assertIsNone(arguments.monitored(argv), argv)

    @hypothesis.given(strategies.lists(strategies.text()))
    def test_noise(self, argv):
        self.assertIsNone(arguments.monitored(argv))
        self.assertIsInstance(arguments.program(argv), str)


class StatTest(testtools.TestCase):
    def test_name_with_parentheses(self):
        stat = b'12 (a) S (b) T 7 12 12 0 ' + b'0 ' * 14 + b'500 0 0'
        found = processes.parse(12, stat, ('a',))
        self.assertEqual((12, 7, 'T', 'a) S (b'), found[:4])
        self.assertEqual(('a',), found.argv)

    @hypothesis.given(strategies.binary(max_size=80))
    def test_noise(self, stat):
        self.assertIn(processes.parse(1, stat, ()), (None,))

    def test_age(self):
        with subprocess.Popen(
            [sys.executable, '-c', 'print(flush=True); input()'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            process.stdout.readline()
            found = processes.look(process.pid, ())
            process.stdin.write(b'\n')
        self.assertEqual(os.getpid(), found.ppid)
        # the clock of process starts ticks a hundred times a second
        self.assertTrue(0 <= found.age < 30, found.age)


class CensusTest(testtools.TestCase):
    """The processes of the machine that runs the tests."""

    def setUp(self):
        super().setUp()
        self.home = os.stat('/proc/self/ns/net').st_ino

    def test_own_namespace(self):
        census = processes.take({self.home}, self.home)
        mine = {found.pid: found for found in census.by_namespace[self.home]}
        me = mine[os.getpid()]
        self.assertEqual(os.getppid(), me.ppid)
        self.assertEqual('R', me.state)
        with open('/proc/self/cmdline') as stream:
            self.assertEqual(
                stream.read().rstrip('\0').split('\0'), list(me.argv)
            )

    def test_only_what_was_asked_for(self):
        self.assertEqual({}, processes.take(set(), self.home).by_namespace)

    def test_monitor_and_zombie(self):
        # A process that has the title of a monitor, and one that nobody
        # waits for.
        monitor = subprocess.Popen(
            [
                'neutron-keepalived-state-change',
                '-c',
                'import os, sys; os.fork() or os._exit(0); sys.stdin.read()',
                f'--router_id={UUID}',
            ],
            executable=sys.executable,
            stdin=subprocess.PIPE,
        )
        self.addCleanup(monitor.wait)
        self.addCleanup(monitor.stdin.close)
        for _ in range(100):
            census = processes.take(set(), self.home)
            if monitor.pid in census.zombies:
                break
            os.sched_yield()
        (zombie,) = census.zombies[monitor.pid]
        self.assertEqual(('Z', ()), (zombie.state, zombie.argv))
        (found,) = census.monitors[UUID]
        self.assertEqual(monitor.pid, found.pid)
        self.assertEqual([], census.hidden)
        # in another namespace it is somebody else's
        self.assertEqual({}, processes.take(set(), 1).monitors)
