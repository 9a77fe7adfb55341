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

import dataclasses

from osc_ha_router.model import view
from tests.unit import scene as scenes
from tests.unit.failover import base


class ObstaclesTest(base.PlanTest):
    def only(self, scene: scenes.Scene, expected: str) -> None:
        """There is one obstacle, and it says this."""
        (sentence,) = self.obstacles(scene)
        self.assertIn(expected, sentence)

    def first(self, scene: scenes.Scene, expected: str) -> None:
        """What it says is among the obstacles."""
        self.assertIn(expected, ' | '.join(self.obstacles(scene)))

    # -- what Neutron says ---------------------------------------------------

    def test_agent_dead(self):
        self.only(self.well.with_agent(self.standby, alive=False), '(RHA203)')

    def test_agent_disabled(self):
        scene = self.well.with_agent(self.standby, admin_state_up=False)
        self.only(scene, 'disabled (RHA204)')

    def test_not_hosted(self):
        scene = self.well.without_agents(self.standby)
        self.only(scene, '(RHA602)')

    def test_ha_port_down(self):
        port = self.well.ha_port(self.standby)
        self.only(self.well.with_port(port.id, status='DOWN'), '(RHA402)')

    def test_ha_port_missing(self):
        port = self.well.ha_port(self.standby)
        self.only(self.well.without_port(port.id), '(RHA214)')

    def test_agents_not_told(self):
        planned = self.refused(self.well.with_router(agents=None))
        self.assertIn('whether its L3 agent lives', planned)

    def test_ports_not_told(self):
        message = self.refused(self.well.with_router(ports=None))
        for host in self.well.standbys:
            self.assertIn(f'{host}: Neutron does not tell the', message)

    # -- what the node shows -------------------------------------------------

    def test_not_reachable(self):
        scene = self.well.with_unreachable(self.standby)
        self.only(scene, '(RHA901)')
        (host,) = (h for h in scene.hosts if h.host == self.standby)
        self.only(scene, host.failure.message.rstrip('.'))

    def test_not_looked_at(self):
        self.only(self.well.without_host(self.standby), '(RHA902)')
        self.first(
            self.well.with_view(self.standby, processes=None), '(RHA902)'
        )
        self.first(self.well.with_view(self.standby, files=False), '(RHA902)')

    def test_no_namespace(self):
        scene = self.well.without_namespace(self.standby)
        self.only(scene, 'there is no namespace for it (RHA601)')

    def test_no_keepalived_conf(self):
        scene = self.well.with_view(self.standby, keepalived_conf=None)
        self.only(scene, 'is missing (RHA605)')

    def test_unreadable_keepalived_conf(self):
        scene = self.well.with_view(
            self.standby,
            keepalived_conf=None,
            problems=(view.Problem('keepalived_conf', 'no } for {'),),
        )
        self.only(scene, 'no } for { (RHA605)')

    def test_keepalived_conf_without_numbers(self):
        for key, name in (
            ('priority', 'priority'),
            ('advert_int', 'advert_int'),
            ('virtual_router_id', 'vrid'),
        ):
            scene = self.well.with_conf(self.standby, **{name: None})
            self.first(scene, f'names no {key}')
        scene = self.well.with_conf(self.standby, priority=None, vrid=None)
        self.first(scene, 'names no virtual_router_id and no priority')
        self.first(
            self.well.with_conf(self.standby, advert_int=0.0), 'interval 0'
        )

    def test_keepalived_dead(self):
        self.only(self.well.without_keepalived(self.standby), '(RHA301)')

    def test_no_parent(self):
        scene = self.well.without_processes(self.standby, 'keepalived')
        self.only(scene, '(RHA303)')

    def test_no_child(self):
        scene = self.well.without_processes(self.standby, 'keepalived-vrrp')
        self.only(scene, '(RHA302)')

    def test_stopped(self):
        scene = self.well.with_process(
            self.standby, 'keepalived-vrrp', state='T'
        )
        self.only(scene, '(RHA304)')

    def test_zombie(self):
        for role in ('keepalived', 'keepalived-vrrp'):
            scene = self.well.with_process(self.standby, role, state='Z')
            self.only(scene, 'no live keepalived with its VRRP process')

    def test_a_dead_one_beside_the_living_does_not_matter(self):
        scene = self.well.with_new_process(
            self.standby,
            'keepalived-vrrp',
            ppid=self.well.pid(self.standby, 'keepalived'),
        )
        dead = tuple(
            dataclasses.replace(p, state='Z') if p.pid == scenes.PID else p
            for p in scene.shown(self.standby).processes
        )
        scene = scene.with_view(self.standby, processes=dead)
        planned = base.make(scene, to=self.standby)
        self.assertEqual(self.standby, planned.target)

    def test_monitor_dead(self):
        scene = self.well.without_processes(self.standby, 'monitor')
        self.only(scene, '(RHA305)')

    def test_ha_device_down(self):
        device = self.well.device(self.standby, 'ha-')
        self.only(self.well.with_link_down(self.standby, device), '(RHA401)')

    def test_ha_device_missing(self):
        device = self.well.device(self.standby, 'ha-')
        self.only(self.well.without_link(self.standby, device), '(RHA401)')

    def test_another_ha_device_does_not_help(self):
        scene = self.well.with_new_link(self.standby, 'ha-ffffffff-ff')
        for change in (scene.without_link, scene.with_link_down):
            device = self.well.device(self.standby, 'ha-')
            self.first(change(self.standby, device), device)

    def test_router_device_missing(self):
        for prefix in ('qg-', 'qr-'):
            device = self.well.device(self.standby, prefix)
            scene = self.well.without_link(self.standby, device)
            self.only(scene, f'{device} is missing')

    def test_device_of_the_file_missing(self):
        device = self.well.device(self.standby, 'qg-')
        (port,) = self.well.ports(scenes.GATEWAY_PORT)
        scene = self.well.without_port(port.id)
        self.only(
            scene.without_link(self.standby, device),
            f'{device} of keepalived.conf is missing',
        )

    # -- what it holds -------------------------------------------------------

    def test_stale_vip(self):
        scene = self.well.without_keepalived(self.standby)
        scene = scene.with_vip(self.standby)
        message = self.refused(scene, to=self.standby)
        self.assertIn('(RHA101)', message)

    def test_vip_beside_the_active_one(self):
        scene = self.well.with_vip(self.standby)
        scene = scene.hearing(self.active, self.active)
        self.assertIn('(RHA103)', self.refused(scene, to=self.standby))

    def test_address_of_the_active_one(self):
        scene = self.well.with_address(self.standby, self.well.gateway)
        self.only(scene, '(RHA504)')

    # -- against the active one ----------------------------------------------

    def test_other_addresses(self):
        conf = self.well.conf(self.standby)
        gone = self.well.floating_ip
        fewer = tuple(a for a in conf.excluded if a.address != gone)
        added = view.ConfiguredAddress('192.0.2.9/32', fewer[0].device)
        self.only(
            self.well.with_conf(self.standby, excluded=fewer),
            f'lacks {gone}, which {self.active} has (RHA606)',
        )
        self.only(
            self.well.with_conf(
                self.standby, excluded=(*conf.excluded, added)
            ),
            f'has 192.0.2.9/32, which {self.active} has not (RHA606)',
        )

    def test_other_virtual_router_id(self):
        vrid = self.well.conf(self.active).vrid
        scene = self.well.with_conf(self.standby, vrid=vrid % 255 + 1)
        self.first(scene, f'on {self.active} it is {vrid} (RHA606)')

    def test_other_interval(self):
        scene = self.well.with_conf(self.standby, advert_int=9.0)
        self.only(scene, 'advert_int 9.0')

    def test_a_file_of_a_third_node_does_not_matter(self):
        scene = self.well.with_conf(self.standby, advert_int=9.0)
        planned = base.make(scene, ignore=frozenset(('RHA606',)))
        self.assertEqual(self.other, planned.target)

    # -- what it heard -------------------------------------------------------

    def test_not_listened(self):
        scene = self.well.with_view(self.standby, listening=None)
        self.only(scene, 'nobody listened')

    def test_nothing_heard(self):
        self.only(self.well.hearing(self.standby), 'no advertisement of')

    def test_heard_itself(self):
        scene = self.well.hearing(self.standby, self.standby)
        self.only(scene, f'no advertisement of {self.active} was heard')

    def test_heard_another(self):
        scene = self.well.hearing(self.standby, self.other)
        address = self.well.ha_port(self.other).addresses[0]
        self.only(scene, f'but of {address}')

    def test_heard_of_another_router(self):
        listening = self.well.shown(self.standby).listening
        adverts = tuple(
            dataclasses.replace(advert, vrid=advert.vrid % 255 + 1)
            for advert in listening.adverts
        )
        scene = self.well.with_view(
            self.standby,
            listening=dataclasses.replace(listening, adverts=adverts),
        )
        self.only(scene, 'no advertisement of')

    def test_sender_known_by_its_device_alone(self):
        """Where Neutron does not show ports, addresses tell."""
        port = self.well.ha_port(self.active)
        scene = self.well.with_port(port.id, addresses=('192.0.2.1',))
        planned = base.make(scene)
        self.assertEqual([(), ()], [c.obstacles for c in planned.candidates])
