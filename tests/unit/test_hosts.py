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

"""What is counted for each network node."""

import dataclasses
import uuid

import hypothesis
import testtools

from osc_ha_router import capture
from osc_ha_router import engine
from osc_ha_router import hosts
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view
from osc_ha_router.sweep import substitutes
from tests.unit import strategies as model
from tests.unit.scene import Scene

COUNTS = ('active', 'standby', 'problems', 'orphans')


def answer(*scenes, names=None, alive=None, ignore=()):
    """Return what the engine says of these, all on the nodes of the first."""
    first = scenes[0]
    nodes = tuple(
        dataclasses.replace(
            shown,
            views=tuple(
                seen
                for scene in scenes
                for other in scene.hosts
                if other.host == shown.host
                for seen in other.views
            ),
        )
        for shown in first.hosts
    )
    routers = tuple(scene.router for scene in scenes)
    names = tuple(n.host for n in nodes) if names is None else names
    return engine.Answer(
        tuple(verdict.judge(r, nodes, ignore) for r in routers),
        capture.Capture(claim.Claims(routers, names, alive), nodes, ''),
    )


def renamed(scene, number):
    """Return the same as another router on the same nodes."""
    id_ = str(uuid.UUID(int=number))
    scene = scene.with_router(id=id_)
    for shown in scene.hosts:
        views = tuple(
            dataclasses.replace(v, router_id=id_) for v in shown.views
        )
        scene = scene.with_host(shown.host, views=views)
    return scene


class CountTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.active = self.healthy.reported
        self.standby, self.other = self.healthy.standbys

    def count(self, *scenes, **changes):
        """Return host -> what was counted there."""
        found = hosts.count(answer(*scenes, **changes))
        names = [host.host for host in found]
        self.assertEqual(sorted(names), names)
        return dict(zip(names, found, strict=True))

    def assert_counts(self, expected, host):
        self.assertEqual(expected, tuple(getattr(host, n) for n in COUNTS))


class HostsTest(CountTest):
    def test_healthy(self):
        found = self.count(self.healthy)
        self.assertEqual(set(self.healthy.names), set(found))
        self.assert_counts((1, 0, 0, 0), found[self.active])
        self.assert_counts((0, 1, 0, 0), found[self.standby])
        for host in found.values():
            self.assertIs(True, host.reachable)
            self.assertIs(True, host.alive)
            self.assertGreater(host.seconds, 0)
            self.assertIsNone(host.gap)

    def test_several_routers(self):
        found = self.count(
            self.healthy,
            renamed(self.healthy, 1),
            renamed(self.healthy.without_processes(self.other, 'monitor'), 2),
        )
        self.assert_counts((3, 0, 0, 0), found[self.active])
        self.assert_counts((0, 3, 0, 0), found[self.standby])
        self.assert_counts((0, 3, 1, 0), found[self.other])

    def test_agent_without_routers(self):
        names = (*self.healthy.names, 'net4', 'net5')
        scene = dataclasses.replace(
            self.healthy,
            hosts=(
                *self.healthy.hosts,
                view.HostView('net4', residents=(), seconds=0.5),
                view.HostView('net5', residents=(), seconds=0.5),
            ),
        )
        found = self.count(scene, names=names, alive=names[:-1])
        self.assert_counts((0, 0, 0, 0), found['net4'])
        self.assertIs(True, found['net4'].alive)
        self.assertIs(False, found['net5'].alive)

    def test_agent_of_which_an_older_capture_does_not_tell(self):
        names = (*self.healthy.names, 'net4')
        self.assertIsNone(self.count(self.healthy, names=names)['net4'].alive)

    def test_no_routers(self):
        nodes = (view.HostView('net1', residents=(), seconds=0.1),)
        look = capture.Capture(
            claim.Claims((), ('net1',), ('net1',)), nodes, ''
        )
        (host,) = hosts.count(engine.Answer((), look))
        self.assert_counts((0, 0, 0, 0), host)

    def test_a_problem_is_a_replica_however_many_findings_it_has(self):
        scene = self.healthy.without_processes(self.standby, 'monitor')
        scene = scene.with_agent(self.standby, alive=False)
        found = self.count(scene)
        self.assertEqual(1, found[self.standby].problems)
        self.assertIs(False, found[self.standby].alive)
        self.assertEqual(0, found[self.active].problems)

    def test_ignored_findings_are_no_problem(self):
        scene = self.healthy.without_processes(self.standby, 'monitor')
        code = catalogue.entries()['monitor-dead'].code
        found = self.count(scene, ignore=(code,))
        self.assertEqual(0, found[self.standby].problems)

    def test_active_is_what_is_seen(self):
        """Whatever Neutron says."""
        scene = self.healthy.with_role(self.standby)
        found = self.count(scene)
        self.assertEqual(1, found[self.active].active)
        self.assertEqual(1, found[self.standby].active)
        stale = scene.without_keepalived(self.standby)
        self.assert_counts((0, 0, 1, 0), self.count(stale)[self.standby])

    def test_orphan(self):
        found = self.count(self.healthy.without_agents(self.standby))
        self.assertEqual(1, found[self.standby].orphans)
        self.assertEqual(1, found[self.standby].problems)
        self.assertEqual(0, found[self.other].orphans)

    def test_orphans_where_neutron_does_not_tell_where_it_belongs(self):
        scene = self.healthy.with_router(agents=None)
        for host in self.count(scene).values():
            self.assertIsNone(host.orphans)
            self.assertEqual(hosts.NOT_LOOKED_AT, host.gap)


class UnknownTest(CountTest):
    """What was not looked at is never 0."""

    def test_unreachable(self):
        found = self.count(self.healthy.with_unreachable(self.other))
        host = found[self.other]
        self.assert_counts((None,) * 4, host)
        self.assertIs(False, host.reachable)
        self.assertIs(True, host.alive)
        self.assertEqual('refused', host.failure.kind)
        self.assertEqual(hosts.UNREACHABLE, host.gap)
        self.assert_counts((1, 0, 0, 0), found[self.active])

    def test_broken_off(self):
        """A part of what is there is no number of what is there."""
        failure = view.Failure('truncated', 'it ended', 'look again')
        scene = self.healthy.with_host(self.active, failure=failure)
        host = self.count(scene)[self.active]
        self.assert_counts((None,) * 4, host)
        self.assertIs(False, host.reachable)

    def test_nobody_looked(self):
        host = self.count(
            self.healthy.without_host(self.other), names=self.healthy.names
        )[self.other]
        self.assert_counts((None,) * 4, host)
        self.assertIsNone(host.reachable)
        self.assertIsNone(host.seconds)
        self.assertEqual(hosts.NOT_LOOKED_AT, host.gap)

    def test_not_all_that_it_has(self):
        scene = self.healthy.with_host(self.active, residents=None)
        host = self.count(scene)[self.active]
        self.assert_counts((None,) * 4, host)
        self.assertIs(True, host.reachable)

    def test_one_replica_that_was_not_seen(self):
        blind = self.healthy.with_view(
            self.standby, processes=None, addresses=None
        )
        found = self.count(self.healthy, renamed(blind, 1))
        self.assert_counts((None, None, None, 0), found[self.standby])
        self.assert_counts((2, 0, 0, 0), found[self.active])

    def test_no_time_for_all_verdicts(self):
        """The one without may be anywhere, as anything."""
        look = answer(self.healthy, renamed(self.healthy, 1))
        first, second = look.reports
        bare = substitutes.unjudged(second.router, ())
        look = dataclasses.replace(look, reports=(first, bare), unjudged=True)
        for host in hosts.count(look):
            self.assert_counts((None,) * 4, host)
            self.assertIs(True, host.reachable)
            self.assertIs(True, host.alive)
            self.assertEqual(hosts.NOT_LOOKED_AT, host.gap)

    def test_router_of_which_neutron_does_not_tell(self):
        """What is seen is counted, what needs a claim is not known."""
        stranger = dataclasses.replace(
            renamed(self.healthy, 1),
            router=claim.untold(str(uuid.UUID(int=1)), 'anything of it'),
        )
        found = self.count(self.healthy, stranger)
        self.assert_counts((2, 0, None, None), found[self.active])
        self.assert_counts((0, 2, None, None), found[self.standby])

    def test_a_part_of_a_replica_that_was_not_seen(self):
        blind = self.healthy.with_view(self.standby, routes=None)
        code = catalogue.entries()[hosts.NOT_LOOKED_AT].code
        for ignore in ((), (code,)):
            found = self.count(blind, ignore=ignore)
            self.assert_counts((0, 1, None, 0), found[self.standby])


class AnyTest(testtools.TestCase):
    @hypothesis.given(model.cases)
    @hypothesis.settings(max_examples=50)
    def test_adds_up(self, case):
        router, nodes = case
        judged = verdict.judge(router, nodes)
        look = capture.Capture(claim.Claims((router,), None), nodes, '')
        found = hosts.count(engine.Answer((judged,), look))
        for host in found:
            for name in COUNTS:
                self.assertIn(getattr(host, name), (None, 0, 1), name)
            if host.failure is not None:
                self.assertIs(False, host.reachable)
                self.assertIsNone(host.active)
        replicas = {r.host: r for r in judged.replicas}
        self.assertLessEqual(set(replicas), {host.host for host in found})
        for host in found:
            if host.active:
                self.assertEqual(
                    report.Observed.ACTIVE, replicas[host.host].observed
                )
