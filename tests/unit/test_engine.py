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

"""Gather, diagnose, look again, report."""

import dataclasses
import uuid

import testtools

from osc_ha_router import engine
from osc_ha_router.backends import base
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import view
from tests.unit import fakes
from tests.unit.scene import Scene

#: what listening takes by default, see Neutron's ha_vrrp_advert_int
LISTEN = 7.0


def renamed(scene: Scene, number: int) -> Scene:
    """Return the same as another router of the same cloud."""
    id_ = str(uuid.UUID(int=number))
    scene = scene.with_router(id=id_, name=f'r{number}')
    return dataclasses.replace(
        scene,
        hosts=tuple(
            dataclasses.replace(
                shown,
                views=tuple(
                    dataclasses.replace(
                        v, router_id=id_, namespace=f'qrouter-{id_}'
                    )
                    for v in shown.views
                ),
                residents=tuple(
                    dataclasses.replace(r, router_id=id_)
                    for r in shown.residents or ()
                ),
            )
            for shown in scene.hosts
        ),
    )


class EngineTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.active = self.healthy.reported
        self.standby, self.other = self.healthy.standbys
        self.slept = []
        self.told = []

    def run_looks(self, *looks, hosts=None, **question):
        """Check what is one scene, or several, at each look."""
        looks = [[look] if isinstance(look, Scene) else look for look in looks]
        self.source = fakes.Source(*looks, hosts=hosts)
        self.backend = fakes.Backend(*looks)
        machine = engine.Engine(
            self.source,
            self.backend,
            notify=self.told.append,
            sleep=self.slept.append,
        )
        return machine.check(engine.Question(**question))

    def names(self, answer):
        (report,) = answer.reports
        return {(f.name, f.host) for f in report.findings}


class LookAgainTest(EngineTest):
    def setUp(self):
        super().setUp()
        self.broken = self.healthy.without_processes(self.standby, 'monitor')

    def test_not_when_healthy(self):
        answer = self.run_looks(self.healthy, self.broken)
        self.assertEqual(set(), self.names(answer))
        self.assertEqual(1, len(self.backend.requests))
        self.assertEqual(([], []), (self.slept, self.told))

    def test_not_for_what_does_not_settle(self):
        dead = self.healthy.with_agent(self.standby, alive=False)
        answer = self.run_looks(dead, self.healthy)
        self.assertEqual({('agent-dead', self.standby)}, self.names(answer))
        self.assertEqual([], self.slept)

    def test_for_what_may_settle(self):
        answer = self.run_looks(self.broken, self.broken)
        self.assertEqual({('monitor-dead', self.standby)}, self.names(answer))
        self.assertEqual([10.0], self.slept)
        self.assertEqual([(self.healthy.router.id,)], self.source.asked_again)
        self.assertEqual(2, len(self.backend.requests))

    def test_tells_that_it_takes_time(self):
        self.run_looks(self.broken, recheck=20.0)
        (message,) = self.told
        self.assertIn('Router r1', message)
        self.assertIn('again in 20 s', message)

    def test_tells_of_how_many(self):
        self.run_looks([renamed(self.broken, n) for n in range(3)])
        (message,) = self.told
        self.assertIn('3 routers', message)

    def test_settled_meanwhile(self):
        answer = self.run_looks(self.broken, self.healthy, recheck=4.0)
        (report,) = answer.reports
        (found,) = report.findings
        self.assertEqual('changed-meanwhile', found.name)
        self.assertIn('4 s earlier: monitor-dead', found.summary)
        self.assertEqual('INFO', report.health)

    def test_something_else_meanwhile(self):
        """The second look counts, whatever it shows."""
        second = self.healthy.without_namespace(self.other)
        answer = self.run_looks(self.broken, second)
        self.assertEqual(
            {('changed-meanwhile', None), ('namespace-absent', self.other)},
            self.names(answer),
        )

    def test_moved_meanwhile(self):
        moved = (
            self.broken.with_role(self.standby)
            .without_role(self.active)
            .with_agent(self.active, ha_state='standby')
            .with_agent(self.standby, ha_state='active')
        )
        answer = self.run_looks(self.broken, moved, recheck=5.0)
        (report,) = answer.reports
        self.assertEqual([self.standby], report.active_hosts)
        (found,) = (f for f in report.findings if f.name == 'active-moved')
        self.assertEqual(
            f'the active role moved from {self.active} to {self.standby} '
            'within 5 s',
            found.summary,
        )

    def test_a_failover_that_was_under_way(self):
        """None active at first, one later."""
        first = self.healthy.without_role(self.active)
        answer = self.run_looks(first, self.healthy)
        self.assertEqual({('changed-meanwhile', None)}, self.names(answer))

    def test_not_with_recheck_0(self):
        answer = self.run_looks(self.broken, self.healthy, recheck=0.0)
        self.assertEqual({('monitor-dead', self.standby)}, self.names(answer))
        self.assertEqual(1, len(self.backend.requests))

    def test_not_when_told_that_nothing_can_change(self):
        source = fakes.Source([self.broken], [self.healthy])
        backend = fakes.Backend([self.broken], [self.healthy])
        machine = engine.Engine(source, backend, sleep=self.slept.append)
        answer = machine.check(engine.Question(), recheck=False)
        self.assertEqual({('monitor-dead', self.standby)}, self.names(answer))
        self.assertEqual([], self.slept)

    def test_ignored_findings_stay_ignored(self):
        (found,) = self.broken.judge().findings
        answer = self.run_looks(
            self.broken, self.broken, ignore=frozenset((found.code,))
        )
        (report,) = answer.reports
        self.assertEqual([True], [f.ignored for f in report.findings])
        self.assertEqual('OK', report.health)

    def test_only_the_routers_in_question(self):
        fine, bad = renamed(self.healthy, 1), renamed(self.broken, 2)
        answer = self.run_looks([fine, bad], [fine, renamed(self.healthy, 2)])
        self.assertEqual([(bad.router.id,)], self.source.asked_again)
        for request in self.backend.requests[1]:
            self.assertEqual((bad.router.id,), request.routers)
        self.assertEqual(
            {'r1': 'OK', 'r2': 'INFO'},
            {r.router.name: str(r.health) for r in answer.reports},
        )

    def test_deleted_meanwhile(self):
        fine, bad = renamed(self.healthy, 1), renamed(self.broken, 2)
        answer = self.run_looks([fine, bad], [fine])
        self.assertEqual(['r1'], [r.router.name for r in answer.reports])
        self.assertEqual(['r1'], [r.name for r in answer.look.claims.routers])


class LessTest(EngineTest):
    """What the second look could not see is not gone."""

    def setUp(self):
        super().setUp()
        self.broken = self.healthy.without_processes(self.standby, 'monitor')

    def assert_first(self, first, later, word='saw less of Router r1'):
        answer = self.run_looks(first, later)
        self.assertEqual(first.found(), self.names(answer))
        (report,) = answer.reports
        self.assertEqual(first.judge().health, report.health)
        self.assertIn(word, self.told[-1])
        # what is saved is what was judged
        again = verdict.judge(*answer.look.claims.routers, answer.look.hosts)
        self.assertEqual(first.judge().findings, again.findings)

    def test_a_node_that_fails(self):
        lost = self.healthy.without_role(self.active)
        for host in self.healthy.names:
            self.assert_first(lost, self.healthy.with_unreachable(host))

    def test_the_node_that_is_all_of_it(self):
        """A leftover: nobody would miss it in the second report."""
        left = self.healthy.without_agents(self.standby)
        self.assert_first(left, left.with_unreachable(self.standby))

    def test_a_node_that_shows_a_part(self):
        blind = self.healthy.with_view(
            self.standby, addresses=None, processes=None
        )
        self.assert_first(self.broken, blind)

    def test_a_part_of_a_node_that_fails(self):
        """Unknown before and after, and still a finding less."""
        first = self.broken.with_view(self.standby, addresses=None)
        self.assert_first(first, first.with_unreachable(self.standby))

    def test_neutron_tells_less(self):
        for changes in (
            {'agents': None, 'ports': None, 'peers': None, 'gaps': ('x',)},
            {'ports': None, 'gaps': ('its ports',)},
            {'floating_ips': None, 'gaps': ('its floating IPs',)},
        ):
            later = self.healthy.with_router(**changes)
            self.assert_first(self.broken, later)

    def test_what_was_not_seen_before_is_not_missed(self):
        """The other nodes have something to say."""
        dead = self.broken.with_unreachable(self.other)
        answer = self.run_looks(
            dead, self.healthy.with_unreachable(self.other)
        )
        # with a node unknown, nobody can say what is gone
        self.assertEqual(
            {('node-unreachable', self.other)}, self.names(answer)
        )

    def test_a_move_is_seen_all_the_same(self):
        dead = self.broken.with_unreachable(self.other)
        moved = dead.with_role(self.standby).without_role(self.active)
        answer = self.run_looks(dead, moved)
        self.assertIn(('active-moved', None), self.names(answer))

    def test_a_node_that_answers_at_last(self):
        """Of the routers that nobody asked for again it says nothing."""
        fine = renamed(self.healthy.with_unreachable(self.other), 1)
        bad = renamed(self.broken.with_unreachable(self.other), 2)
        answer = self.run_looks(
            [fine, bad], [renamed(self.healthy, 1), renamed(self.healthy, 2)]
        )
        self.assertEqual(
            {'r1': {'node-unreachable'}, 'r2': {'changed-meanwhile'}},
            {
                r.router.name: {f.name for f in r.findings}
                for r in answer.reports
            },
        )
        (shown,) = (h for h in answer.look.hosts if h.host == self.other)
        self.assertIsNotNone(shown.failure)
        self.assertEqual([bad.router.id], [v.router_id for v in shown.views])
        for report in answer.reports:
            again = verdict.judge(report.router, answer.look.hosts)
            self.assertEqual(
                [r.observed for r in report.replicas],
                [r.observed for r in again.replicas],
            )

    def test_others_are_settled(self):
        first = [renamed(self.broken, 1), renamed(self.broken, 2)]
        lost = renamed(self.healthy, 2).with_view(
            self.standby, addresses=None, processes=None
        )
        answer = self.run_looks(first, [renamed(self.healthy, 1), lost])
        self.assertEqual(
            {'r1': {'changed-meanwhile'}, 'r2': {'monitor-dead'}},
            {
                r.router.name: {f.name for f in r.findings}
                for r in answer.reports
            },
        )


class UnseenTest(EngineTest):
    """Nodes that no report is about."""

    def run_with(self, *failed, **question):
        scene = self.healthy
        spare = view.HostView('spare', residents=())
        scene = dataclasses.replace(scene, hosts=(*scene.hosts, spare))
        for host in failed:
            scene = scene.with_unreachable(host)
        answer = self.run_looks(scene, **question)
        return [shown.host for shown in answer.unseen]

    def test_all_answered(self):
        self.assertEqual([], self.run_with())

    def test_one_without_routers(self):
        self.assertEqual(['spare'], self.run_with('spare'))
        self.assertEqual(['spare'], self.run_with('spare', names=('r1',)))

    def test_one_that_a_report_names(self):
        self.assertEqual([], self.run_with(self.standby))
        self.assertEqual(['spare'], self.run_with(self.standby, 'spare'))

    def test_nobody_asked(self):
        crowd = tuple(f'other{number}' for number in range(50))
        self.assertEqual(
            [],
            self.run_with(
                'spare',
                names=('r1',),
                hosts=(*self.healthy.names, *crowd, 'spare'),
            ),
        )


class ListenTest(EngineTest):
    def setUp(self):
        super().setUp()
        self.two = self.healthy.with_role(self.standby)
        self.cut = self.two.hearing(self.active, self.active).hearing(
            self.standby, self.standby
        )

    def listened(self):
        """Seconds of listening at each look."""
        return [
            sorted({request.listen for request in requests})
            for requests in self.backend.requests
        ]

    def test_when_several_hold_the_vip(self):
        answer = self.run_looks(self.two, self.cut)
        self.assertEqual([[0.0], [LISTEN]], self.listened())
        self.assertIn(('ha-network-cut', None), self.names(answer))
        self.assertNotIn(('multiple-active', None), self.names(answer))

    def test_not_for_anything_else(self):
        broken = self.healthy.without_processes(self.standby, 'monitor')
        self.run_looks(broken, broken)
        self.assertEqual([[0.0], [0.0]], self.listened())

    def test_is_part_of_the_wait(self):
        self.run_looks(self.two, self.cut, recheck=10.0)
        self.assertEqual([10.0 - LISTEN], self.slept)

    def test_is_not_cut_short_by_a_short_wait(self):
        self.run_looks(self.two, self.cut, recheck=2.0)
        self.assertEqual([0.0], self.slept)
        self.assertEqual([LISTEN], self.listened()[1])

    def test_as_long_as_asked_for(self):
        self.run_looks(self.cut, self.cut, listen=9.0)
        self.assertEqual([[9.0], [9.0]], self.listened())


class TimeoutTest(EngineTest):
    def test_backend_gets_what_is_left(self):
        self.run_looks(self.healthy, timeout=30.0)
        (left,) = self.backend.left
        self.assertTrue(25 < left <= 30, left)

    def test_no_second_look_when_time_is_up(self):
        broken = self.healthy.without_processes(self.standby, 'monitor')
        answer = self.run_looks(broken, self.healthy, timeout=0.0)
        self.assertEqual({('monitor-dead', self.standby)}, self.names(answer))
        self.assertEqual([], self.slept)
        (message,) = self.told
        self.assertIn('no second look, as 0 s were left for it', message)
        self.assertIn('Router r1 may be in the middle of a change', message)

    def test_no_second_look_that_could_not_be_finished(self):
        """A part of one would be worth less than the first."""
        broken = self.healthy.without_processes(self.standby, 'monitor')
        two = self.healthy.with_role(self.standby)
        for scene, recheck, timeout in (
            (broken, 600.0, 5.0),
            (broken, 5.0, 5.5),
            # it would listen longer than it waits
            (two, 2.0, LISTEN),
        ):
            answer = self.run_looks(scene, recheck=recheck, timeout=timeout)
            self.assertEqual(scene.found(), self.names(answer))
            self.assertEqual(1, len(self.backend.requests))
            self.assertEqual([], self.slept)
            self.assertIn('There was no second look', self.told.pop())


class RequestsTest(EngineTest):
    """Which hosts are asked for what."""

    def asked(self):
        return {r.host: r.routers for r in self.backend.requests[0]}

    def test_one_request_for_each_host(self):
        routers = [renamed(self.healthy, number) for number in range(5)]
        self.run_looks(routers)
        hosts = [request.host for request in self.backend.requests[0]]
        self.assertEqual(sorted(set(hosts)), hosts)

    def test_named_router_in_a_small_cloud(self):
        """Other hosts are looked at for leftovers."""
        self.run_looks(
            self.healthy,
            hosts=(*self.healthy.names, 'spare'),
            names=(self.healthy.router.name,),
        )
        ids = (self.healthy.router.id,)
        self.assertEqual(
            dict.fromkeys((*self.healthy.names, 'spare'), ids), self.asked()
        )

    def test_named_router_in_a_large_cloud(self):
        crowd = tuple(f'other{number}' for number in range(50))
        self.run_looks(
            self.healthy,
            hosts=(*self.healthy.names, *crowd),
            names=(self.healthy.router.name,),
        )
        self.assertEqual(set(self.healthy.names), set(self.asked()))

    def test_named_router_that_may_be_anywhere(self):
        """Neutron does not say where, so each host of a large cloud does."""
        crowd = tuple(f'other{number}' for number in range(50))
        scene = self.healthy.with_router(agents=None)
        hosts = (*self.healthy.names, *crowd)
        self.run_looks(scene, hosts=hosts, names=(scene.router.name,))
        self.assertEqual(
            dict.fromkeys(hosts, (scene.router.id,)), self.asked()
        )

    def test_sweep_asks_every_host_for_everything(self):
        crowd = tuple(f'other{number}' for number in range(50))
        hosts = (*self.healthy.names, *crowd)
        self.run_looks(self.healthy, hosts=hosts)
        self.assertEqual(dict.fromkeys(hosts), self.asked())

    def test_sweep_of_one_host_asks_for_its_routers(self):
        routers = [renamed(self.healthy, number) for number in range(2)]
        self.run_looks(routers, host=self.active)
        ids = tuple(sorted(scene.router.id for scene in routers))
        self.assertEqual({ids}, set(self.asked().values()))
        self.assertEqual([((), None, self.active)], self.source.asked)

    def test_nobody_to_ask(self):
        scene = self.healthy.with_router(agents=None, gaps=('agents',))
        answer = self.run_looks(dataclasses.replace(scene, hosts=()))
        self.assertEqual([], self.backend.requests[0])
        self.assertEqual('UNKNOWN', answer.reports[0].health)

    def test_filters_reach_neutron(self):
        self.run_looks(self.healthy, names=('r1',), project='p', host='h')
        self.assertEqual([(('r1',), 'p', 'h')], self.source.asked)


class JudgeTest(EngineTest):
    def test_another_judge_has_the_word_at_each_look(self):
        broken = self.healthy.without_processes(self.standby, 'monitor')
        asked = []

        def judge(router, hosts, ignore):
            asked.append((router, {h.host for h in hosts}, ignore))
            return verdict.judge(
                dataclasses.replace(router, name='renamed'), hosts, ignore
            )

        machine = engine.Engine(
            fakes.Source([broken]),
            fakes.Backend([broken]),
            sleep=self.slept.append,
            judge=judge,
        )
        question = engine.Question(ignore=frozenset(('RHA999',)))
        (report,) = machine.check(question).reports
        self.assertEqual('renamed', report.router.name)
        self.assertEqual(
            [(broken.router, set(broken.names), {'RHA999'})] * 2, asked
        )


class LookTest(EngineTest):
    """What is saved leads to the same verdict."""

    def assert_same_verdict(self, *looks, **question):
        answer = self.run_looks(*looks, **question)
        for report in answer.reports:
            again = verdict.judge(report.router, answer.look.hosts)
            self.assertEqual(
                [(r.host, r.observed, r.failure) for r in report.replicas],
                [(r.host, r.observed, r.failure) for r in again.replicas],
            )
            added = ('changed-meanwhile', 'active-moved')
            self.assertEqual(
                [f for f in report.findings if f.name not in added],
                list(again.findings),
            )
        self.assertEqual(
            [r.router for r in answer.reports],
            list(answer.look.claims.routers),
        )

    def test_one_look(self):
        self.assert_same_verdict(self.healthy)

    def test_second_look(self):
        broken = self.healthy.without_processes(self.standby, 'monitor')
        self.assert_same_verdict(broken, self.healthy)

    def test_namespace_gone_at_the_second_look(self):
        broken = self.healthy.without_processes(self.standby, 'monitor')
        self.assert_same_verdict(
            broken, self.healthy.without_namespace(self.standby)
        )

    def test_host_gone_at_the_second_look(self):
        broken = self.healthy.without_processes(self.standby, 'monitor')
        self.assert_same_verdict(
            broken, self.healthy.with_unreachable(self.standby)
        )

    def test_routers_that_were_not_looked_at_again_stay(self):
        broken = self.healthy.without_processes(self.standby, 'monitor')
        fine, bad = renamed(self.healthy, 1), renamed(broken, 2)
        self.assert_same_verdict([fine, bad], [fine, renamed(self.healthy, 2)])


class DeadlineTest(testtools.TestCase):
    def test_never_below_zero(self):
        self.assertEqual(0.0, base.Deadline.after(-1).left())
