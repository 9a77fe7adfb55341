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

"""What a request for a repair may name."""

import socket

import testtools

from osc_ha_router.node import errors
from osc_ha_router.node import wanted
from osc_ha_router.node import writes

ROUTER = '7439ff46-8435-4052-a174-4ebc5a67337e'


class WantedTest(testtools.TestCase):
    def refused(self, read, **fields):
        self.assertRaises(errors.BadRequest, read, fields)

    def test_device(self):
        for name in ('ha-0a1b2c3d-4e', 'qg-1', 'qr-x', 'sg-00000000-00'):
            self.assertEqual(name, wanted.device({'device': name}))
        for name in (
            *('lo', 'eth0', 'ha-', 'qr-../x', 'qr-a b', 'tap1', 7, None),
            'qr-' + 'x' * 13,
        ):
            self.refused(wanted.device, device=name)

    def test_addresses(self):
        """In the spelling in which the program reports them."""
        place = {'device': 'qr-1', 'address': 'FD00:0::1/64', 'more': 1}
        self.assertEqual(
            [('qr-1', 'fd00::1/64')],
            wanted.addresses({'addresses': [place, place]}),
        )
        self.assertEqual([], wanted.addresses({}))
        for each in (
            {'device': 'qr-1'},
            {'address': '10.0.0.1/24'},
            {'device': 'qr-1', 'address': '10.0.0.1/33'},
            {'device': 'qr-1', 'address': '; true'},
            {'device': 'qr-1', 'address': '1' * 100},
            'x',
            None,
        ):
            self.refused(wanted.addresses, addresses=[each])
        self.refused(wanted.addresses, addresses={})
        self.refused(wanted.addresses, addresses=[place] * 10001)

    def test_routes(self):
        route = {
            'destination': '0.0.0.0/0',
            'gateway': '203.0.113.1',
            'device': 'qg-1',
        }
        self.assertEqual(
            [('0.0.0.0/0', '203.0.113.1', 'qg-1')],
            wanted.routes({'routes': [route, route]}),
        )
        bare = {'destination': '10.0.0.0/8', 'gateway': None, 'device': None}
        self.assertEqual(
            [('10.0.0.0/8', None, None)], wanted.routes({'routes': [bare]})
        )
        for key, value in (
            ('destination', '10.0.0.1/8'),
            ('destination', None),
            ('gateway', '10.0.0.0/8'),
            ('device', 'lo'),
        ):
            self.refused(wanted.routes, routes=[{**route, key: value}])

    def test_pids(self):
        self.assertEqual([5, 7], wanted.pids({'pids': [5, 7, 5]}))
        for pids in ([], [1], [0], [-5], ['5'], [True], 5, None, [1 << 23]):
            self.refused(wanted.pids, pids=pids)
        self.refused(wanted.pids, pids=list(range(2, 50)))

    def test_namespace(self):
        for kind in ('qrouter', 'snat'):
            name = f'{kind}-{ROUTER}'
            self.assertEqual(
                name, wanted.namespace({'namespace': name}, ROUTER)
            )
        for name in (
            f'fip-{ROUTER}',
            f'qrouter-{ROUTER}x',
            f'../qrouter-{ROUTER}',
            f'qrouter-{ROUTER[:-1]}0',
            None,
        ):
            self.assertRaises(
                errors.BadRequest,
                wanted.namespace,
                {'namespace': name},
                ROUTER,
            )


class WritesTest(testtools.TestCase):
    """The messages; that they work is seen in the functional tests."""

    def sent(self, call, *arguments):
        channel = Channel()
        call(channel, *arguments)
        ((_, _, bodies),) = channel.sent
        return bodies

    def test_as_keepalived_sets_them(self):
        bodies = self.sent(
            writes.add_addresses,
            {'qg-1': 7},
            [
                ('qg-1', '203.0.113.20/32'),
                ('qg-1', 'fd00::1/64'),
                ('qg-1', 'fe80::1/64'),
            ],
        )
        # family, length, flags (no detection), scope (link), index
        self.assertEqual(
            [
                bytes([socket.AF_INET, 32, 0, 0, 7, 0, 0, 0]),
                bytes([socket.AF_INET6, 64, 2, 0, 7, 0, 0, 0]),
                bytes([socket.AF_INET6, 64, 2, 253, 7, 0, 0, 0]),
            ],
            [body[:8] for body in bodies],
        )

    def test_what_is_gone_is_no_error(self):
        for number in (99, 3, 19):
            writes.delete_addresses(
                Channel(number), {'qg-1': 7}, [('qg-1', '10.0.0.1/32')]
            )
        self.assertRaises(
            writes.netlink.NetlinkError,
            writes.delete_addresses,
            Channel(1),
            {'qg-1': 7},
            [('qg-1', '10.0.0.1/32')],
        )


class Channel:
    """Stands for the kernel.

    :param number: of the error that it answers with
    """

    def __init__(self, number=0):
        self.number = number
        self.sent = []

    def change(self, request, flags, bodies):
        self.sent.append((request, flags, bodies))
        return [self.number for _ in bodies]
