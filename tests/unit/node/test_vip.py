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

"""The HA address: held or not, and news of it."""

import contextlib

import testtools

from osc_ha_router.node import errors
from osc_ha_router.node import netlink
from osc_ha_router.node import vip
from tests.unit.node import kernel

HA = 'ha-11111111-11'
VIP = '169.254.0.14/24'


class Errand:
    """Of a router with one HA address."""

    def __init__(self, *addresses):
        self._addresses = addresses
        self.visits = 0

    def conf(self):
        return {
            'vips': [
                {'device': HA, 'address': address}
                for address in self._addresses
            ]
        }

    @contextlib.contextmanager
    def inside(self):
        self.visits += 1
        yield


class News(contextlib.ExitStack):
    """Counts how often it was read."""

    made = []

    def __init__(self, groups):
        super().__init__()
        self.groups = groups
        self.drained = 0
        self.closed = False
        self.callback(self._close)
        self.made.append(self)

    def _close(self):
        self.closed = True

    def fileno(self):
        return 77

    def drain(self):
        self.drained += 1
        return True


class VipTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.kernel = self.useFixture(kernel.Kernel(HA))
        self.patch(netlink, 'News', News)
        self.patch(News, 'made', [])
        self.errand = Errand(VIP)

    def test_held_or_not(self):
        with vip.Vip(self.errand) as address:
            self.assertFalse(address.held())
            self.kernel.held[HA, VIP] = []
            self.assertTrue(address.held())
        self.assertEqual(1, self.errand.visits)

    def test_others_do_not_count(self):
        """The same elsewhere, and the device's own."""
        self.kernel.held['qg-22222222-22', VIP] = []
        self.kernel.held[HA, '169.254.192.5/18'] = []
        with vip.Vip(self.errand) as address:
            self.assertFalse(address.held())

    def test_news_are_read_before_each_look(self):
        """What comes during a look wakes whoever waits for the next."""
        with vip.Vip(self.errand) as address:
            self.assertEqual(77, address.descriptor)
            (news,) = News.made
            # addresses of both families
            self.assertEqual(0x110, news.groups)
            address.held()
            address.held()
            self.assertEqual(2, news.drained)
        self.assertTrue(news.closed)

    def test_none_in_the_configuration(self):
        error = self.assertRaises(errors.ProgramError, vip.Vip, Errand())
        self.assertEqual(errors.UNFIT, error.kind)
        self.assertEqual([], News.made)
