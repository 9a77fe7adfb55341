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

"""Addresses and routes removed and added, with a real keepalived."""

import os
import signal

from tests.functional.node import mended
from tests.functional.node import spaces


class CleanTest(mended.MendTest):
    """On a node whose keepalived is dead."""

    def clean(self, **fields):
        fields = fields or {'addresses': mended.PLACES}
        return self.ask('clean', **fields)

    def test_what_a_dead_keepalived_left(self):
        bare = mended.addresses(self.router)
        self.active()
        self.kill(*self.pids())
        self.router.ip('addr', 'add', '10.0.0.77/24', 'dev', spaces.QR)
        done = self.clean(addresses=mended.PLACES, routes=mended.ROUTES)
        self.assertEqual(mended.PLACES, done['addresses'])
        self.assertEqual(
            ['0.0.0.0/0', '10.20.0.0/16'],
            sorted(route['destination'] for route in done['routes']),
        )
        left = mended.addresses(self.router)
        # what keepalived.conf does not name is not touched
        self.assertEqual({(spaces.QR, '10.0.0.77/24')}, set(left) - set(bare))
        self.assertEqual(set(), set(bare) - set(left))
        self.assertNotIn('static', self.router.ip('route'))
        again = self.clean(addresses=mended.PLACES, routes=mended.ROUTES)
        self.assertEqual({'addresses': [], 'routes': []}, again)

    def test_only_what_was_asked_for(self):
        self.active()
        self.kill(*self.pids())
        before = mended.addresses(self.router)
        one = mended.PLACES[3]
        self.assertEqual([one], self.clean(addresses=[one])['addresses'])
        after = mended.addresses(self.router)
        self.assertEqual(
            {(one['device'], one['address'])}, set(before) - set(after)
        )

    def test_stopped_is_dead(self):
        self.active()
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)
        self.assertEqual(mended.PLACES, self.clean()['addresses'])

    def test_not_named(self):
        self.kill(*self.pids())
        self.router.hold()
        before = mended.addresses(self.router)
        for address in ('169.254.192.5/18', '10.0.0.2/24'):
            refused = self.clean(
                addresses=[
                    *mended.PLACES,
                    {'device': spaces.HA, 'address': address},
                ]
            )
            self.assert_refused('unfit', address, refused)
        refused = self.clean(
            routes=[
                {
                    'destination': '203.0.113.0/24',
                    'gateway': None,
                    'device': spaces.QG,
                }
            ]
        )
        self.assert_refused('unfit', '203.0.113.0/24', refused)
        self.assertEqual(before, mended.addresses(self.router))

    def test_not_on_the_active_node(self):
        self.active()
        before = mended.addresses(self.router)
        self.assert_refused('unsafe', 'is active', self.clean())
        self.assertEqual(before, mended.addresses(self.router))
        self.assertEqual(self.started, self.pids())

    def test_bad_requests(self):
        self.kill(*self.pids())
        for fields in (
            {'addresses': [{'device': 'lo', 'address': '127.0.0.1/8'}]},
            {'addresses': [{'device': spaces.QG, 'address': 'x'}]},
            {'addresses': [{'device': spaces.QG}]},
            {'addresses': ['x']},
            {'addresses': 'x'},
            {'routes': [{'destination': '0.0.0.0/0', 'gateway': 'x'}]},
            {'routes': [{'destination': 7}]},
        ):
            self.assert_refused('bad-request', '', self.clean(**fields))

    def test_without_a_lock(self):
        refused = self.talk().ask('clean', router=self.uuid)
        self.assert_refused('no-errand', '', refused)

    def test_alone_and_silent(self):
        """A live keepalived with the VIP that sends nothing, and nobody."""
        self.kill(*self.pids())
        self.router.keepalived()
        self.assertTrue(spaces.eventually(lambda: len(self.pids()) == 2))
        self.router.ip('addr', 'add', mended.VIP, 'dev', spaces.HA)
        refused = self.clean()
        # it is about to become active, and may be so by now
        self.assertEqual('unsafe', refused['kind'])
        self.assertIn((spaces.HA, mended.VIP), mended.addresses(self.router))


class BackupTest(mended.MendTest):
    """A backup that holds what the active one does."""

    def test_clean(self):
        pair = self.useFixture(spaces.Pair())
        for router in (pair.left, pair.right):
            router.write()
        pair.left.keepalived()
        self.assertTrue(spaces.eventually(pair.left.active))
        pair.right.keepalived()
        self.router, self.uuid = pair.right, pair.right.router_id
        self.assertTrue(spaces.eventually(lambda: len(self.pids()) == 2))
        before = mended.addresses(pair.left)
        bare = mended.addresses(pair.right)
        pids = self.pids()
        pair.right.hold()
        done = self.ask('clean', addresses=mended.PLACES, routes=mended.ROUTES)
        self.assertEqual(mended.PLACES, done['addresses'])
        self.assertEqual(bare, mended.addresses(pair.right))
        self.assertEqual(before, mended.addresses(pair.left))
        self.assertEqual(pids, self.pids())
        self.assert_refused(
            'unsafe',
            'not the active one',
            self.ask('add', addresses=mended.PLACES[1:]),
        )
        self.assertEqual(bare, mended.addresses(pair.right))


class AddTest(mended.MendTest):
    """On the active node."""

    def test_as_keepalived_would(self):
        self.active()
        before = mended.addresses(self.router)
        lost = mended.PLACES[3:]
        for place in lost:
            self.router.ip(
                *('addr', 'del', place['address'], 'dev', place['device'])
            )
        done = self.ask('add', addresses=mended.PLACES)
        self.assertEqual(lost, done['addresses'])
        self.assertEqual(before, mended.addresses(self.router))
        again = self.ask('add', addresses=mended.PLACES)
        self.assertEqual({'addresses': []}, again)
        # keepalived takes them for its own
        os.kill(self.pids()[0], signal.SIGTERM)
        self.assertTrue(spaces.eventually(lambda: not self.pids()))
        left = {address for _, address in mended.addresses(self.router)}
        self.assertEqual(
            set(), left & {place['address'] for place in mended.PLACES}
        )

    def test_not_named(self):
        self.active()
        refused = self.ask(
            'add', addresses=[{'device': spaces.QG, 'address': '10.9.9.9/32'}]
        )
        self.assert_refused('unfit', '10.9.9.9', refused)

    def test_device_missing(self):
        self.active()
        self.router.ip('link', 'del', spaces.QR)
        refused = self.ask('add', addresses=mended.PLACES[1:2])
        self.assert_refused('unfit', spaces.QR, refused)
