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
