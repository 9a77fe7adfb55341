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

"""keepalived in every state that an incident may leave it in."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

from tests.functional.node import spaces

ROOT = pathlib.Path(__file__).parents[3]


class KeepalivedTest(spaces.SpaceTest):
    def setUp(self):
        super().setUp()
        self.router = self.useFixture(spaces.Router())
        self.router.plug('169.254.192.5/18')
        self.router.write()

    def start(self):
        self.router.keepalived()
        self.assertTrue(spaces.eventually(self.router.active))
        return self.pid(''), self.pid('-vrrp')

    def pid(self, suffix):
        path = pathlib.Path(self.router.pid_file + suffix)
        # keepalived makes the file first and writes into it later
        self.assertTrue(
            spaces.eventually(lambda: path.exists() and path.read_text())
        )
        return int(path.read_text())

    def states(self, *expected):
        """Wait for these processes: a signal takes a moment."""
        spaces.eventually(
            lambda: self.roles(self.router) == sorted(expected), 5
        )
        self.assertEqual(sorted(expected), self.roles(self.router))

    def test_healthy(self):
        parent, child = self.start()
        self.states(
            (parent, 'keepalived', 'S'), (child, 'keepalived-vrrp', 'S')
        )
        for process in self.look(self.router).processes:
            self.assertEqual(str(self.router.conf), process.config)
            self.assertEqual('keepalived', process.command[0])
            self.assertTrue(0 <= process.age < 60, process.age)

    def test_orphan(self):
        parent, child = self.start()
        # stopped, it does not notice that its parent dies
        os.kill(child, signal.SIGSTOP)
        os.kill(parent, signal.SIGKILL)
        self.states((child, 'keepalived-vrrp', 'T'))

    def test_orphan_by_its_pid_file(self):
        # without the ha- device it has no VRRP socket
        parent, child = self.start()
        self.router.ip('link', 'del', spaces.HA)
        os.kill(child, signal.SIGSTOP)
        os.kill(parent, signal.SIGKILL)
        self.states((child, 'keepalived-vrrp', 'T'))

    def test_parent_alone(self):
        parent, child = self.start()
        # stopped, it neither waits for its child nor starts another
        os.kill(parent, signal.SIGSTOP)
        os.kill(child, signal.SIGKILL)
        self.states(
            (parent, 'keepalived', 'T'), (child, 'keepalived-vrrp', 'Z')
        )

    def test_dead(self):
        parent, child = self.start()
        os.kill(child, signal.SIGSTOP)
        os.kill(parent, signal.SIGKILL)
        os.kill(child, signal.SIGKILL)
        self.states()
        addresses = [each.address for each in self.look(self.router).addresses]
        self.assertIn('169.254.0.14/24', addresses)
        # nothing runs, and the folder is in no usual place
        self.assertIsNone(self.look(self.router).keepalived_conf)

    def test_hung(self):
        parent, child = self.start()
        os.kill(child, signal.SIGSTOP)
        self.states(
            (parent, 'keepalived', 'S'), (child, 'keepalived-vrrp', 'T')
        )
        os.kill(child, signal.SIGCONT)

    def test_namespace_without_a_name(self):
        parent, child = self.start()
        # from the last: each of them would start or end with the other
        self.addCleanup(os.kill, child, signal.SIGKILL)
        self.addCleanup(os.kill, parent, signal.SIGKILL)
        spaces.run('ip', 'netns', 'del', self.router.name)
        self.states((parent, 'keepalived-astray', 'S'))
        shown = self.look(self.router)
        self.assertIsNone(shown.namespace)
        self.assertIsNone(shown.addresses)

    def test_two(self):
        first = self.start()
        self.router.pid_file += '2'
        self.router.keepalived()
        second = self.pid(''), self.pid('-vrrp')
        self.states(
            *((pid, 'keepalived', 'S') for pid in (first[0], second[0])),
            *((pid, 'keepalived-vrrp', 'S') for pid in (first[1], second[1])),
        )


class MonitorTest(spaces.SpaceTest):
    """The state-change monitor, in whichever namespace it runs."""

    def setUp(self):
        super().setUp()
        self.router = self.useFixture(spaces.Router())
        self.script = self.router.folder / 'neutron-keepalived-state-change'
        # forks itself, as the script of 2026.2 does
        self.script.write_text('#!/bin/sh\nexec 3<&0\n(read x <&3) &\nwait\n')
        self.script.chmod(0o755)

    def start(self, *before):
        process = subprocess.Popen(
            [
                *(*before, str(self.script)),
                *('--router_id', self.router.router_id),
                *('--conf_dir', str(self.router.folder)),
                *('--state_path', str(self.router.folder.parents[1])),
            ],
            stdin=subprocess.PIPE,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        return process

    def test_outside(self):
        monitor = self.start()
        expected = [(monitor.pid, 'monitor', 'S')]
        spaces.eventually(lambda: self.roles(self.router) == expected)
        self.assertEqual(expected, self.roles(self.router))

    def test_inside(self):
        monitor = self.start('ip', 'netns', 'exec', self.router.name)
        spaces.eventually(lambda: len(self.roles(self.router)) == 2)
        self.assertIn((monitor.pid, 'monitor', 'S'), self.roles(self.router))

    def test_of_another_node(self):
        other = self.useFixture(spaces.Router())
        self.start('ip', 'netns', 'exec', other.name)
        spaces.eventually(lambda: len(other.pids()) == 2)
        self.assertEqual([], self.roles(self.router))

    def test_its_files(self):
        self.start()
        self.router.write()
        (self.router.folder / 'state').write_text('backup')
        radvd = self.router.folder.parents[1] / 'ra'
        radvd.mkdir()
        name = f'{self.router.router_id}.radvd.conf'
        (radvd / name).write_text('')
        spaces.eventually(lambda: self.look(self.router).state_file)
        shown = self.look(self.router)
        self.assertEqual(str(self.router.conf), shown.keepalived_conf.path)
        self.assertEqual('backup', shown.state_file.value)
        self.assertIs(True, shown.radvd_conf)
        self.assertIs(False, shown.metadata_conf)


class ContainerTest(spaces.SpaceTest):
    """Mount and PID namespaces between the program and keepalived."""

    def setUp(self):
        super().setUp()
        self.router = self.useFixture(spaces.Router())
        self.router.plug('169.254.192.5/18')
        self.router.write()

    def test_own_files(self):
        # The container has its configuration where the host has another:
        # what counts is what keepalived sees.
        inside = self.router.folder.parent / 'inside'
        inside.mkdir()
        shutil.copy(self.router.conf, inside / 'keepalived.conf')
        (inside / 'state').write_text('primary')
        self.router.conf.write_text('garbled {')
        script = 'mount --bind "$0" "$1"; shift; exec "$@"'
        self.router.keepalived(
            *('unshare', '--mount', 'sh', '-c', script),
            *(str(inside), str(self.router.folder)),
        )
        self.assertTrue(spaces.eventually(self.router.active))
        shown = self.look(self.router)
        (child,) = [
            each.pid
            for each in shown.processes
            if each.role == 'keepalived-vrrp'
        ]
        prefix = f'/proc/{child}/root{self.router.folder}/'
        self.assertEqual(
            prefix + 'keepalived.conf', shown.keepalived_conf.path
        )
        self.assertEqual(spaces.VRID, shown.keepalived_conf.vrid)
        self.assertEqual(prefix + 'state', shown.state_file.path)

    def test_hidden_processes(self):
        self.router.keepalived()
        self.assertTrue(spaces.eventually(self.router.active))
        request = {
            'id': 1,
            'op': 'probe',
            'routers': [self.router.router_id],
        }
        result = subprocess.run(
            [
                *('unshare', '--pid', '--fork', '--mount-proc'),
                *(sys.executable, '-m', 'osc_ha_router.node'),
            ],
            input=json.dumps(request).encode(),
            capture_output=True,
            cwd=ROOT,
        )
        (shown,), _ = self.understand(result.stdout)
        # not "there is none": that would be taken for a dead keepalived
        self.assertIsNone(shown.processes)
        self.assertEqual(['processes'], [each.what for each in shown.problems])
        self.assertIn(
            '169.254.0.14/24', [each.address for each in shown.addresses]
        )
