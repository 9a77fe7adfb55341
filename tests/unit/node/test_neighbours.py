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


"""Neighbours that are what they should be, and others."""

import testtools

from osc_ha_router.node import errors
from osc_ha_router.node import neighbours
from osc_ha_router.node import netlink
from osc_ha_router.node import rtnetlink

GOOD = {
    'device': 'qg-aabbccdd-ee',
    'address': '203.0.113.1',
    'mac': 'fa:16:3e:00:00:01',
}


class CheckTest(testtools.TestCase):
    def test_good(self):
        six = {**GOOD, 'device': 'qr-11223344-55', 'address': 'fe80::1'}
        self.assertEqual([GOOD, six], neighbours.check([GOOD, six]))
        self.assertEqual([], neighbours.check([]))

    def test_refused(self):
        for changes in (
            {'device': 'ha-aabbccdd-ee'},
            {'device': 'eth0'},
            {'device': 'qg-aabbccdd-ee\n'},
            {'device': None},
            {'address': '203.0.113.1/24'},
            {'address': '127.0.0.1'},
            {'address': '0.0.0.0'},
            {'address': '224.0.0.1'},
            {'address': 'ff02::1'},
            {'address': '::'},
            {'address': 'x'},
            {'address': '1.1.1.1\0'},
            {'address': 7},
            {'mac': 'fa:16:3e:00:00'},
            {'mac': 'FA:16:3E:00:00:01'},
            {'mac': 'fa:16:3e:00:00:01\n'},
            {'mac': None},
        ):
            self.assertRaises(
                errors.BadRequest, neighbours.check, [{**GOOD, **changes}]
            )
        for value in (None, {}, ['x'], [[]], [{}]):
            self.assertRaises(errors.BadRequest, neighbours.check, value)

    def test_too_many(self):
        entries = [GOOD] * (neighbours.MOST + 1)
        self.assertRaises(errors.BadRequest, neighbours.check, entries)


class Channel:
    """Stands for a socket to the kernel; nothing is asked of it."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class WriteTest(testtools.TestCase):
    """What is there may be of no use."""

    def written(self, *there):
        """Return what is set, and what comes of it."""
        asked = []

        def answer(_channel, entries):
            asked.extend(entries)
            return [0] * len(entries)

        self.patch(netlink, 'Socket', Channel)
        link = {'index': 5, 'name': GOOD['device']}
        self.patch(rtnetlink, 'links', lambda _: [link])
        self.patch(rtnetlink, 'neighbours', lambda *_: list(there))
        self.patch(rtnetlink, 'set_neighbours', answer)
        absent = {**GOOD, 'device': 'qr-11223344-55'}
        return asked, neighbours.write([GOOD, absent])

    def test_none(self):
        asked, found = self.written()
        self.assertEqual([(5, GOOD['address'], GOOD['mac'])], asked)
        self.assertEqual((1, 1), found)

    def test_of_no_use(self):
        for state, mac in (
            ('FAILED', None),
            ('INCOMPLETE', None),
            ('STALE', 'fa:16:3e:00:00:99'),
        ):
            there = {**GOOD, 'state': state, 'mac': mac}
            asked, found = self.written(there)
            self.assertEqual([(5, GOOD['address'], GOOD['mac'])], asked)
            self.assertEqual((1, 1), found)

    def test_stays(self):
        for state, mac in (
            ('REACHABLE', GOOD['mac']),
            ('STALE', GOOD['mac']),
            ('PERMANENT', 'fa:16:3e:00:00:99'),
            ('REACHABLE', 'fa:16:3e:00:00:99'),
        ):
            there = {**GOOD, 'state': state, 'mac': mac}
            self.assertEqual(([], (1, 1)), self.written(there))
