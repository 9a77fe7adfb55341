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

"""The keepalived of a router: found, and told to read its file."""

import pathlib
import signal
import types

import fixtures
import testtools

from osc_ha_router.node import daemon
from osc_ha_router.node import files
from osc_ha_router.node import folder
from osc_ha_router.node import namespaces
from osc_ha_router.node import processes
from osc_ha_router.node import roles

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
SPACE = namespaces.Namespace(f'qrouter-{UUID}', UUID, '/nowhere', 4711)
HUP = b'%016x' % (1 << (signal.SIGHUP - 1))


class DaemonTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.folder = folder.Folder(str(self.path))
        self.addCleanup(self.folder.close)
        self.spaces = {SPACE.name: SPACE}
        self.members = []
        self.traveller = types.SimpleNamespace(home=1)
        self.status = b'SigBlk:\t%s\n' % HUP
        self.signals = []
        census = processes.Census({}, {}, {}, {}, [])
        for owner, name, stand_in in (
            (namespaces, 'listing', lambda: self.spaces),
            (processes, 'take', lambda *_: census),
            (roles, 'assign', lambda *_: self.members),
            (folder.Folder, 'is_at', lambda _, path: '/proc' in path),
            (files, 'read_proc', self.read),
            (daemon, '_START', 0.05),
            (daemon.os, 'kill', self.kill),
        ):
            self.useFixture(fixtures.MockPatchObject(owner, name, stand_in))

    def read(self, path):
        if self.status is None:
            raise FileNotFoundError(path)
        return self.status

    def kill(self, pid, number):
        if pid < 0:
            raise ProcessLookupError(pid)
        self.signals.append((pid, number))

    def member(self, pid, role=roles.PARENT, ppid=1, state='S', conf=True):
        found = processes.Found(pid, ppid, state, 'keepalived', 9.0, ())
        config = conf and f'{self.path}/keepalived.conf'
        self.members.append(roles.Member(found, role, config or None))

    def find(self):
        return daemon.find(self.traveller, SPACE.name, self.folder)

    def reload(self):
        return daemon.reload(self.traveller, SPACE.name, self.folder)

    def test_parent_and_child(self):
        self.member(100)
        self.member(101, roles.VRRP, ppid=100)
        self.assertEqual([(100, 101)], self.find())

    def test_only_those_that_live(self):
        self.member(100)
        self.member(101, roles.VRRP, ppid=100, state='Z')
        self.member(200, state='Z')
        self.assertEqual([(100, None)], self.find())

    def test_only_with_this_file(self):
        self.member(100, conf=False)
        self.assertEqual([], self.find())

    def test_no_namespace(self):
        self.member(100)
        for spaces in ({}, {SPACE.name: SPACE._replace(inode=None)}):
            self.spaces = spaces
            self.assertEqual([], self.find())

    def test_told_once(self):
        self.member(100)
        self.assertEqual([100], self.reload())
        self.assertEqual([(100, signal.SIGHUP)], self.signals)

    def test_one_that_starts_is_not_ended_by_it(self):
        self.member(100)
        for status in (b'SigBlk:\t0\nSigCgt:\t0\n', None):
            self.status = status
            self.assertEqual([], self.reload())
        self.assertEqual([], self.signals)

    def test_one_that_has_gone(self):
        self.assertTrue(daemon.send(100, signal.SIGTERM))
        self.assertFalse(daemon.send(-1, signal.SIGTERM))
