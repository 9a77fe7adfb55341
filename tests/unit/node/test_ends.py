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

"""Processes that do no good are ended; those that do are not, ever."""

import contextlib
import os
import pathlib
import signal

import fixtures
import testtools

from osc_ha_router.node import active
from osc_ha_router.node import ends
from osc_ha_router.node import errors
from osc_ha_router.node import hold
from osc_ha_router.node import muster
from osc_ha_router.node import namespaces
from osc_ha_router.node import processes
from osc_ha_router.node import roles

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'


def member(pid, role, ppid=1, state='S', age=9.0, config=None):
    found = processes.Found(pid, ppid, state, 'keepalived', age, ())
    return roles.Member(found, role, config)


class ProcessesTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.here = []
        self.signals = []
        #: what does not end by SIGKILL
        self.stuck = set()
        #: what does not end by SIGTERM
        self.deaf = set()
        self.passive = True
        #: by the pid of a keepalived
        self.known = {}
        for owner, name, stand_in in (
            (muster, 'members_of', lambda *_: list(self.here)),
            (muster, 'POLITE', 0.01),
            (muster, 'KILLED', 0.01),
            (namespaces, 'Traveller', contextlib.ExitStack),
            (os, 'kill', self.kill),
            (ends, '_known', lambda each: self.known.get(each.found.pid)),
            (active, 'must_be_passive', self.must_be_passive),
        ):
            self.useFixture(fixtures.MockPatchObject(owner, name, stand_in))
        self.begun = None

    def held(self, router_id):
        return self.begun

    def must_be_passive(self, begun):
        if not self.passive:
            raise errors.ProgramError(errors.UNSAFE, 'it is active')

    def kill(self, pid, number):
        self.signals.append((pid, number))
        deaf = self.deaf if number == signal.SIGTERM else self.stuck
        if number != signal.SIGCONT and pid not in deaf:
            self.here = [m for m in self.here if m.found.pid != pid]

    def end(self, *pids, extra=False):
        fields = {'router': UUID, 'pids': list(pids), 'extra': extra}
        return ends.end(fields, None, self)['pids']

    def refused(self, *pids):
        error = self.assertRaises(errors.ProgramError, lambda: self.end(*pids))
        self.assertEqual(errors.UNSAFE, error.kind)
        self.assertEqual([], self.signals)
        return str(error)


class EndTest(ProcessesTest):
    def test_healthy_keepalived_never(self):
        self.here = [
            member(100, roles.PARENT),
            member(101, roles.VRRP, ppid=100),
        ]
        self.assertIn('is the keepalived of the router', self.refused(100))
        self.assertIn('is a VRRP process that lives', self.refused(101))

    def test_no_keepalived(self):
        self.here = [member(300, roles.MONITOR)]
        self.assertIn('is no keepalived', self.refused(300))

    def test_what_is_alone(self):
        for useless in (
            member(100, roles.PARENT),
            member(100, roles.VRRP, ppid=1),
            member(100, roles.ASTRAY),
        ):
            self.here, self.signals = [useless], []
            self.assertEqual([100], self.end(100))
            self.assertEqual([(100, signal.SIGTERM)], self.signals)

    def test_what_is_stopped_is_killed_at_once(self):
        for state in 'TD':
            self.here = [member(100, roles.PARENT, state=state)]
            self.signals = []
            self.assertEqual([100], self.end(100))
            self.assertEqual([(100, signal.SIGKILL)], self.signals)

    def test_what_does_not_listen_is_killed(self):
        self.here, self.deaf = [member(100, roles.ASTRAY)], {100}
        self.assertEqual([100], self.end(100))
        self.assertEqual((100, signal.SIGKILL), self.signals[-1])

    def test_what_cannot_be_killed(self):
        self.here = [member(100, roles.ASTRAY)]
        self.deaf = self.stuck = {100}
        error = self.assertRaises(errors.ProgramError, lambda: self.end(100))
        self.assertEqual(errors.LEFT, error.kind)
        self.assertIn('does not end process 100', str(error))

    def test_what_has_ended_before(self):
        self.assertEqual([], self.end(100))
        self.assertEqual([], self.signals)

    def test_number_that_came_to_another_process(self):
        self.here = [member(100, roles.ASTRAY, age=500.0)]
        young = [member(100, roles.ASTRAY, age=0.0)]
        shown = [self.here, young]
        self.useFixture(
            fixtures.MockPatchObject(
                muster,
                'members_of',
                lambda *_: shown.pop(0) if len(shown) > 1 else shown[0],
            )
        )
        self.assertEqual([], self.end(100))
        self.assertEqual([], self.signals)


class TwoTest(ProcessesTest):
    """Two keepalived of one router, of which one is too many."""

    def setUp(self):
        super().setUp()
        self.here = [
            member(pid, role, ppid=ppid)
            for pid, role, ppid in (
                (100, roles.PARENT, 1),
                (101, roles.VRRP, 100),
                (200, roles.PARENT, 1),
                (201, roles.VRRP, 200),
            )
        ]
        self.known = {100: 100, 200: 100}

    def test_one_that_the_agent_does_not_know(self):
        self.assertEqual([200], self.end(200))

    def test_the_one_that_it_knows(self):
        self.assertIn('that its pid file names', self.refused(100))
        self.assertEqual([200], self.end(100, 200, extra=True))

    def test_no_pid_file(self):
        self.known = {}
        self.refused(200)

    def test_pid_file_that_is_out_of_date(self):
        """It names neither: both would be taken for one too many."""
        self.known = {100: 999, 200: 999}
        self.refused(200)
        error = self.assertRaises(
            errors.ProgramError, lambda: self.end(100, 200, extra=True)
        )
        self.assertEqual(errors.UNSAFE, error.kind)
        self.assertEqual([], self.signals)

    def test_the_one_that_it_knows_is_stopped(self):
        """The other one is all that could take over."""
        self.here[1] = member(101, roles.VRRP, ppid=100, state='T')
        self.refused(200)

    def test_not_on_the_active_node(self):
        self.passive = False
        self.refused(200)


class RadvdTest(ProcessesTest):
    def setUp(self):
        super().setUp()
        self.here = [member(300, ends.RADVD)]

    def test_not_on_the_active_node(self):
        self.passive = False
        self.assertIn('it is active', self.refused(300))

    def test_elsewhere(self):
        self.assertEqual([300], self.end(300))

    def test_where_the_router_is_nothing_more(self):
        self.passive = False
        self.begun = hold.Hold.__new__(hold.Hold)
        self.assertEqual([300], self.end(300))


class WakeTest(ProcessesTest):
    def wake(self, *pids):
        return ends.wake({'router': UUID, 'pids': list(pids)}, None, self)

    def test_stopped_one_goes_on(self):
        self.here = [
            member(100, roles.PARENT, state='T'),
            member(101, roles.VRRP, ppid=100),
            member(102, roles.VRRP, ppid=100, state='T'),
        ]
        self.assertEqual({'pids': [100]}, self.wake(100, 101))
        self.assertEqual([(100, signal.SIGCONT)], self.signals)

    def test_nobody_goes_on_if_one_must_not(self):
        self.here = [
            member(100, roles.PARENT, state='T'),
            member(300, roles.MONITOR, state='T'),
        ]
        error = self.assertRaises(errors.ProgramError, self.wake, 100, 300)
        self.assertEqual(errors.UNSAFE, error.kind)
        self.assertEqual([], self.signals)

    def test_no_keepalived(self):
        self.here = [member(300, roles.MONITOR, state='T')]
        error = self.assertRaises(errors.ProgramError, self.wake, 300)
        self.assertEqual(errors.UNSAFE, error.kind)
        self.assertEqual([], self.signals)


class KnownTest(testtools.TestCase):
    """Which keepalived the L3 agent knows."""

    def setUp(self):
        super().setUp()
        above = self.useFixture(fixtures.TempDir()).path
        self.folder = pathlib.Path(above, UUID)
        self.folder.mkdir()

    def known(self, config=True):
        path = f'{self.folder}/keepalived.conf' if config else None
        return ends._known(member(os.getpid(), roles.PARENT, config=path))

    def test_by_either_name(self):
        pathlib.Path(f'{self.folder}.pid').write_text('1234\n')
        self.assertEqual(1234, self.known())
        pathlib.Path(f'{self.folder}.pid.keepalived').write_text('4321')
        self.assertEqual(4321, self.known())

    def test_nothing_there(self):
        self.assertIsNone(self.known())
        self.assertIsNone(self.known(config=False))
        pathlib.Path(f'{self.folder}.pid').write_text('rubbish')
        self.assertIsNone(self.known())

    def test_in_a_container(self):
        path = pathlib.Path(f'{self.folder}.pid')
        self.useFixture(
            fixtures.MockPatchObject(
                processes, 'numbers', lambda pid: [b'%d' % pid, b'7']
            )
        )
        path.write_text('7')
        self.assertEqual(os.getpid(), self.known())
        path.write_text('8')
        self.assertIsNone(self.known())
