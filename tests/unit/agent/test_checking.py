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

"""Who may check what, and what comes of it."""

import dataclasses
import json
import threading
import time
import uuid

from osc_ha_router import codec
from osc_ha_router import errors
from osc_ha_router.agent import checking
from osc_ha_router.agent import claims
from osc_ha_router.agent import policies
from osc_ha_router.agent import queue
from osc_ha_router.backends import base
from osc_ha_router.diagnosis import verdict
from tests.unit import fakes
from tests.unit import quiet
from tests.unit.agent import parts
from tests.unit.agent import secrets
from tests.unit.scene import Scene

MISSING = str(uuid.UUID(int=4711))
FOREIGN = str(uuid.UUID(int=1))


class CheckingTest(quiet.TestCase):
    rules = None

    def setUp(self):
        super().setUp()
        self.ours = parts.of_project(Scene.of('healthy'), parts.OURS)
        self.theirs = parts.of_project(
            Scene.of('healthy'), parts.THEIRS, FOREIGN
        )
        self.router_id = self.ours.router.id
        self.active = self.ours.reported
        self.standby, _ = self.ours.standbys
        self.set_up(self.ours, self.theirs)

    def set_up(self, *scenes, limit=4, share=None, later=(), **limits):
        self.neutron = parts.Neutron(*scenes)
        self.backend = fakes.Backend(scenes, *([later] if later else []))
        self.timeouts = []
        self.checker = checking.Checker(
            claims.Claims(self.neutron, ('here',)),
            self.nodes,
            parts.allows(self.rules),
            checking.Limits(limit, share, **limits),
        )

    def nodes(self, seconds):
        self.timeouts.append(seconds)
        return self.backend

    def check(self, who, *ids, **changes):
        asked = checking.Asked(routers=ids or None, recheck=0.0)
        return self.checker.check(who, dataclasses.replace(asked, **changes))

    def refused(self, kind, who, *ids, **changes):
        exc = self.assertRaises(errors.Error, self.check, who, *ids, **changes)
        self.assertIs(kind, type(exc), exc)
        self.assertTrue(str(exc).isprintable())
        return str(exc)

    def ids(self, reports):
        return {item.router.id for item in reports}


class TenantTest(CheckingTest):
    """A member or a reader of a project."""

    def test_its_own_router(self):
        for role in ('member', 'reader'):
            (item,) = self.check(
                parts.caller(parts.OURS, role), self.router_id
            )
            self.assertEqual(self.router_id, item.router.id)
            self.assertEqual('OK', item.health)

    def test_without_names_of_nodes(self):
        (item,) = self.check(parts.caller(), self.router_id)
        shown = json.dumps(codec.encode(item))
        for secret in secrets.of(self.ours.router, self.ours.hosts):
            self.assertNotIn(secret, shown)
        self.assertEqual(
            ['replica-1', 'replica-2', 'replica-3'],
            [replica.host for replica in item.replicas],
        )

    def test_all_of_its_own(self):
        self.assertEqual(
            {self.router_id}, self.ids(self.check(parts.caller()))
        )
        self.assertEqual(
            [('claims', (), parts.OURS, None)], self.neutron.calls
        )

    def test_all_of_its_own_whatever_neutron_says(self):
        """A filter that is not heeded gives no right."""
        claims_ = self.neutron.claims
        self.neutron.claims = lambda names, project=None, host=None: claims_(
            names
        )
        self.assertEqual(
            {self.router_id}, self.ids(self.check(parts.caller()))
        )

    def test_nodes_are_asked_for_its_own_only(self):
        self.check(parts.caller())
        (requests,) = self.backend.requests
        self.assertEqual({(self.router_id,)}, {r.routers for r in requests})

    def test_none_of_its_own(self):
        self.assertEqual((), self.check(parts.caller('d' * 32)))
        self.assertEqual([], self.backend.requests)

    def test_another_role(self):
        for roles in (('service',), ('somebody',), ('load-balancer_member',)):
            who = parts.caller(parts.OURS, *roles)
            for ids in ((), (self.router_id,), (FOREIGN,), (MISSING,)):
                self.refused(checking.Forbidden, who, *ids)
        self.assertEqual([], self.neutron.calls)

    def test_no_project(self):
        """A token without a project, and a router without one."""
        self.neutron.routers = [
            dataclasses.replace(self.ours.router, project_id=project)
            for project in (None, '')
        ]
        who = parts.caller(None, 'reader', 'member', system_scope='all')
        for ids in ((), (self.router_id,)):
            self.refused(checking.Forbidden, who, *ids)
        self.refused(errors.RouterNotFound, parts.caller(), self.router_id)
        self.assertEqual((), self.check(parts.caller()))


class ForeignTest(CheckingTest):
    """A router of somebody else looks like one that is not there."""

    def outcome(self, id_, *more, who=None):
        """Return all that can be seen of a refusal."""
        self.neutron.calls.clear()
        message = self.refused(
            errors.RouterNotFound, who or parts.caller(), id_, *more
        )
        self.assertEqual([], self.backend.requests)
        self.assertEqual([], self.timeouts)
        calls = json.dumps(self.neutron.calls)
        return message.replace(id_, '?'), calls.replace(id_, '?')

    def test_the_same_as_missing(self):
        """In words, in what Neutron is asked, in what nodes are asked."""
        self.assertEqual(self.outcome(MISSING), self.outcome(FOREIGN))
        self.assertEqual(
            [['owners', '?']], json.loads(self.outcome(FOREIGN)[1])
        )

    def test_among_its_own(self):
        for order in ((self.router_id, FOREIGN), (FOREIGN, self.router_id)):
            self.refused(errors.RouterNotFound, parts.caller(), *order)
        self.assertEqual(
            self.outcome(MISSING, self.router_id),
            self.outcome(FOREIGN, self.router_id),
        )
        self.assertEqual(
            [['owners', '?', self.router_id]],
            json.loads(self.outcome(FOREIGN, self.router_id)[1]),
        )

    def test_beside_one_that_is_missing(self):
        """Which one is named depends on the order alone."""
        first = self.refused(
            errors.RouterNotFound, parts.caller(), FOREIGN, MISSING
        )
        second = self.refused(
            errors.RouterNotFound, parts.caller(), MISSING, FOREIGN
        )
        self.assertEqual(
            first.replace(FOREIGN, '?'), second.replace(MISSING, '?')
        )

    def test_whatever_it_is(self):
        """That it is not an HA router is told to nobody else."""
        for kind in (errors.NotSupported, errors.AmbiguousName):
            self.neutron.foreign[FOREIGN] = kind('of theirs')
            self.assertEqual(self.outcome(MISSING), self.outcome(FOREIGN))

    def test_named_like_a_missing_one(self):
        """Neutron's client takes an id that nobody has for a name."""
        foreign = self.theirs.with_router(name=MISSING)
        self.set_up(self.ours, foreign)
        self.refused(errors.RouterNotFound, parts.caller(), MISSING)
        self.assertEqual([], self.backend.requests)
        self.refused(errors.RouterNotFound, parts.admin(), MISSING)
        self.assertEqual([], self.backend.requests)

    def test_given_away_between_two_questions(self):
        """What Neutron says of a router must still be of the same project."""
        owners = self.neutron.owners

        def given(ids):
            found = owners(ids)
            self.neutron.routers = [
                dataclasses.replace(r, project_id=parts.THEIRS)
                for r in self.neutron.routers
            ]
            return found

        self.neutron.owners = given
        self.refused(errors.RouterNotFound, parts.caller(), self.router_id)
        self.assertEqual([], self.backend.requests)

    def test_of_a_project_that_the_caller_names(self):
        """The token says who the caller is, and nothing else."""
        who = parts.caller(
            parts.OURS,
            project_domain_id=parts.THEIRS,
            user_domain_id=parts.THEIRS,
        )
        self.refused(errors.RouterNotFound, who, FOREIGN)

    def test_reported_by_nobody(self):
        (item,) = self.check(parts.caller())
        shown = json.dumps(codec.encode(item))
        self.assertNotIn(FOREIGN, shown)
        self.assertNotIn(parts.THEIRS, shown)


class AdminTest(CheckingTest):
    def test_any_router_with_names_of_nodes(self):
        reports = self.check(parts.admin(), self.router_id, FOREIGN)
        self.assertEqual({self.router_id, FOREIGN}, self.ids(reports))
        for item in reports:
            self.assertEqual([self.active], item.active_hosts)
            self.assertEqual(
                [r.host for r in item.replicas], sorted(self.ours.names)
            )

    def test_the_same_as_without_an_agent(self):
        (item,) = self.check(parts.admin(), self.router_id)
        self.assertEqual(
            verdict.judge(self.ours.router, self.ours.hosts).findings,
            item.findings,
        )

    def test_all_there_are(self):
        self.assertEqual(
            {self.router_id, FOREIGN}, self.ids(self.check(parts.admin()))
        )
        (requests,) = self.backend.requests
        self.assertEqual({None}, {r.routers for r in requests})

    def test_what_is_left_of_routers_that_were_deleted(self):
        self.neutron.routers = [self.ours.router]
        reports = self.check(parts.admin())
        left = {item.router.id: item for item in reports}[FOREIGN]
        self.assertTrue(left.router.deleted)
        self.assertEqual(
            {('RHA603', self.active)},
            {
                (finding.code, finding.host)
                for finding in left.findings
                if finding.code == 'RHA603'
            },
        )

    def test_missing(self):
        message = self.refused(
            errors.RouterNotFound, parts.admin(), self.router_id, MISSING
        )
        self.assertIn(MISSING, message)
        self.assertEqual([], self.backend.requests)

    def test_project_is_not_asked_for(self):
        self.check(parts.admin(), self.router_id)
        self.assertEqual(
            [('claims', (self.router_id,), None, None)], self.neutron.calls
        )

    def test_without_a_project(self):
        who = parts.caller(None, 'admin', system_scope='all')
        self.assertEqual({FOREIGN}, self.ids(self.check(who, FOREIGN)))


class NotSupportedTest(CheckingTest):
    def test_own_router_that_is_not_ha(self):
        self.neutron.foreign[self.router_id] = errors.NotSupported('not HA')
        message = self.refused(
            errors.NotSupported, parts.caller(), self.router_id
        )
        self.assertEqual('not HA', message)


class DownTest(CheckingTest):
    """Neutron does not answer."""

    def setUp(self):
        super().setUp()
        self.neutron.down = parts.DOWN

    def test_for_who_may_all_nodes_are_looked_at(self):
        self.neutron.down = None
        self.check(parts.admin())
        self.neutron.down = parts.DOWN
        (item,) = self.check(parts.admin(), self.router_id)
        self.assertEqual('UNKNOWN', item.health)
        self.assertEqual([self.active], item.active_hosts)
        (found,) = item.findings
        self.assertEqual('claim-unknown', found.name)
        self.assertIn(str(parts.DOWN), found.summary)

    def test_all_that_are_remembered(self):
        self.neutron.down = None
        self.check(parts.admin())
        self.neutron.down = parts.DOWN
        reports = self.check(parts.admin())
        self.assertEqual({self.router_id, FOREIGN}, self.ids(reports))

    def test_nothing_is_remembered(self):
        message = self.refused(checking.Unavailable, parts.admin())
        self.assertIn('controller', message)

    def test_a_tenants_right_cannot_be_judged(self):
        for ids in ((self.router_id,), (FOREIGN,), (MISSING,), ()):
            message = self.refused(checking.Unavailable, parts.caller(), *ids)
            # the address of the API is none of its business
            self.assertNotIn('controller', message)
        self.assertEqual([], self.backend.requests)

    def test_not_from_memory_either(self):
        self.neutron.down = None
        self.check(parts.caller(), self.router_id)
        self.check(parts.admin())
        self.neutron.down = parts.DOWN
        self.refused(checking.Unavailable, parts.caller(), self.router_id)
        self.refused(checking.Unavailable, parts.caller())

    def test_between_the_two_questions(self):
        """From memory would be what another one asked before."""
        self.neutron.down = None
        self.check(parts.admin())
        owners = self.neutron.owners

        def answered(ids):
            found = owners(ids)
            self.neutron.down = parts.DOWN
            return found

        self.neutron.owners = answered
        (item,) = self.check(parts.caller(), self.router_id)
        self.assertEqual('UNKNOWN', item.health)
        self.assertNotIn('controller', json.dumps(codec.encode(item)))

    def test_refused_to_the_agent_itself(self):
        self.neutron.down = errors.UsageError('No project with this ID')
        self.refused(checking.Unavailable, parts.caller())
        self.neutron.down = errors.CloudError('Neutron refuses this to you')
        self.refused(checking.Unavailable, parts.caller(), self.router_id)
        (item,) = self.check(parts.admin(), self.router_id)
        self.assertEqual('UNKNOWN', item.health)


class AgainTest(CheckingTest):
    """The second look."""

    def setUp(self):
        super().setUp()
        self.broken = self.ours.without_processes(self.standby, 'monitor')

    def recheck(self, who, *ids, **changes):
        return self.check(who, *ids, recheck=0.01, **changes)

    def test_settled_meanwhile(self):
        self.set_up(self.broken, self.theirs, later=[self.ours, self.theirs])
        (item,) = self.recheck(parts.caller(), self.router_id)
        self.assertEqual(
            ['changed-meanwhile'], [f.name for f in item.findings]
        )
        self.assertEqual(('again', self.router_id), self.neutron.calls[-1])

    def test_nothing_to_wait_for(self):
        """Other names of hosts are no reason for another look."""
        for who in (parts.caller(), parts.admin()):
            self.recheck(who, self.router_id)
            self.assertEqual(1, len(self.backend.requests))
            self.backend.requests.clear()

    def test_by_the_same_names(self):
        self.set_up(self.broken, later=[self.broken])
        (item,) = self.recheck(parts.caller(), self.router_id)
        (found,) = item.findings
        number = self.ours.names.index(self.standby) + 1
        self.assertEqual(f'replica-{number}', found.host)
        # but the nodes are asked by their own
        for requests in self.backend.requests:
            self.assertEqual(
                set(self.ours.names), {request.host for request in requests}
            )

    def test_neutron_is_down_by_then(self):
        self.set_up(self.broken, later=[self.broken])
        again = self.neutron.again

        def gone(ids):
            self.neutron.down = parts.DOWN
            return again(ids)

        self.neutron.again = gone
        (item,) = self.recheck(parts.caller(), self.router_id)
        # which tells less than the first look did
        self.assertEqual(['monitor-dead'], [f.name for f in item.findings])
        self.assertNotIn('controller', json.dumps(codec.encode(item)))

    def test_somebody_elses_by_then(self):
        self.set_up(self.broken, later=[self.broken])
        again = self.neutron.again

        def given(ids):
            return tuple(
                dataclasses.replace(router, project_id=parts.THEIRS)
                for router in again(ids)
            )

        self.neutron.again = given
        self.assertEqual((), self.recheck(parts.caller(), self.router_id))

    def test_no_turn_for_it(self):
        """What the first look has come to is an answer."""
        self.set_up(self.broken, later=[self.ours])

        def busy(turn, seconds):
            raise queue.Busy('others are before it')

        self.patch(queue.Turn, 'sleep', busy)
        (item,) = self.recheck(parts.caller(), self.router_id)
        self.assertEqual(['monitor-dead'], [f.name for f in item.findings])
        self.assertEqual(1, len(self.backend.requests))

    def test_others_work_meanwhile(self):
        """Whoever waits for the second look keeps nobody waiting."""
        self.set_up(self.broken, later=[self.broken], limit=1)
        done = []

        def slow():
            asked = checking.Asked((self.router_id,), recheck=1.0)
            done.append(self.checker.check(parts.caller(), asked))

        thread = threading.Thread(target=slow)
        thread.start()
        end = time.monotonic() + 5
        while not self.backend.requests and time.monotonic() < end:
            time.sleep(0.01)
        self.check(parts.caller(), self.router_id, timeout=0.5)
        self.assertEqual([], done)
        thread.join(5)
        self.assertEqual(1, len(done))


class QuestionTest(CheckingTest):
    def test_listening_and_bounds_reach_the_nodes(self):
        self.check(
            parts.caller(),
            self.router_id,
            listen=3.0,
            timeout=30,
            probe_timeout=7,
        )
        self.assertEqual([7], self.timeouts)
        (requests,) = self.backend.requests
        self.assertEqual({3.0}, {request.listen for request in requests})
        (left,) = self.backend.left
        self.assertTrue(25 < left <= 30, left)

    def bounds(self, who, **changes):
        self.check(who, self.router_id, **changes)
        return self.timeouts.pop(), self.backend.left.pop()

    def test_longest_of_a_tenant(self):
        self.set_up(self.ours, timeout=20.0, probe_timeout=5.0)
        long = {'timeout': 86400.0, 'probe_timeout': 86400.0}
        probe, left = self.bounds(parts.caller(), **long)
        self.assertEqual(5.0, probe)
        self.assertTrue(left <= 20.0, left)
        probe, left = self.bounds(parts.caller(), timeout=9, probe_timeout=3)
        self.assertEqual(3, probe)
        self.assertTrue(left <= 9.0, left)
        # whoever runs the cloud knows what to wait for
        probe, left = self.bounds(parts.admin(), **long)
        self.assertEqual(86400.0, probe)
        self.assertTrue(left > 80000.0, left)

    def test_ignored(self):
        broken = self.ours.without_processes(self.standby, 'monitor')
        self.set_up(broken)
        (item,) = self.check(
            parts.caller(), self.router_id, ignore=frozenset(('RHA305',))
        )
        self.assertEqual([True], [f.ignored for f in item.findings])
        self.assertEqual('OK', item.health)

    def test_the_same_router_twice(self):
        (item,) = self.check(parts.caller(), self.router_id, self.router_id)
        self.assertEqual(self.router_id, item.router.id)


class BusyTest(CheckingTest):
    def hold(self):
        """Let the nodes take their time; return what ends it."""
        inside, over = threading.Event(), threading.Event()
        probe = self.backend.probe

        def slow(requests, deadline):
            inside.set()
            over.wait(5)
            return probe(requests, deadline)

        self.backend.probe = slow
        thread = threading.Thread(
            target=self.check, args=(parts.caller(), self.router_id)
        )
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(over.set)
        self.assertTrue(inside.wait(5))
        return over

    def test_waits_until_its_own_deadline(self):
        self.set_up(self.ours, limit=1)
        over = self.hold()
        self.refused(queue.Busy, parts.caller(), self.router_id, timeout=0.1)
        over.set()
        self.check(parts.caller(), self.router_id, timeout=5)

    def test_who_may_nothing_does_not_wait(self):
        self.set_up(self.ours, limit=1)
        self.hold()
        self.refused(checking.Forbidden, parts.caller(parts.OURS, 'nobody'))

    def test_a_project_has_no_more_than_its_share(self):
        self.set_up(self.ours, self.theirs, limit=4, share=1)
        over = self.hold()
        message = self.refused(queue.Busy, parts.caller(), self.router_id)
        self.assertIn('Your project', message)
        over.set()
        self.check(parts.caller(parts.THEIRS), FOREIGN)

    def test_time_in_the_line_counts(self):
        self.set_up(self.ours, limit=1)
        over = self.hold()
        threading.Timer(0.3, over.set).start()
        self.check(parts.caller(), self.router_id, timeout=5)
        self.assertTrue(self.backend.left[-1] < 4.9, self.backend.left)


class NodesTest(CheckingTest):
    def test_a_node_that_is_not_reached(self):
        self.set_up(self.ours.with_unreachable(self.standby))
        (item,) = self.check(parts.caller(), self.router_id)
        self.assertEqual('UNKNOWN', item.health)
        (plain,) = self.check(parts.admin(), self.router_id)
        self.assertIn('nobody listens', plain.findings[0].summary)
        self.assertNotIn('nobody listens', item.findings[0].summary)

    def test_deadline_is_one_for_all(self):
        deadline = base.Deadline.after(0.2)
        self.check(parts.caller(), self.router_id, timeout=0.2)
        self.assertTrue(self.backend.left[0] <= 0.2)
        self.assertTrue(deadline.left() >= 0)


class OpenHostsTest(CheckingTest):
    """A cloud whose tenants may know the nodes."""

    rules = {policies.HOSTS: 'role:member'}

    def test_names_of_nodes(self):
        (item,) = self.check(
            parts.caller(parts.OURS, 'member'), self.router_id
        )
        self.assertEqual([self.active], item.active_hosts)

    def test_not_for_others(self):
        (item,) = self.check(
            parts.caller(parts.OURS, 'reader'), self.router_id
        )
        self.assertNotIn(self.active, item.active_hosts)


class ClosedHostsTest(CheckingTest):
    """A cloud whose first level of support may not know the nodes."""

    rules = {
        policies.CHECK: 'role:support or rule:admin',
        policies.HOSTS: 'rule:admin',
    }

    def test_all_routers_without_names(self):
        reports = self.check(parts.caller('e' * 32, 'support'))
        self.assertEqual({self.router_id, FOREIGN}, self.ids(reports))
        self.no_names(reports)

    def test_leftovers_without_names(self):
        self.neutron.routers = [self.ours.router]
        reports = self.check(parts.caller('e' * 32, 'support'))
        self.assertEqual({self.router_id, FOREIGN}, self.ids(reports))
        self.no_names(reports)

    def no_names(self, reports):
        shown = json.dumps([codec.encode(item) for item in reports])
        for scene in (self.ours, self.theirs):
            for host in secrets.hosts(scene.router, scene.hosts):
                self.assertNotIn(f'"{host}"', shown)

    def test_while_neutron_is_down(self):
        self.check(parts.caller('e' * 32, 'support'))
        self.neutron.down = parts.DOWN
        (item,) = self.check(parts.caller('e' * 32, 'support'), self.router_id)
        number = self.ours.names.index(self.active) + 1
        self.assertEqual([f'replica-{number}'], item.active_hosts)
        self.assertNotIn('controller', json.dumps(codec.encode(item)))
