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

"""What is done about devices, addresses and leftovers."""

import dataclasses

from osc_ha_router.model import view
from tests.unit.repair import base
from tests.unit.scene import Scene

Op = base.Op


class DeviceTest(base.PlanTest):
    def test_ha_device_down(self):
        device = self.healthy.device(self.standby, 'ha-')
        scene = self.healthy.with_link_down(self.standby, device)
        found = self.assert_planned(scene, (Op.LINK_UP, self.standby))
        up = found[Op.LINK_UP, self.standby]
        self.assertEqual({'devices': [device]}, up.fields)
        self.assertIn('on purpose', up.risks[0])

    def test_no_carrier(self):
        for host, prefix, code in (
            (self.standby, 'ha-', 'RHA401'),
            (self.active, 'qg-', 'RHA403'),
            (self.active, 'qr-', 'RHA404'),
        ):
            scene = self.healthy.with_link(
                host, self.healthy.device(host, prefix), oper='DOWN'
            )
            self.assert_left(scene, code, words='L2 agent')

    def test_ha_device_missing(self):
        scene = self.healthy.without_link(
            self.standby, self.healthy.device(self.standby, 'ha-')
        )
        self.assertIn((Op.RESEAT, self.standby), self.planned(scene))

    def test_ha_address_missing(self):
        (own,) = self.healthy.ha_port(self.standby).addresses
        scene = self.healthy.without_address(self.standby, f'{own}/18')
        self.assert_planned(scene, (Op.RESEAT, self.standby))

    def test_device_down_where_active(self):
        device = self.healthy.device_of(self.healthy.internal_ipv6)
        scene = self.healthy.with_link_down(
            self.active, device
        ).without_address(self.active, self.healthy.internal_ipv6)
        found = self.assert_planned(
            scene,
            (Op.LINK_UP, self.active),
            (Op.ADD, self.active),
            (Op.RELOAD, self.active),
            (Op.ANNOUNCE, self.active),
        )
        self.assertEqual(
            {'devices': [device]}, found[Op.LINK_UP, self.active].fields
        )

    def test_device_down_on_standby(self):
        device = self.healthy.device(self.standby, 'qr-')
        scene = self.healthy.with_link_down(self.standby, device)
        self.assert_planned(
            scene, (Op.LINK_UP, self.standby), (Op.ANNOUNCE, self.active)
        )
        self.assertIn((Op.CLEAN, self.standby), self.later(scene))

    def without_gateway(self, host: str) -> Scene:
        """As the L3 agent keeps a standby from Queens to Yoga."""
        device = self.healthy.device(host, 'qg-')
        return self.healthy.with_link_down(host, device)

    def up(self, scene: Scene, host: str) -> list[str]:
        return list(self.planned(scene)[Op.LINK_UP, host].fields['devices'])

    def test_gateway_device_that_is_down_on_purpose(self):
        """Up on a standby it would send from the MAC of the active node."""
        scene = self.without_gateway(self.standby)
        self.assertTrue(base.make(scene).healthy)
        device = self.healthy.device(self.standby, 'qr-')
        down = scene.with_link_down(self.standby, device)
        self.assertEqual([device], self.up(down, self.standby))
        # it is not what has no carrier, nor what is missing
        self.assert_planned(
            scene.without_link(self.standby, device),
            (Op.RESEAT, self.standby),
        )
        self.assert_left(
            scene.with_link(self.standby, device, oper='DOWN'),
            'RHA406',
            words='L2 agent',
        )

    def test_gateway_device_that_is_needed(self):
        internal = self.healthy.device(self.standby, 'qr-')
        gateway = self.healthy.device(self.standby, 'qg-')
        scene = self.without_gateway(self.standby).with_link_down(
            self.standby, internal
        )
        followed = scene.with_conf(
            self.standby,
            tracked=(*scene.conf(self.standby).tracked, gateway),
        )
        self.assertEqual(
            {internal, gateway}, set(self.up(followed, self.standby))
        )
        scene = self.without_gateway(self.active)
        self.assertEqual(
            [self.healthy.device(self.active, 'qg-')],
            self.up(scene, self.active),
        )

    def test_gateway_device_where_nobody_knows_who_is_active(self):
        scene = self.without_gateway(self.active).with_view(
            self.active, processes=None
        )
        made = base.make(scene)
        self.assertEqual((), made.actions)
        reasons = {each.code: each.reason for each in made.refusals}
        self.assertIn('not known', reasons['RHA403'])

    def test_device_missing(self):
        device = self.healthy.device(self.standby, 'qr-')
        self.assert_planned(
            self.healthy.without_link(self.standby, device),
            (Op.RESEAT, self.standby),
        )
        scene = self.healthy.without_link(self.active, device)
        self.assertIn((Op.PROVOKE, None), self.planned(scene))
        made = base.make(scene, {(Op.PROVOKE, None): True})
        self.assertIn('RHA405', {each.code for each in made.refusals})

    def test_no_reseat_where_it_would_hurt(self):
        """Nobody else is active, or the agent would not build it again."""
        device = self.healthy.device(self.standby, 'qr-')
        scene = self.healthy.without_link(self.standby, device)
        for other in (
            scene.with_agent(self.standby, alive=False),
            scene.without_keepalived(self.active),
        ):
            self.assertNotIn(
                (Op.RESEAT, self.standby), base.make(other).approved
            )

    def test_several_ha_devices(self):
        scene = self.healthy.with_new_link(self.standby, 'ha-00000000-00')
        self.assert_left(scene, 'RHA407')


class AddressTest(base.PlanTest):
    def test_missing(self):
        lost = (self.healthy.floating_ip, self.healthy.internal)
        scene = self.healthy.without_address(self.active, *lost)
        found = self.assert_planned(
            scene, (Op.ADD, self.active), (Op.ANNOUNCE, self.active)
        )
        add = found[Op.ADD, self.active]
        self.assertEqual(
            sorted(lost),
            sorted(each['address'] for each in add.fields['addresses']),
        )
        self.assertEqual({'RHA501', 'RHA502'}, set(add.codes))

    def test_not_in_the_file(self):
        """The agent has to write it; by hand it would be left behind."""
        floating = self.healthy.floating_ip
        scene = self.healthy.without_address(self.active, floating)
        for host in scene.names:
            conf = scene.conf(host)
            scene = scene.with_conf(
                host,
                excluded=tuple(
                    a for a in conf.excluded if a.address != floating
                ),
            )
        self.assert_planned(scene, (Op.PROVOKE, None))
        scene = scene.with_agent(self.active, alive=False, ha_state='standby')
        made = base.make(scene)
        self.assertEqual((), made.actions)
        self.assertIn('RHA502', {each.code for each in made.refusals})

    def test_route(self):
        scene = self.healthy.without_route(self.active, '0.0.0.0/0')
        self.assert_planned(scene, (Op.RELOAD, self.active))
        tried = {(Op.RELOAD, self.active): False}
        self.assert_planned(scene, (Op.WAIT, self.active), tried=tried)
        tried = {(Op.RELOAD, self.active): True}
        self.assert_left(scene, 'RHA503', tried=tried)

    def test_on_standby(self):
        address = self.healthy.floating_ip
        scene = self.healthy.with_address(self.standby, address)
        found = self.assert_planned(
            scene, (Op.CLEAN, self.standby), (Op.ANNOUNCE, self.active)
        )
        (cleaned,) = found[Op.CLEAN, self.standby].fields['addresses']
        self.assertEqual(address, cleaned['address'])

    def test_on_standby_and_nobody_active(self):
        scene = (
            self.healthy.with_address(self.standby, self.healthy.floating_ip)
            .without_role(self.active)
            .with_agent(self.active, ha_state='standby')
        )
        self.assertNotIn((Op.CLEAN, self.standby), base.make(scene).approved)

    def test_duplicates(self):
        address = self.healthy.internal_ipv6
        scene = self.healthy.with_flags(self.active, address, 'dadfailed')
        found = self.assert_planned(scene, (Op.ADD, self.active))
        self.assertTrue(found[Op.ADD, self.active].risks)
        tried = {(Op.ADD, self.active): True}
        self.assert_left(scene, 'RHA506', tried=tried)
        scene = self.healthy.with_address(
            self.standby, address, flags=('permanent', 'dadfailed')
        )
        self.assertIn((Op.CLEAN, self.standby), self.planned(scene))

    def test_tentative(self):
        scene = self.healthy.with_flags(
            self.active, self.healthy.internal_ipv6, 'tentative'
        )
        self.assert_planned(scene, (Op.WAIT, self.active))


class ResidueTest(base.PlanTest):
    def test_namespace_absent(self):
        scene = self.healthy.without_namespace(self.standby)
        found = self.assert_planned(scene, (Op.RESEAT, self.standby))
        self.assertIn(self.standby, found[Op.RESEAT, self.standby].waits_for)
        scene = scene.with_agent(self.standby, alive=False)
        self.assert_left(scene, 'RHA203', 'RHA601')

    def test_namespace_absent_and_nobody_active(self):
        """Nothing can be lost by asking the agent to look again."""
        scene = self.healthy.without_namespace(self.active)
        self.assertIn((Op.PROVOKE, None), self.planned(scene))
        self.assertNotIn((Op.RESEAT, self.active), base.make(scene).approved)

    def test_leftover(self):
        scene = self.healthy.without_agents(self.standby)
        found = self.assert_planned(
            scene, (Op.EVICT, self.standby), (Op.ANNOUNCE, self.active)
        )
        self.assertEqual(
            {'namespace': f'qrouter-{scene.router.id}'},
            found[Op.EVICT, self.standby].fields,
        )

    def test_leftover_says_what_is_asked_of_neutron(self):
        scene = self.healthy.without_agents(self.standby)
        what = self.planned(scene)[Op.EVICT, self.standby].what
        self.assertIn('give it to the agent for a moment', what)
        self.assertIn('take it off', what)

    def owing(self, scene: Scene, host: str) -> Scene:
        """A repair was killed before a router was given back to a host."""
        return scene.with_view(
            self.active,
            errand=view.Errand('me', 'now', 'left', 'cut off', host),
        )

    def test_not_given_back(self):
        scene = self.healthy.without_agents(self.standby)
        scene = self.owing(scene.without_namespace(self.standby), self.standby)
        found = self.assert_planned(scene, (Op.GIVE, self.standby))
        give = found[Op.GIVE, self.standby]
        self.assertEqual({'noted': self.active}, give.fields)
        self.assertEqual(('RHA609',), give.codes)
        # its agent has not removed it yet, and is to get it
        scene = self.owing(
            self.healthy.without_agents(self.standby), self.standby
        )
        self.assertEqual({(Op.GIVE, self.standby)}, set(self.planned(scene)))

    def test_given_back(self):
        """The agent builds it, for which it has time."""
        scene = self.healthy.without_namespace(self.standby)
        self.assert_planned(
            scene,
            (Op.WAIT, self.standby),
            tried={(Op.GIVE, self.standby): False},
        )
        self.assertEqual(
            {(Op.GIVE, self.standby)},
            set(self.planned(self.owing(scene, self.standby))),
        )

    def test_one_at_a_time(self):
        """Nothing else is taken off as long as one is not given back."""
        scene = self.healthy.without_namespace(self.standby)
        found = self.planned(self.owing(scene, self.other))
        self.assertEqual({(Op.GIVE, self.other)}, set(found))

    def test_leftover_that_is_active_as_well(self):
        """It is wrong, whatever it shows: nothing is contested."""
        scene = self.healthy.with_role(self.standby).without_agents(
            self.standby
        )
        for host in (self.active, self.standby):
            scene = scene.with_view(
                host,
                listening=view.Listening('ha-x', 7.0, ()),
            )
        self.assert_planned(
            scene, (Op.EVICT, self.standby), (Op.ANNOUNCE, self.active)
        )

    def test_leftover_that_nobody_could_follow(self):
        scene = self.healthy.without_agents(self.active)
        for host in self.healthy.standbys:
            scene = scene.without_keepalived(host)
        self.assertNotIn((Op.EVICT, self.active), base.make(scene).approved)

    def test_leftover_of_a_disabled_router(self):
        scene = self.healthy.with_router(admin_state_up=False)
        made = base.make(scene)
        self.assertEqual((), made.actions)

    def test_configuration(self):
        scene = self.healthy.with_view(self.standby, keepalived_conf=None)
        self.assertIn((Op.PROVOKE, None), self.planned(scene))
        conf = self.healthy.conf(self.standby)
        scene = self.healthy.with_conf(
            self.standby, excluded=conf.excluded[1:]
        )
        self.assert_planned(scene, (Op.PROVOKE, None))
        tried = {(Op.PROVOKE, None): True}
        self.assert_left(scene, 'RHA606', tried=tried)
        self.assert_left(
            scene.with_agent(self.standby, alive=False), 'RHA203', 'RHA606'
        )

    def test_what_needs_people(self):
        scene = self.healthy.with_router(status='ERROR')
        self.assert_left(scene, 'RHA209')
        port = self.healthy.ha_port(self.standby)
        scene = self.healthy.with_new_port(port, network_id='another')
        self.assert_left(scene, 'RHA213')
        scene = self.healthy.without_agents(*self.healthy.standbys)
        for host in self.healthy.standbys:
            scene = scene.without_namespace(host)
        self.assert_left(scene, 'RHA206')
        scene = self.healthy.with_view(
            self.standby,
            errand=view.Errand('me', None, 'left', 'it is left'),
        )
        self.assert_left(scene, 'RHA609')

    def test_out_of_sight(self):
        """What is certain without the node is done."""
        scene = self.healthy.with_unreachable(self.other)
        self.assert_left(scene, 'RHA901')
        scene = scene.without_address(self.active, self.healthy.floating_ip)
        made = base.make(scene)
        self.assertEqual(
            [(Op.ADD, self.active), (Op.ANNOUNCE, self.active)],
            [each.key for each in made.actions],
        )
        self.assertEqual(['RHA901'], [each.code for each in made.refusals])

    def test_ignored(self):
        scene = self.healthy.without_keepalived(self.standby)
        made = base.make(scene, ignore=frozenset(('RHA301',)))
        self.assertTrue(made.healthy)
        self.assertEqual((), made.actions)

    def test_joined(self):
        """Two findings, one action: with both codes, each address once."""
        scene = self.healthy
        lost = [a.address for a in scene.conf(self.active).excluded]
        scene = scene.without_address(self.active, *lost)
        found = self.planned(scene)
        add = found[Op.ADD, self.active]
        self.assertEqual(
            sorted(lost),
            sorted(each['address'] for each in add.fields['addresses']),
        )
        self.assertEqual(add.fields, add.join(dataclasses.replace(add)).fields)
