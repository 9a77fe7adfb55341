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

"""What one host shows of one router, and what it cannot show."""

import contextlib
import types

import fixtures
import testtools

from osc_ha_router.node import files
from osc_ha_router.node import listen
from osc_ha_router.node import members
from osc_ha_router.node import namespaces
from osc_ha_router.node import netlink
from osc_ha_router.node import place
from osc_ha_router.node import processes
from osc_ha_router.node import recovery
from osc_ha_router.node import rtnetlink
from osc_ha_router.node import view
from tests.unit.node import kernel

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
HA, QG = 'ha-11111111-11', 'qg-22222222-22'
SPACE = namespaces.Namespace(f'qrouter-{UUID}', UUID, '/nowhere', 4711)


class ViewTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.kernel = self.useFixture(kernel.Kernel(HA, QG))
        self.kernel.held[HA, '169.254.192.5/18'] = []
        self.look = types.SimpleNamespace(
            spaces={UUID: [SPACE]},
            traveller=types.SimpleNamespace(
                inside=lambda space: contextlib.nullcontext()
            ),
            census=processes.Census({}, {}, {}, {}, []),
            places=['/nowhere/ha_confs'],
            home=types.SimpleNamespace(helpers=lambda *_: (True, False)),
            recovered={},
            heard=None,
        )
        for owner, name, stand_in in (
            (rtnetlink, 'neighbours', lambda *_: []),
            (rtnetlink, 'forwarding', lambda *_: {HA: True}),
            (members, 'find', lambda *_: []),
            (recovery, 'state', lambda *_: None),
            (place, 'candidates', lambda *_: []),
            (files, 'locate', lambda *_: '/nowhere/ha_confs/x/conf'),
            (files, 'configuration', lambda path: {'vrid': 14}),
            (files, 'beside', lambda *_: 'primary'),
        ):
            self.patch(owner, name, stand_in)

    def patch(self, owner, name, stand_in):
        self.useFixture(fixtures.MockPatchObject(owner, name, stand_in))

    def fails(self, owner, name, error):
        def fail(*_):
            raise error

        self.patch(owner, name, fail)

    def build(self):
        return view.build(self.look, UUID)

    def problems(self):
        self.shown = self.build()
        return {
            each['what']: each['message'] for each in self.shown['problems']
        }

    def test_all_of_it(self):
        shown = self.build()
        self.assertEqual([], shown['problems'])
        self.assertEqual(SPACE.name, shown['namespace'])
        self.assertEqual([HA, QG], [each['name'] for each in shown['links']])
        self.assertEqual(1, len(shown['addresses']))
        self.assertEqual('primary', shown['state_file'])
        self.assertEqual(14, view.vrid(shown))
        self.assertEqual(
            (True, False), (shown['radvd_conf'], shown['metadata_conf'])
        )

    def test_one_fact_that_fails_leaves_the_others(self):
        self.fails(rtnetlink, 'addresses', netlink.NetlinkError('refused'))
        self.fails(files, 'configuration', files.Unfit('too large'))
        self.assertEqual(
            {'addresses': 'refused', 'keepalived_conf': 'too large'},
            self.problems(),
        )
        self.assertIsNone(self.shown['addresses'])
        self.assertIsNone(view.vrid(self.shown))
        self.assertEqual('primary', self.shown['state_file'])

    def test_file_that_is_not_there_is_no_problem(self):
        self.fails(files, 'beside', FileNotFoundError())
        self.assertEqual({}, self.problems())
        self.assertIsNone(self.shown['state_file'])

    def test_processes_that_are_hidden(self):
        self.fails(members, 'find', members.Hidden('they are hidden'))
        self.assertEqual({'processes': 'they are hidden'}, self.problems())
        self.assertIsNone(self.shown['processes'])

    def test_namespace_that_is_no_more(self):
        self.look.traveller.inside = self.stale
        self.assertEqual({'namespace': 'a name without one'}, self.problems())
        self.assertIsNone(self.shown['namespace'])

    def stale(self, space):
        raise namespaces.Stale('a name without one')

    def test_namespace_that_cannot_be_entered(self):
        self.fails(netlink, 'Socket', OSError('not permitted'))
        self.assertEqual({'namespace': 'not permitted'}, self.problems())
        self.assertEqual(SPACE.name, self.shown['namespace'])
        self.assertIsNone(self.shown['links'])

    def test_with_dvr_the_one_with_the_ha_device(self):
        snat = SPACE._replace(name=f'snat-{UUID}')
        self.look.spaces[UUID] = [SPACE, snat]
        shown = [[QG], [HA]]
        self.patch(
            rtnetlink,
            'links',
            lambda _: [
                {'index': 2, 'name': name, 'mac': '', 'up': True}
                for name in shown.pop(0)
            ],
        )
        self.assertEqual(snat.name, self.build()['namespace'])

    def test_mistake_that_an_odd_router_brings_to_light(self):
        self.fails(files, 'locate', ZeroDivisionError('odd'))
        self.assertEqual({'view': 'ZeroDivisionError: odd'}, self.problems())
        self.assertEqual(SPACE.name, self.shown['namespace'])
        self.assertIsNone(self.shown['links'])

    def test_what_was_heard(self):
        self.look.heard = {UUID: listen.Heard(None, 'there is no ha- device')}
        self.assertEqual(
            {'listening': 'there is no ha- device'}, self.problems()
        )
        self.look.heard = {UUID: listen.Heard({'adverts': []}, None)}
        self.assertEqual({'adverts': []}, self.build()['listening'])
        self.look.heard = {}
        self.assertIsNone(self.build()['listening'])

    def test_residents(self):
        other = UUID.replace('7', '8')
        self.patch(files, 'folders', lambda places: [other])
        self.patch(files, 'vrid', lambda path: 15)
        self.assertEqual(
            [
                {'router_id': UUID, 'namespaces': [SPACE.name], 'vrid': 14},
                {'router_id': other, 'namespaces': [], 'vrid': 15},
            ],
            view.residents(self.look, {UUID: 14}),
        )
