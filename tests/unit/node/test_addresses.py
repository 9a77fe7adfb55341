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

"""Addresses and routes of a router that are put right on a node."""

import contextlib

import fixtures
import testtools

from osc_ha_router.node import active
from osc_ha_router.node import addresses
from osc_ha_router.node import errors
from osc_ha_router.node import evict
from osc_ha_router.node import listen
from osc_ha_router.node import muster
from osc_ha_router.node import namespaces
from osc_ha_router.node import processes
from osc_ha_router.node import roles
from osc_ha_router.node import unplug
from tests.unit.node import kernel

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
HA, QG = 'ha-11111111-11', 'qg-22222222-22'
OWN, VIP = (HA, '169.254.192.5/18'), (HA, '169.254.0.14/24')
FLOATING, FIXED = (QG, '203.0.113.20/24'), (QG, '203.0.113.10/24')
DEFAULT = ('0.0.0.0/0', '203.0.113.1', QG)
SPACE = namespaces.Namespace(f'qrouter-{UUID}', UUID, '/nowhere', 4711)


def entry(place):
    return {'device': place[0], 'address': place[1]}


def route(each):
    return dict(zip(('destination', 'gateway', 'device'), each, strict=True))


class Errand:
    """A change under way, with a keepalived.conf."""

    traveller = None
    router_id = UUID
    namespace = SPACE

    def __init__(self):
        self.written = {
            'vips': [entry(VIP)],
            'excluded': [entry(FIXED), entry(FLOATING)],
            'routes': [route(DEFAULT)],
            'advert_int': None,
            'vrid': 14,
        }

    def conf(self):
        return self.written

    def inside(self):
        return contextlib.nullcontext()


class NodeTest(testtools.TestCase):
    """A node that is passive until something else is said."""

    def setUp(self):
        super().setUp()
        self.kernel = self.useFixture(kernel.Kernel(HA, QG))
        self.kernel.held[OWN] = []
        self.errand = Errand()
        self.state = active.PASSIVE
        self.patch(active, 'state', lambda begun: self.state)

    def patch(self, owner, name, stand_in):
        self.useFixture(fixtures.MockPatchObject(owner, name, stand_in))

    def of(self, router_id):
        return self.errand

    held = of

    def ask(self, operation, **fields):
        return operation(dict(fields, router=UUID), None, self)

    def refused(self, operation, **fields):
        before = dict(self.kernel.held), list(self.kernel.routes)
        error = self.assertRaises(
            errors.ProgramError, lambda: self.ask(operation, **fields)
        )
        self.assertEqual(before, (self.kernel.held, self.kernel.routes))
        return error


class CleanTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.kernel.held.update({VIP: [], FIXED: [], FLOATING: []})
        self.kernel.routes = [
            (*DEFAULT, 'static'),
            ('203.0.113.0/24', None, QG, 'kernel'),
        ]

    def clean(self, *places, routes=()):
        return self.ask(
            addresses.clean,
            addresses=[entry(place) for place in places],
            routes=[route(each) for each in routes],
        )

    def test_what_is_there(self):
        del self.kernel.held[FLOATING]
        done = self.clean(VIP, FLOATING, routes=[DEFAULT])
        self.assertEqual(
            {'addresses': [entry(VIP)], 'routes': [route(DEFAULT)]}, done
        )
        self.assertEqual({OWN, FIXED}, set(self.kernel.held))
        self.assertEqual(['kernel'], [r[3] for r in self.kernel.routes])

    def test_others_of_the_subnet_stay(self):
        self.clean(FIXED)
        self.assertEqual({OWN, VIP, FLOATING}, set(self.kernel.held))

    def test_device_that_keepalived_conf_leaves_out(self):
        named = (*DEFAULT[:2], None)
        self.errand.written['routes'] = [route(named)]
        self.assertEqual(
            [route(DEFAULT)], self.clean(routes=[named])['routes']
        )

    def test_only_what_keepalived_conf_names(self):
        strange = (QG, '198.51.100.7/24')
        elsewhere = ('198.51.100.0/24', '203.0.113.1', QG)
        error = self.refused(
            addresses.clean,
            addresses=[entry(strange)],
            routes=[route(elsewhere)],
        )
        self.assertEqual(errors.UNFIT, error.kind)
        self.assertIn(f'198.51.100.7/24 on {QG}', str(error))
        self.assertIn('198.51.100.0/24', str(error))

    def test_nothing_is_taken_from_an_active_node(self):
        for state, word in (
            (active.ACTIVE, 'it is active'),
            (active.UNCLEAR, 'it may be the active one'),
        ):
            self.state = state
            error = self.refused(addresses.clean, addresses=[entry(VIP)])
            self.assertEqual(errors.UNSAFE, error.kind)
            self.assertIn(word, str(error))

    def test_what_stays_is_named(self):
        self.kernel.kept = {VIP}
        error = self.refused(addresses.clean, addresses=[entry(VIP)])
        self.assertEqual(errors.LEFT, error.kind)
        self.assertIn(f'169.254.0.14/24 on {HA}', str(error))


class AddTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.state = active.ACTIVE
        self.kernel.held[FIXED] = []

    def test_what_is_lacking(self):
        done = self.ask(
            addresses.add, addresses=[entry(FIXED), entry(FLOATING)]
        )
        self.assertEqual({'addresses': [entry(FLOATING)]}, done)
        self.assertEqual({OWN, FIXED, FLOATING}, set(self.kernel.held))

    def test_one_that_failed_to_prove_itself_is_set_anew(self):
        self.kernel.held[FLOATING] = ['dadfailed']
        done = self.ask(addresses.add, addresses=[entry(FLOATING)])
        self.assertEqual([entry(FLOATING)], done['addresses'])
        self.assertEqual([], self.kernel.held[FLOATING])
        self.assertIn(FIXED, self.kernel.held)

    def test_without_its_device(self):
        self.kernel.devices.remove(QG)
        error = self.refused(addresses.add, addresses=[entry(FLOATING)])
        self.assertEqual((errors.UNFIT, True), (error.kind, QG in str(error)))

    def test_only_on_the_active_node(self):
        for self.state in (active.PASSIVE, active.UNCLEAR):
            error = self.refused(addresses.add, addresses=[entry(FLOATING)])
            self.assertEqual(errors.UNSAFE, error.kind)


class StateTest(testtools.TestCase):
    """What a node says of itself, by its own evidence."""

    def setUp(self):
        super().setUp()
        self.members = [self.member('S')]
        self.held = True
        self.adverts = []
        for owner, name, stand_in in (
            (muster, 'members_of', lambda *_: self.members),
            (active.vip, 'Vip', self.vip),
            (listen, 'listen', self.listen),
        ):
            self.useFixture(fixtures.MockPatchObject(owner, name, stand_in))

    def member(self, state):
        found = processes.Found(7, 6, state, 'keepalived', 9.0, ())
        return roles.Member(found, roles.VRRP, None)

    def vip(self, begun):
        address = contextlib.ExitStack()
        address.held = lambda: self.held
        return address

    def listen(self, traveller, spaces, seconds):
        self.seconds = seconds
        heard = None if self.adverts is None else {'adverts': self.adverts}
        return {UUID: listen.Heard(heard, None)}

    def state(self):
        return active.state(Errand())

    def test_hears_itself(self):
        self.adverts = [{'vrid': 14, 'own': True}]
        self.assertEqual(active.ACTIVE, self.state())
        # one interval, which is a second where nothing else is said
        self.assertEqual(1.5, self.seconds)

    def test_hears_another_one(self):
        self.adverts = [{'vrid': 14, 'own': False}]
        self.assertEqual(active.PASSIVE, self.state())

    def test_hears_nothing_of_this_router(self):
        for self.adverts in ([], [{'vrid': 15, 'own': True}], None):
            self.assertEqual(active.UNCLEAR, self.state())

    def test_address_without_a_keepalived_that_works(self):
        for members in ([], [self.member('T')]):
            self.members = members
            self.assertEqual(active.PASSIVE, self.state())

    def test_no_address(self):
        self.held = False
        self.assertEqual(active.PASSIVE, self.state())


class EvictTest(NodeTest):
    """What is left of a router that is hosted elsewhere goes."""

    def setUp(self):
        super().setUp()
        self.kernel.held.update({VIP: [], FIXED: [], FLOATING: []})
        self.kernel.routes = [
            (*DEFAULT, 'static'),
            ('203.0.113.0/24', None, QG, 'kernel'),
        ]
        self.spaces = {SPACE.name: SPACE}
        self.running = {
            100: (roles.PARENT, 'keepalived'),
            200: ('radvd', 'radvd'),
            300: (roles.OTHER, 'ip'),
        }
        self.deleted = []
        traveller = contextlib.ExitStack()
        traveller.inside = lambda space: contextlib.nullcontext()
        for owner, name, stand_in in (
            (namespaces, 'Traveller', lambda: traveller),
            (namespaces, 'listing', lambda: self.spaces),
            (muster, 'end', self.end),
            (evict, '_AFTERMATH', 0.0),
            (evict, '_inside', lambda *_: set(self.running) - {100}),
            (unplug, 'devices', lambda *_: [HA, QG]),
            (unplug, 'namespace', self.deleted.append),
        ):
            self.patch(owner, name, stand_in)

    def end(self, traveller, router_id, chosen):
        gone = []
        for pid, (role, name) in list(self.running.items()):
            argv = (name, 'monitor')
            found = processes.Found(pid, 1, 'S', name, 9.0, argv)
            if chosen(roles.Member(found, role, None)):
                del self.running[pid]
                gone.append(pid)
        return gone

    def test_role_and_addresses(self):
        done = self.ask(evict.run, namespace=SPACE.name, whole=False)
        self.assertEqual(([100], []), (done['pids'], done['devices']))
        self.assertEqual(3, len(done['addresses']))
        # its own address and what the kernel has made stay
        self.assertEqual({OWN}, set(self.kernel.held))
        self.assertEqual(['kernel'], [r[3] for r in self.kernel.routes])
        self.assertEqual({200, 300}, set(self.running))
        self.assertEqual([], self.deleted)

    def test_all_of_it(self):
        done = self.ask(evict.run, namespace=SPACE.name, whole=True)
        self.assertEqual([100, 200, 300], done['pids'])
        self.assertEqual([HA, QG], done['devices'])
        self.assertTrue(done['namespace'])
        self.assertEqual([SPACE], self.deleted)

    def test_what_is_not_neutrons_is_in_the_way(self):
        self.running[400] = (roles.OTHER, 'tcpdump')
        error = self.assertRaises(
            errors.ProgramError,
            lambda: self.ask(evict.run, namespace=SPACE.name, whole=True),
        )
        self.assertEqual(errors.LEFT, error.kind)
        self.assertIn('process 400', str(error))
        self.assertEqual([], self.deleted)

    def test_without_a_namespace(self):
        stale = SPACE._replace(inode=None)
        for self.spaces in ({}, {SPACE.name: stale}):
            done = self.ask(evict.run, namespace=SPACE.name, whole=True)
            self.assertFalse(done['namespace'])
        self.assertFalse(
            self.ask(evict.run, namespace=None, whole=True)['namespace']
        )
        self.assertNotIn(100, self.running)
        self.assertEqual(4, len(self.kernel.held))
