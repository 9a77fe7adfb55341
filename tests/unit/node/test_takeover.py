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

"""Waiting for the active role, and the first seconds with it.

Time passes only where something waits.
"""

import contextlib

import fixtures
import testtools

from osc_ha_router.node import announce
from osc_ha_router.node import errors
from osc_ha_router.node import netlink
from osc_ha_router.node import ports
from osc_ha_router.node import takeover
from osc_ha_router.node import vip
from osc_ha_router.node import watch

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
HA, QG = 'ha-11111111-11', 'qg-22222222-22'
VIP = (HA, '169.254.0.14/24')
NEWS, DATABASE = 40, 41


class World(contextlib.ExitStack):
    """Errand, replies, guard, news and announcer of one takeover."""

    guarded = True

    def __init__(self):
        super().__init__()
        self.now = 1000.0
        #: when the role comes and when keepalived.conf is rewritten
        self.comes = self.rewritten = self.stopped = float('inf')
        #: when a port is revived
        self.revives = []
        self.replies = []
        #: when it was announced
        self.announced = []
        self.restored = None
        self.result = 'restored'
        self.parent = 100

    # the errand
    def of(self, router_id):
        return self

    def conf(self):
        return {
            'vips': [{'device': HA, 'address': VIP[1]}],
            'excluded': [{'device': QG, 'address': '203.0.113.10/24'}],
            'interface': HA,
        }

    def keepalived(self):
        if self.parent is None:
            raise errors.ProgramError(errors.NO_KEEPALIVED, 'it has ended')
        return self.parent, 101

    def inside(self):
        return contextlib.nullcontext()

    def unchanged(self):
        return self.now < self.rewritten

    def restore(self):
        self.restored = self.now
        return self.result

    # the replies
    def __call__(self, reply):
        self.replies.append(reply)

    def asked(self):
        return self.now >= self.stopped

    def wait(self, seconds, descriptors):
        before = self.now
        # news wake it as soon as the role comes
        self.now += min(seconds + 0.001, 0.05)
        return [NEWS] if before < self.comes <= self.now else []

    # the guard
    def due(self):
        return None

    def descriptors(self):
        return [DATABASE]

    def look_at_ports(self):
        due = [at for at in self.revives if at <= self.now]
        self.revives = [at for at in self.revives if at > self.now]
        return [{'device': QG, 'seconds': 0.01} for _ in due]

    # the news
    def fileno(self):
        return NEWS

    def drain(self):
        return True

    # the announcer
    def look(self):
        return {VIP} if self.now >= self.comes else set()

    def devices(self):
        return {QG} if self.now >= self.comes else set()

    def announce(self):
        self.announced.append(self.now)

    def held(self):
        return self.now < self.comes


class TakeoverTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.world = World()
        guard = contextlib.ExitStack()
        guard.guarded = True
        guard.due, guard.descriptors = self.world.due, self.world.descriptors
        guard.look = self.world.look_at_ports
        self.guards = []

        def watched(devices, pid):
            self.guards.append((devices, pid))
            return guard

        for owner, name, stand_in in (
            (ports, 'Guard', watched),
            (netlink, 'News', lambda groups: self.world),
            (announce, 'Announcer', lambda conf: self.world),
            (vip, 'Vip', lambda begun: self.world),
            (takeover.time, 'monotonic', lambda: self.world.now),
        ):
            self.useFixture(fixtures.MockPatchObject(owner, name, stand_in))

    def take(self, timeout=10, hold=3, stay=6):
        return takeover.run(
            {'router': UUID, 'timeout': timeout, 'hold': hold, 'stay': stay},
            self.world,
            self.world,
        )

    def events(self):
        return [reply['event'] for reply in self.world.replies]


class ComesTest(TakeoverTest):
    def setUp(self):
        super().setUp()
        self.world.comes = 1002.0

    def test_announced_held_and_put_back(self):
        self.world.revives = [1003.0]
        done = self.take()
        self.assertEqual(
            {
                'active': True,
                'reason': None,
                'restored': True,
                'revived': [{'device': QG, 'seconds': 0.01}],
                'guarded': True,
            },
            done,
        )
        self.assertEqual(['active', 'revived', 'restored'], self.events())
        announced = self.world.announced
        self.assertAlmostEqual(1002.0, announced[0], delta=0.1)
        # often at first, then not so often
        early = [at for at in announced if at < 1004.0]
        self.assertGreater(len(early), 60)
        self.assertLess(len(announced) - len(early), 30)
        self.assertAlmostEqual(1005.0, self.world.restored, delta=0.2)
        self.assertAlmostEqual(1008.0, self.world.now, delta=0.2)

    def test_all_the_ports_are_guarded_from_the_beginning(self):
        self.take()
        self.assertEqual([({HA, QG}, 100)], self.guards)
        self.world.parent = None
        self.take()
        self.assertEqual(({HA, QG}, None), self.guards[-1])

    def test_put_back_at_once_when_the_client_has_enough(self):
        self.world.stopped = 1003.0
        self.assertTrue(self.take(hold=100, stay=100)['restored'])
        self.assertAlmostEqual(1003.0, self.world.restored, delta=0.2)

    def test_rewritten_by_the_agent_meanwhile(self):
        self.world.result = 'kept'
        self.assertFalse(self.take()['restored'])
        self.assertEqual(
            {'event': 'restored', 'kept': True}, self.world.replies[-1]
        )


class InVainTest(TakeoverTest):
    def test_not_in_time(self):
        done = self.take(timeout=5)
        self.assertFalse(done['active'])
        self.assertIn('did not come within 5 s', done['reason'])
        # no node stays with a priority that is not its own
        self.assertAlmostEqual(1005.0, self.world.restored, delta=0.1)
        self.assertEqual([], self.world.announced)

    def test_file_is_rewritten(self):
        self.world.rewritten = 1001.0
        self.assertEqual('changed', self.take()['reason'])
        self.assertAlmostEqual(1001.0, self.world.now, delta=0.4)

    def test_client_has_enough(self):
        self.world.stopped = 1001.0
        self.world.result = 'nothing'
        self.assertEqual('stopped', self.take()['reason'])
        self.assertEqual([], self.world.replies)

    def test_namespace_that_cannot_be_watched(self):
        self.useFixture(
            fixtures.MockPatchObject(
                netlink, 'News', side_effect=OSError('no buffer space')
            )
        )
        error = self.assertRaises(errors.ProgramError, self.take)
        self.assertEqual(errors.INTERNAL, error.kind)
        self.assertIn('no buffer space', str(error))


class WatchTest(TakeoverTest):
    """On the old node: telling when the role has left."""

    def watch(self):
        fields = {'router': UUID, 'timeout': 10}
        self.world.descriptor = NEWS
        return watch.run(fields, self.world, self.world)

    def test_gone(self):
        self.world.comes = 1002.0
        self.assertEqual({'gone': True}, self.watch())
        self.assertEqual(['gone'], self.events())

    def test_it_stays(self):
        self.assertEqual({'gone': False}, self.watch())
        self.assertAlmostEqual(1010.0, self.world.now, delta=0.1)
        self.assertEqual([], self.events())

    def test_client_has_enough(self):
        self.world.stopped = 1001.0
        self.assertEqual({'gone': False}, self.watch())
        self.assertAlmostEqual(1001.0, self.world.now, delta=0.1)
