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

import testtools

from osc_ha_router import errors
from osc_ha_router.failover import plan
from osc_ha_router.model import view
from tests.unit.failover import base

SINCE = '2026-07-01T02:03:04Z'


class PlanTest(base.PlanTest):
    def test_healthy(self):
        planned = base.make(self.well)
        self.assertEqual(self.active, planned.source)
        self.assertEqual(min(self.well.standbys), planned.target)
        self.assertEqual('promote', planned.method)
        self.assertIs(False, planned.done)
        self.assertEqual(
            [plan.Candidate(host, ()) for host in sorted(self.well.standbys)],
            list(planned.candidates),
        )
        self.assertEqual((), planned.warnings)
        self.assertEqual(
            self.well.conf(self.active).advert_int, planned.advert_int
        )
        self.assertEqual(self.well.names, planned.hosts)
        self.assertIs(planned.report.router, planned.router)

    def test_interval_of_the_router(self):
        scene = self.well
        for host in scene.names:
            scene = scene.with_conf(host, advert_int=0.5)
        self.assertEqual(0.5, base.make(scene).advert_int)
        scene = scene.with_conf(self.active, advert_int=None)
        self.assertEqual(2.0, base.make(scene, to=self.active).advert_int)

    def test_each_standby_by_each_method(self):
        for target in self.well.standbys:
            for method in (None, 'promote', 'handover'):
                planned = base.make(self.well, to=target, method=method)
                self.assertEqual(target, planned.target)
                self.assertEqual(method or 'promote', planned.method)

    def test_release_leaves_the_winner_open(self):
        planned = base.make(self.well, method='release')
        self.assertIsNone(planned.target)
        self.assertEqual('release', planned.method)
        self.assertIn('another node takes over', ' '.join(planned.unproven))

    def test_ready_ones_first(self):
        first = min(self.well.standbys)
        scene = self.well.with_agent(first, alive=False)
        planned = base.make(scene, ignore=frozenset(('RHA203',)))
        self.assertEqual(
            [max(self.well.standbys), first],
            [c.host for c in planned.candidates],
        )

    def test_who_has_fewer_findings_is_chosen(self):
        first = min(self.well.standbys)
        scene = self.well.with_state_file(first, 'primary')
        planned = base.make(scene, ignore=frozenset(('RHA306',)))
        self.assertEqual(max(self.well.standbys), planned.target)
        planned = base.make(scene, to=first, ignore=frozenset(('RHA306',)))
        self.assertEqual(first, planned.target)

    def test_hosts_that_take_part(self):
        """Who has nothing to lock is not asked to."""
        ignore = frozenset(('RHA601', 'RHA605', 'RHA901', 'RHA902'))
        for scene in (
            self.well.without_namespace(self.standby),
            self.well.with_unreachable(self.standby),
            self.well.with_view(self.standby, keepalived_conf=None),
        ):
            planned = base.make(scene, ignore=ignore)
            self.assertEqual(sorted((self.active, self.other)), planned.hosts)

    def test_what_is_not_proven(self):
        planned = base.make(self.well)
        text = ' '.join(planned.unproven)
        for words in ('keepalived.conf', 'takes over', 'nobody else', 'SNAT'):
            self.assertIn(words, text)
        self.assertIn(planned.target, text)

    def test_no_connections_to_lose_without_a_gateway(self):
        planned = base.make(self.well.with_router(gateway=False))
        self.assertNotIn('SNAT', ' '.join(planned.unproven))

    def test_conntrackd_keeps_connections(self):
        scene = self.well.with_new_process(self.active, 'conntrackd')
        self.assertIn('SNAT', ' '.join(base.make(scene).unproven))
        scene = self.well.with_new_process(self.standby, 'conntrackd')
        planned = base.make(scene, to=self.standby)
        self.assertIn('SNAT', ' '.join(planned.unproven))
        planned = base.make(
            scene.with_new_process(self.active, 'conntrackd'), to=self.standby
        )
        self.assertNotIn('SNAT', ' '.join(planned.unproven))


class DoneTest(base.PlanTest):
    def test_active_already(self):
        planned = base.make(self.well, to=self.active)
        self.assertIs(True, planned.done)
        self.assertEqual(
            (self.active, self.active, ''),
            (planned.source, planned.target, planned.method),
        )
        self.assertEqual(((), ()), (planned.warnings, planned.unproven))

    def test_health_does_not_matter(self):
        for scene in (
            self.healthy,
            self.well.with_unreachable(self.standby),
            self.well.without_keepalived(self.standby),
            self.well.with_agent(self.active, alive=False),
        ):
            self.assertIs(True, base.make(scene, to=self.active).done)

    def test_guard_holds(self):
        message = self.refused(self.well, to=self.active, from_=self.standby)
        self.assertIn(f'{self.active} is the active node', message)

    def test_not_alone(self):
        scene = self.well.without_keepalived(self.standby)
        scene = scene.with_vip(self.standby)
        self.assertIn('RHA101', self.refused(scene, to=self.active))


class WishTest(base.PlanTest):
    def test_from(self):
        planned = base.make(self.well, from_=self.active)
        self.assertEqual(self.active, planned.source)
        message = self.refused(self.well, from_=self.standby)
        self.assertIn(f'not active on {self.standby}', message)
        self.assertIn(f'--from {self.active}', message)

    def test_unknown_target(self):
        message = self.refused(self.well, to='net99')
        self.assertIn('net99 does not host it', message)
        for host in self.well.names:
            self.assertIn(host, message)

    def test_unfit_target_with_all_its_obstacles(self):
        scene = self.well.without_keepalived(self.standby)
        scene = scene.with_agent(self.standby, alive=False)
        message = self.refused(scene, to=self.standby)
        for words in ('(RHA203)', '(RHA301)', self.other):
            self.assertIn(words, message)

    def test_obstacles_cannot_be_ignored(self):
        scene = self.well.with_agent(self.standby, alive=False)
        self.assertIn(
            '(RHA203)',
            self.refused(
                scene, to=self.standby, ignore=frozenset(('RHA203',))
            ),
        )

    def test_release_does_not_choose(self):
        message = self.refused(self.well, to=self.standby, method='release')
        self.assertIn('VRRP chooses', message)

    def test_unknown_method(self):
        self.assertIn('magic', self.refused(self.well, method='magic'))

    def test_nobody_is_ready(self):
        scene = self.well.without_keepalived(self.standby)
        scene = scene.with_agent(self.other, alive=False)
        message = self.refused(scene)
        for words in (
            f'{self.standby}: no keepalived',
            f'{self.other}: the L3 agent sends no heartbeat',
        ):
            self.assertIn(words, message)
        self.assertNotIn('--ignore', message)

    def test_no_other_replica(self):
        scene = self.well.without_agents(self.standby, self.other)
        for host in (self.standby, self.other):
            scene = scene.without_namespace(host)
        self.assertIn('no other replica', self.refused(scene))


class ActiveTest(base.PlanTest):
    def test_split_brain(self):
        scene = self.well.with_role(self.standby)
        for host in (self.active, self.standby):
            scene = scene.hearing(host, host)
        message = self.refused(scene, to=self.standby)
        for words in ('2 nodes are active', 'RHA104', 'router ha check'):
            self.assertIn(words, message)
        self.assertEqual(
            message,
            self.refused(
                scene, to=self.standby, ignore=frozenset(('RHA104',))
            ),
        )

    def test_nobody(self):
        scene = self.well.without_role(self.active)
        message = self.refused(scene)
        self.assertIn('no node is active', message)
        self.assertIn('RHA107', message)

    def test_unknown(self):
        scene = self.well.with_unreachable(self.active)
        message = self.refused(scene, ignore=frozenset(('RHA901',)))
        self.assertIn('not known which node is active', message)
        self.assertIn(f'on {self.active}: could not be looked at', message)
        self.assertNotIn('--ignore', message)

    def test_caller_without_rights(self):
        scene = self.well.with_router(agents=None, ports=None)
        self.assertIn('Neutron does not tell', self.refused(scene))
        # who is not told of agents has no node to look at, either
        message = self.refused(dataclasses.replace(scene, hosts=()))
        self.assertIn('not known which nodes it is on', message)
        self.assertIn('ask one to do it', message)
        self.assertNotIn('Cure that', message)


class ErrandTest(base.PlanTest):
    def with_errand(self, state: str, host: str):
        errand = view.Errand('admin@control1', SINCE, state, 'was cut off')
        return self.well.with_view(host, errand=errand)

    def test_locked(self):
        """Wherever it is under way, and even if all is as it is wished."""
        for host in self.well.names:
            scene = self.with_errand('under-way', host)
            for wish in ({}, {'to': self.active}, {'to': self.standby}):
                refusal = self.assertRaises(
                    errors.Locked, base.make, scene, **wish
                )
                for words in ('admin@control1', SINCE, host):
                    self.assertIn(words, str(refusal))
        every = frozenset(('RHA607',))
        self.assertRaises(errors.Locked, base.make, scene, ignore=every)

    def test_left(self):
        """Two with the highest priority would compete."""
        for host in self.well.names:
            scene = self.with_errand('left', host)
            message = self.refused(scene, ignore=frozenset(('RHA609',)))
            self.assertIn('RHA609', message)
            self.assertNotIn('--ignore', message)
        scene = self.with_errand('left', self.standby)
        self.assertIn('(RHA609)', self.refused(scene, to=self.standby))

    def test_undone(self):
        for host in self.well.names:
            planned = base.make(self.with_errand('undone', host))
            (warning,) = planned.warnings
            self.assertIn('RHA608', warning)


class HealthTest(base.PlanTest):
    def test_refused_with_the_way_out(self):
        scene = self.well.without_processes(self.active, 'monitor')
        message = self.refused(scene)
        for words in (
            'RHA305 monitor-dead (WARNING)',
            f'on {self.active}: ',
            'finding show RHA305',
            '--ignore RHA305',
        ):
            self.assertIn(words, message)

    def test_ignored_is_a_warning(self):
        scene = self.well.without_processes(self.active, 'monitor')
        planned = base.make(scene, ignore=frozenset(('RHA305',)))
        (warning,) = planned.warnings
        self.assertTrue(warning.endswith('(ignored)'), warning)
        self.assertIn('RHA305 monitor-dead (WARNING)', warning)

    def test_each_code_is_offered_once(self):
        scene = self.well
        for host in scene.names:
            scene = scene.with_state_file(host, 'fault')
        message = self.refused(scene.with_state_file(self.active, 'backup'))
        self.assertEqual(1, message.count('--ignore RHA306'))

    def test_info_is_told_and_passes(self):
        scene = self.well.with_peers(4, 4)
        (warning,) = base.make(scene).warnings
        self.assertIn('fewer-replicas (INFO)', warning)

    def test_an_unreachable_third_node(self):
        scene = self.well.with_unreachable(self.standby)
        self.assertIn('--ignore RHA901', self.refused(scene))
        planned = base.make(scene, ignore=frozenset(('RHA901',)))
        self.assertEqual(self.other, planned.target)
        self.assertTrue(planned.warnings[0].endswith('(ignored)'))

    def test_ignored_by_the_wish_alone(self):
        """Whoever judged the router need not have known of it."""
        scene = self.well.without_processes(self.active, 'monitor')
        wish = plan.Wish(ignore=frozenset(('RHA305',)))
        planned = plan.make(scene.judge(), wish)
        self.assertEqual('promote', planned.method)

    def test_a_dead_agent_is_a_reason_to_move(self):
        scene = self.well.with_agent(self.active, alive=False)
        codes = frozenset(f.code for f in scene.judge().findings)
        planned = base.make(scene, ignore=codes)
        self.assertEqual('promote', planned.method)
        for code in codes:
            self.assertIn(f'--ignore {code}', self.refused(scene))

    def test_unsafe_is_not_offered(self):
        peers = self.well.with_peers(3)
        (peer,) = peers.router.peers
        (shown,) = (h for h in peers.hosts if h.host == self.other)
        resident = view.Resident(
            peer.router_id, ('qrouter-x',), self.well.conf(self.active).vrid
        )
        for code, scene in (
            (
                'RHA304',
                self.well.with_process(self.active, 'keepalived', state='T'),
            ),
            (
                'RHA312',
                self.well.with_new_process(self.active, 'keepalived'),
            ),
            (
                'RHA604',
                peers.with_host(
                    self.other, residents=(*shown.residents, resident)
                ),
            ),
            (
                'RHA313',
                self.well.with_new_process(self.other, 'keepalived-astray'),
            ),
            ('RHA212', self.well.with_router(admin_state_up=False)),
        ):
            every = frozenset(f.code for f in scene.judge().findings)
            message = self.refused(scene, ignore=every)
            self.assertIn(code, message)
            self.assertNotIn('--ignore', message)

    def test_what_can_be_ignored_beside_what_cannot(self):
        scene = self.well.with_new_process(self.active, 'keepalived')
        scene = scene.with_state_file(self.active, 'backup')
        message = self.refused(scene)
        self.assertIn('--ignore RHA306', message)
        self.assertNotIn('--ignore RHA312', message)
        self.assertIn('cannot be ignored', message)
        self.assertNotIn('all the same', message)
        scene = self.well.with_state_file(self.active, 'backup')
        self.assertIn(
            'or move it all the same: --ignore RHA306', self.refused(scene)
        )


class MethodTest(base.PlanTest):
    def test_nobody_can_be_above_the_highest(self):
        scene = self.well.with_conf(self.active, priority=254)
        self.assertEqual('handover', base.make(scene).method)
        message = self.refused(scene, method='promote')
        self.assertIn('has priority 254', message)
        self.assertTrue(
            message.endswith(
                'Possible is handover, release: --method handover'
            )
        )

    def test_unknown_priority(self):
        scene = self.well.with_conf(self.active, priority=None)
        self.assertEqual('handover', base.make(scene).method)
        self.assertIn('not known', self.refused(scene, method='promote'))

    def test_release_only_if_asked_for(self):
        for priority in (50, 254, None):
            scene = self.well.with_conf(self.active, priority=priority)
            self.assertNotEqual('release', base.make(scene).method)
            planned = base.make(scene, method='release')
            self.assertEqual('release', planned.method)

    def test_hazards_of_ending_keepalived(self):
        for method in ('handover', 'release'):
            warnings = base.make(self.well, method=method).warnings
            text = ' '.join(warnings)
            self.assertIn('check_child_processes_action', text)
            self.assertIn('check_child_processes_interval', text)
            self.assertNotIn('Nobody could take over', text)

    def test_no_redundancy_meanwhile(self):
        scene = self.well.without_agents(self.standby)
        scene = scene.without_namespace(self.standby)
        for method in ('handover', 'release'):
            text = ' '.join(base.make(scene, method=method).warnings)
            self.assertIn(f'Nobody could take over from {self.other}', text)
        self.assertEqual((), base.make(scene).warnings)

    def test_nobody_starts_keepalived_again(self):
        scene = self.well.with_agent(self.active, alive=False)
        codes = frozenset(f.code for f in scene.judge().findings)
        planned = base.make(scene, method='handover', ignore=codes)
        self.assertIn('is dead, so nobody', planned.warnings[0])
        for warning in base.make(self.well, method='handover').warnings:
            self.assertNotIn('so nobody', warning)

    def test_who_else_may_win(self):
        scene = self.well.with_agent(self.standby, alive=False)
        planned = base.make(
            scene, method='release', ignore=frozenset(('RHA203',))
        )
        text = ' '.join(planned.warnings)
        self.assertIn(f'VRRP may also choose {self.standby}', text)

    def test_who_would_take_it_back(self):
        scene = self.well.with_conf(self.active, priority=100, nopreempt=False)
        text = ' '.join(base.make(scene).warnings)
        self.assertIn(f'{self.active} has priority 100', text)
        priority = self.well.conf(self.active).priority
        for changes in (
            {'priority': 100},
            {'priority': priority, 'nopreempt': False},
        ):
            scene = self.well.with_conf(self.active, **changes)
            self.assertEqual((), base.make(scene).warnings)


class MethodsTest(testtools.TestCase):
    def test_texts(self):
        self.assertEqual(
            ['promote', 'handover', 'release'], list(plan.METHODS)
        )
        for name, method in plan.METHODS.items():
            self.assertEqual(name, method.name)
            for text in (method.summary, method.cost):
                self.assertFalse(text.endswith('.'))
                self.assertEqual(text, ' '.join(text.split()))
        for name in ('handover', 'release'):
            self.assertIn('redundancy', plan.METHODS[name].cost)

    def test_refusals_are_errors_of_the_command(self):
        self.assertEqual(1, errors.Refused('x').exit_code)
        self.assertIsInstance(errors.Locked('x'), errors.Refused)
