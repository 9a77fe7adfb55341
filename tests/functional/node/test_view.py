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

"""What the program shows of a namespace, compared with iproute2."""

import json
import os
import pathlib
import threading
import uuid

import fixtures

from osc_ha_router.model import view
from osc_ha_router.node import namespaces
from osc_ha_router.node import rtnetlink
from tests.functional.node import spaces


class NetworkTest(spaces.SpaceTest):
    """Devices, addresses, routes and neighbours of an active router."""

    def setUp(self):
        super().setUp()
        self.router = self.useFixture(spaces.Router())
        self.router.plug('169.254.192.5/18')
        self.router.hold()

    def json(self, *words):
        return json.loads(self.router.ip('-j', *words))

    def test_links(self):
        shown = self.look(self.router)
        self.assertEqual(self.router.name, shown.namespace)
        expected = {
            (
                link['ifname'],
                link['ifindex'],
                'UP' in link['flags'],
                link['operstate'],
                link['address'],
                link['mtu'],
            )
            for link in self.json('link')
        }
        self.assertEqual(5, len(expected))
        self.assertEqual(
            expected,
            {
                (x.name, x.index, x.up, x.oper, x.mac, x.mtu)
                for x in shown.links
            },
        )

    def test_addresses(self):
        self.router.ip('link', 'set', spaces.QG, 'down')
        self.router.ip('link', 'set', spaces.QG, 'up')
        self.router.ip(
            *('addr', 'add', '10.0.0.7/24', 'dev', spaces.QR),
            *('valid_lft', '1000', 'preferred_lft', '0', 'noprefixroute'),
        )
        expected = {}
        for link in self.json('addr'):
            for each in link['addr_info']:
                key = (link['ifname'], f'{each["local"]}/{each["prefixlen"]}')
                # "ip" shows a flag as a key that is true; "permanent" is
                # what is not dynamic
                words = {
                    word
                    for word, value in each.items()
                    if value is True and word != 'dynamic'
                }
                dynamic = each.get('dynamic', False)
                words.add('dynamic' if dynamic else 'permanent')
                expected[key] = (each['scope'], words)
        found = {
            (each.device, each.address): (each.scope, set(each.flags))
            for each in self.look(self.router).addresses
        }
        self.assertEqual(expected, found)
        self.assertIn((spaces.HA, '169.254.0.14/24'), found)
        odd = found[(spaces.QR, '10.0.0.7/24')][1]
        self.assertEqual(
            {'secondary', 'dynamic', 'deprecated', 'noprefixroute'}, odd
        )

    def test_failed_duplicate_detection(self):
        # two ends of one cable with one address
        self.router.ip('link', 'set', 'far', 'down')
        second = self.useFixture(spaces.Space(f'x-{uuid.uuid4()}'))
        self.router.ip('link', 'set', 'far', 'netns', second.name)
        second.ip('link', 'set', 'far', 'up')
        second.ip('addr', 'add', 'fd00::1/64', 'dev', 'far', 'nodad')

        def flags():
            return {
                each.address: each.flags
                for each in self.look(self.router).addresses
            }['fd00::1/64']

        self.router.ip('addr', 'add', 'fd00::1/64', 'dev', spaces.HA)
        self.assertIn('tentative', flags())
        self.assertTrue(
            spaces.eventually(lambda: 'dadfailed' in flags()), flags()
        )

    def test_routes(self):
        self.router.ip(
            *('route', 'add', '10.30.0.0/16'),
            *('nexthop', 'via', '10.0.0.2', 'nexthop', 'via', '10.0.0.3'),
        )
        self.router.ip(
            'route',
            'add',
            '10.40.0.0/16',
            'via',
            'inet6',
            'fe80::9',
            'dev',
            spaces.QR,
        )
        self.router.ip('route', 'add', 'blackhole', '10.50.0.0/16')
        self.router.ip(
            'route', 'add', 'default', 'via', '10.0.0.2', 'table', '7'
        )
        expected = set()
        for route in self.json('route') + self.json('-6', 'route'):
            if route.get('type') == 'blackhole':
                continue
            if route['dst'] == 'fe80::/64' and route['protocol'] == 'kernel':
                continue
            for hop in route.get('nexthops', [route]):
                via = hop.get('via', {}).get('host')
                expected.add(
                    (
                        route['dst'],
                        hop.get('gateway', via),
                        hop['dev'],
                        # "ip" leaves out what is the usual
                        route.get('protocol', 'boot'),
                    )
                )
        found = self.look(self.router).routes
        self.assertEqual(
            expected,
            {
                (
                    {'0.0.0.0/0': 'default', '::/0': 'default'}.get(
                        x.destination, x.destination
                    ),
                    x.gateway,
                    x.device,
                    x.protocol,
                )
                for x in found
            },
        )
        self.assertIn(
            view.Route('0.0.0.0/0', '203.0.113.1', spaces.QG, 'static'), found
        )
        self.assertIn(
            view.Route('10.20.0.0/16', '10.0.0.254', spaces.QR, 'static'),
            found,
        )

    def test_no_routes_at_all(self):
        empty = self.useFixture(spaces.Router())
        shown = self.look(empty)
        self.assertEqual((), shown.routes)
        self.assertEqual(['lo'], [link.name for link in shown.links])

    def test_neighbours(self):
        mac = 'fa:16:3e:12:34:56'
        for address, device, state in (
            ('10.0.0.9', spaces.QR, 'reachable'),
            ('203.0.113.1', spaces.QG, 'stale'),
            ('fe80::9', spaces.QG, 'permanent'),
            ('169.254.192.9', 'far', 'stale'),
            ('10.0.0.10', spaces.QR, 'noarp'),
        ):
            self.router.ip(
                *('neigh', 'replace', address, 'lladdr', mac),
                *('dev', device, 'nud', state),
            )
        self.router.ip(
            'neigh', 'replace', '10.0.0.8', 'dev', spaces.QR, 'nud', 'failed'
        )
        found = set(self.look(self.router).neighbours)
        for expected in (
            view.Neighbour(spaces.QR, '10.0.0.9', mac, 'REACHABLE'),
            view.Neighbour(spaces.QG, '203.0.113.1', mac, 'STALE'),
            view.Neighbour(spaces.QG, 'fe80::9', mac, 'PERMANENT'),
            view.Neighbour(spaces.QR, '10.0.0.8', None, 'FAILED'),
        ):
            self.assertIn(expected, found)
        self.assertEqual(
            {
                (each['dev'], each['dst'])
                for each in self.json('neigh')
                if each['dev'] != 'far'
            },
            {(each.device, each.address) for each in found},
        )

    def test_forwarding(self):
        for value in ('1', '0'):
            self.router.execute(
                'sysctl', '-qw', f'net.ipv6.conf.all.forwarding={value}'
            )
            shown = self.look(self.router)
            self.assertIs(value == '1', 'all' in shown.ipv6_forwarding)
            self.assertIs(value == '1', 'lo' in shown.ipv6_forwarding)

    def test_configuration(self):
        # what is set by hand keepalived removes when it starts
        self.router = self.useFixture(spaces.Router())
        self.router.plug('169.254.192.5/18')
        self.router.write()
        self.router.keepalived()
        self.assertTrue(spaces.eventually(self.router.active))
        (self.router.folder / 'state').write_text('primary')
        shown = self.look(self.router)
        self.assertTrue(shown.files)
        self.assertEqual(str(self.router.conf), shown.keepalived_conf.path)
        self.assertEqual(spaces.VRID, shown.keepalived_conf.vrid)
        self.assertEqual('primary', shown.state_file.value)
        # whatever keepalived was told is there
        held = {(each.device, each.address) for each in shown.addresses}
        conf = shown.keepalived_conf
        for each in conf.vips + conf.excluded:
            self.assertIn((each.device, each.address), held)
        routes = {(x.destination, x.gateway) for x in shown.routes}
        for each in conf.routes:
            self.assertIn((each.destination, each.gateway), routes)

    def test_garbled_configuration(self):
        self.router.write()
        self.router.keepalived()
        text = self.router.conf.read_text()
        self.assertTrue(
            spaces.eventually(lambda: len(self.router.pids()) == 2)
        )
        self.router.conf.write_text(text[:-20])
        (shown,), _ = self.probe(self.router.router_id)
        self.assertIsNone(shown.keepalived_conf)
        self.assertEqual(
            ['keepalived_conf'], [each.what for each in shown.problems]
        )
        self.assertEqual(2, len(shown.processes))


class NamespacesTest(spaces.SpaceTest):
    """Which namespace is looked at, and that the program comes back."""

    def test_none(self):
        router_id = str(uuid.uuid4())
        (shown,), residents = self.probe(router_id)
        self.assertEqual(
            view.NodeView(
                router_id,
                None,
                processes=(),
                files=True,
                radvd_conf=shown.radvd_conf,
                metadata_conf=shown.metadata_conf,
            ),
            shown,
        )
        self.assertIsNone(residents)

    def test_stale_name(self):
        router = self.useFixture(spaces.Router())
        stale = str(uuid.uuid4())
        path = pathlib.Path(f'/run/netns/qrouter-{stale}')
        path.touch()
        self.addCleanup(path.unlink)
        # neither of these is a name that Neutron gives
        for name in (f'qrouter-{stale}x', f'x-snat-{stale}'):
            other = path.with_name(name)
            other.touch()
            self.addCleanup(other.unlink)
        views, residents = self.probe(
            stale, router.router_id, residents=True, listen=0.1
        )
        self.assertIsNone(views[0].namespace)
        self.assertIn('namespace', [each.what for each in views[0].problems])
        self.assertEqual(router.name, views[1].namespace)
        self.assertIn(
            view.Resident(stale, (f'qrouter-{stale}',), None), residents
        )

    def test_one_mistake(self):
        routers = [self.useFixture(spaces.Router()) for _ in range(2)]
        odd = routers[0].router_id
        right = rtnetlink.link
        calls = []

        def wrong(body):
            calls.append(body)
            return right(body) if len(calls) > 1 else {}[odd]

        self.useFixture(fixtures.MockPatchObject(rtnetlink, 'link', wrong))
        views, _ = self.probe(*[each.router_id for each in routers])
        self.assertEqual(
            [each.name for each in routers], [each.namespace for each in views]
        )
        self.assertEqual(
            view.Problem('view', f"KeyError: '{odd}'"), views[0].problems[0]
        )
        self.assertIsNone(views[0].links)
        self.assertFalse(views[0].files)
        self.assertEqual((), views[1].problems)

    def test_distributed(self):
        snat = self.useFixture(spaces.Router('snat'))
        qrouter = self.useFixture(
            spaces.Router('qrouter', router_id=snat.router_id)
        )
        self.assertEqual(qrouter.name, self.look(snat).namespace)
        snat.plug('169.254.192.5/18')
        snat.write()
        snat.keepalived()
        qrouter.plug('169.254.192.6/18')
        qrouter.write()
        qrouter.keepalived()
        spaces.eventually(snat.active)
        shown = self.look(snat)
        self.assertEqual(snat.name, shown.namespace)
        # what runs in the other one is no owner of these addresses
        self.assertEqual(
            {
                pid: 'other' if pid in qrouter.pids() else role
                for pid, role, _ in self.roles(snat)
            },
            {pid: role for pid, role, _ in self.roles(snat)},
        )
        self.assertEqual(
            ['keepalived', 'keepalived-vrrp', 'other', 'other'],
            sorted(each.role for each in shown.processes),
        )

    def test_only_snat(self):
        snat = self.useFixture(spaces.Router('snat'))
        self.assertEqual(snat.name, self.look(snat).namespace)

    def test_every_router(self):
        routers = [self.useFixture(spaces.Router()) for _ in range(3)]
        routers[1].plug('169.254.192.5/18')
        routers[1].write()
        routers[1].keepalived()
        spaces.eventually(lambda: len(routers[1].pids()) == 2)
        _, residents = self.probe(residents=True)
        mine = [
            each
            for each in residents
            if each.router_id in [router.router_id for router in routers]
        ]
        self.assertEqual(
            sorted(
                (router.router_id, (router.name,), vrid)
                for router, vrid in zip(
                    routers, (None, spaces.VRID, None), strict=True
                )
            ),
            [(each.router_id, each.namespaces, each.vrid) for each in mine],
        )

    def test_home_again(self):
        routers = [self.useFixture(spaces.Router()) for _ in range(3)]
        home = os.readlink('/proc/thread-self/ns/net')
        before = set(os.listdir('/proc/self/fd'))
        self.probe(*[each.router_id for each in routers], listen=0.1)
        self.assertEqual(home, os.readlink('/proc/thread-self/ns/net'))
        self.assertEqual(before, set(os.listdir('/proc/self/fd')))

    def test_home_again_after_an_error(self):
        router = self.useFixture(spaces.Router())
        space = namespaces.listing()[router.name]
        home = os.readlink('/proc/thread-self/ns/net')
        with namespaces.Traveller() as traveller:
            try:
                with traveller.inside(space):
                    self.assertEqual(
                        f'net:[{space.inode}]',
                        os.readlink('/proc/thread-self/ns/net'),
                    )
                    raise KeyError
            except KeyError:
                pass
            self.assertEqual(home, os.readlink('/proc/thread-self/ns/net'))

    def test_from_another_thread(self):
        router = self.useFixture(spaces.Router())
        shown = []
        thread = threading.Thread(
            target=lambda: shown.append(self.look(router))
        )
        thread.start()
        thread.join()
        self.assertEqual(router.name, shown[0].namespace)
