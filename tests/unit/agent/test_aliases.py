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

"""What a tenant sees of its routers, and what it does not."""

import dataclasses
import json
import typing
import uuid

from hypothesis import given
from hypothesis import strategies as st

from osc_ha_router import codec
from osc_ha_router import engine
from osc_ha_router.agent import aliases
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view
from tests.unit import captures
from tests.unit import fakes
from tests.unit import quiet
from tests.unit import strategies
from tests.unit.agent import secrets
from tests.unit.scene import Scene

NAMES = sorted(path.stem for path in captures.FOLDER.glob('*.json'))

#: names that are the beginning of others, words of messages, our own words
HOSTILE = (
    'active',
    'standby',
    'keepalived',
    'net',
    'net1',
    'net10',
    'net1.example.org',
    'node',
    'no host',
    'other-1',
    'replica-1',
    'replica-2',
    'unnamed-0',
    'the',
    'VIP',
    '-',
)


#: what is in a report, and was decided upon: see the docstring of ``aliases``
DECIDED = {
    claim.Router: 'id name project_id status admin_state_up distributed '
    'gateway agents ports floating_ips peers gaps service deleted',
    claim.Agent: 'id host alive admin_state_up ha_state mode',
    claim.Port: 'id owner network_id mac addresses status host vif_type',
    claim.FloatingIP: 'id address fixed_address status',
    claim.Peer: 'router_id replicas',
    report.Report: 'router health replicas findings vips',
    report.Replica: 'host agent view observed vip keepalived monitor failure',
    report.Finding: 'code name severity host summary hint documentation_url '
    'ignored',
    view.HostView: 'host failure views residents hostname seconds',
    view.Resident: 'router_id namespaces vrid',
    view.Failure: 'kind message advice',
    view.NodeView: 'router_id namespace links addresses routes neighbours '
    'processes files keepalived_conf state_file radvd_conf metadata_conf '
    'ipv6_forwarding listening errand problems',
    view.Link: 'name index up oper mac mtu',
    view.Address: 'device address scope flags',
    view.Route: 'destination gateway device protocol',
    view.Neighbour: 'device address mac state',
    view.Process: 'pid ppid role state command config age',
    view.KeepalivedConf: 'path interface vrid priority advert_int nopreempt '
    'vips excluded routes sha256 tracked',
    view.ConfiguredAddress: 'address device',
    view.ConfiguredRoute: 'destination gateway device',
    view.Listening: 'device seconds adverts',
    view.Advert: 'source vrid priority own count',
    view.StateFile: 'path value',
    view.Errand: 'by since state message owed',
    view.Problem: 'what message',
}


def judged(router, hosts, known=()):
    return aliases.Aliases(known).judge(router, hosts)


def shape(item):
    """What must not depend on who looks."""
    return (
        item.health,
        sorted((f.code, f.severity, f.ignored) for f in item.findings),
        [(r.observed, r.vip, r.keepalived, r.monitor) for r in item.replicas],
        item.vips,
    )


def encoded(item):
    return json.dumps(codec.encode(item))


class DecidedTest(quiet.TestCase):
    def test_there_is_no_field_that_nobody_thought_of(self):
        """A new one may say what a tenant must not see."""
        for kind, names in DECIDED.items():
            self.assertEqual(
                set(names.split()),
                {field.name for field in dataclasses.fields(kind)},
                kind,
            )

    def test_nor_a_kind(self):
        """All that a report is made of is among them."""
        found, more = set(), [report.Report]
        while more:
            kind = more.pop()
            if dataclasses.is_dataclass(kind) and kind not in found:
                found.add(kind)
                more += typing.get_type_hints(kind).values()
            more += typing.get_args(kind)
        self.assertEqual(
            found, DECIDED.keys() - {view.HostView, view.Resident}
        )


class CapturesTest(quiet.TestCase):
    def each(self):
        for name in NAMES:
            captured = captures.load(name)
            for router in captured.claims.routers:
                yield name, router, captured.hosts

    def test_there_are_some(self):
        self.assertIn('incident', NAMES)

    def test_nothing_secret_in_it(self):
        for name, router, hosts in self.each():
            shown = encoded(judged(router, hosts))
            for secret in secrets.of(router, hosts):
                self.assertNotIn(json.dumps(secret)[1:-1], shown, name)

    def test_the_same_verdict(self):
        for name, router, hosts in self.each():
            self.assertEqual(
                shape(verdict.judge(router, hosts)),
                shape(judged(router, hosts)),
                name,
            )

    def test_the_same_words(self):
        """A finding still says which replica it is about."""
        for name, router, hosts in self.each():
            item = judged(router, hosts)
            names = {replica.host for replica in item.replicas}
            for finding in item.findings:
                self.assertIn(finding.host, {None, *names}, name)
                self.assertNotIn('unnamed', encoded(finding), name)

    def test_what_nobody_has_asked_for_is_not_nothing(self):
        """A host has it, and was asked about others only."""
        scene = Scene.of('healthy')
        host, _ = scene.standbys
        case = scene.with_host(host, views=())
        item = judged(case.router, case.hosts)
        self.assertEqual(shape(verdict.judge(case.router, case.hosts)), (
            shape(item)
        ))  # fmt: skip
        self.assertEqual('UNKNOWN', item.health)


class PropertiesTest(quiet.TestCase):
    @given(strategies.cases)
    def test_the_same_verdict(self, case):
        router, hosts = case
        self.assertEqual(
            shape(verdict.judge(router, hosts)), shape(judged(router, hosts))
        )

    @given(
        strategies.cases,
        st.lists(
            st.sampled_from(HOSTILE) | st.text(min_size=1),
            min_size=15,
            max_size=15,
            unique=True,
        ),
        st.sampled_from(HOSTILE) | st.text(),
    )
    def test_does_not_depend_on_any_secret(self, case, names, word):
        """Whatever the nodes are called, the tenant sees the same."""
        plain = secrets.Dress(tuple(f'n{n:02}' for n in range(15)), 'plain')
        hostile = secrets.Dress(tuple(names), word)
        self.assertEqual(
            encoded(judged(*plain.on(*case))),
            encoded(judged(*hostile.on(*case))),
        )

    def test_which_it_would_without(self):
        """The property above can fail."""
        scene = Scene.of('incident')
        one, other = (
            secrets.Dress(tuple(f'{word}{n}' for n in range(15)), word)
            for word in ('one', 'other')
        )
        self.assertNotEqual(
            encoded(verdict.judge(*one.on(scene.router, scene.hosts))),
            encoded(verdict.judge(*other.on(scene.router, scene.hosts))),
        )


class SceneTest(quiet.TestCase):
    def setUp(self):
        super().setUp()
        self.scene = Scene.of('healthy')
        self.active = self.scene.reported
        self.standby, self.other = self.scene.standbys
        self.number = {
            host: f'replica-{number}'
            for number, host in enumerate(self.scene.names, 1)
        }

    def judge(self, scene, known=()):
        return judged(scene.router, scene.hosts, known)

    def finding(self, scene, name, known=()):
        (found,) = (
            f for f in self.judge(scene, known).findings if f.name == name
        )
        return found


class NamesTest(SceneTest):
    def test_in_the_order_of_hosts(self):
        item = self.judge(self.scene)
        self.assertEqual(
            ['replica-1', 'replica-2', 'replica-3'],
            [replica.host for replica in item.replicas],
        )
        self.assertEqual([self.number[self.active]], item.active_hosts)
        self.assertEqual([self.number[self.active]], item.reported_active)

    def test_in_the_words(self):
        broken = self.scene.without_processes(self.standby, 'monitor')
        found = self.finding(broken, 'monitor-dead')
        self.assertEqual(self.number[self.standby], found.host)
        missing = self.scene.without_namespace(self.standby)
        found = self.finding(missing, 'namespace-absent')
        self.assertIn(f"log on {self.number[self.standby]} and", found.hint)

    def test_agents_without_ids(self):
        disabled = self.scene.with_agent(self.standby, admin_state_up=False)
        self.assertEqual(
            'openstack network agent set --enable '
            f"'<L3 agent of {self.number[self.standby]}>'",
            self.finding(disabled, 'agent-disabled').hint,
        )

    def test_leftover_is_called_otherwise(self):
        moved = self.scene.without_agents(self.standby)
        item = self.judge(moved)
        self.assertEqual(
            ['replica-1', 'replica-2', 'other-1'],
            [replica.host for replica in item.replicas],
        )

    def test_nobody_knows_where_it_should_be(self):
        blind = self.scene.with_router(agents=None, ports=None)
        self.assertEqual(
            ['replica-1', 'replica-2', 'replica-3'],
            [replica.host for replica in self.judge(blind).replicas],
        )

    def test_nodes_without_a_part_in_it_are_not_counted(self):
        crowd = tuple(view.HostView(f'a{n}', residents=()) for n in range(9))
        moved = self.scene.without_agents(self.standby)
        self.assertEqual(
            encoded(self.judge(moved)),
            encoded(judged(moved.router, crowd + moved.hosts)),
        )

    def test_port_of_a_node_that_is_gone(self):
        (port, *_) = self.scene.ports('network:router_gateway')
        bound = self.scene.with_port(port.id, host='gone')
        found = self.finding(bound, 'binding-differs')
        self.assertIn('bound to other-1, but the active node', found.summary)

    def test_port_of_no_node(self):
        (port, *_) = self.scene.ports('network:router_gateway')
        for host in (None, ''):
            bound = self.scene.with_port(port.id, host=host)
            found = self.finding(bound, 'binding-differs')
            self.assertIn('bound to no host, but', found.summary)

    def test_ten_and_more_stay_in_order(self):
        (agent, *_) = self.scene.router.agents
        crowd = self.scene.with_router(
            agents=tuple(
                dataclasses.replace(agent, host=f'n{number:02}')
                for number in range(12)
            )
        )
        names = [replica.host for replica in self.judge(crowd).replicas]
        self.assertEqual('replica-01', names[0])
        # the healthy capture's own nodes have leftovers of it now
        self.assertEqual([f'replica-{n:02}' for n in range(1, 13)], names[:12])


class LaterTest(SceneTest):
    """A second look with the same aliases."""

    def setUp(self):
        super().setUp()
        self.aliases = aliases.Aliases(())

    def look(self, scene):
        item = self.aliases.judge(scene.router, scene.hosts)
        return [replica.host for replica in item.replicas]

    def test_names_stay(self):
        self.look(self.scene)
        gone = self.scene.without_agents(self.scene.names[0]).without_host(
            self.scene.names[0]
        )
        self.assertEqual(['replica-2', 'replica-3'], self.look(gone))

    def test_a_new_node_gets_a_new_name(self):
        gone = self.scene.without_agents(self.scene.names[0]).without_host(
            self.scene.names[0]
        )
        self.assertEqual(['replica-1', 'replica-2'], self.look(gone))
        self.assertEqual(
            ['replica-1', 'replica-2', 'replica-3'], self.look(self.scene)
        )

    def test_a_node_that_had_nothing_before(self):
        moved = self.scene.without_agents(self.standby)
        self.look(moved.without_namespace(self.standby))
        self.assertIn('other-1', self.look(moved))

    def test_engine_looks_again(self):
        """The role moved between the looks, by the same names."""
        broken = self.scene.without_processes(self.standby, 'monitor')
        moved = (
            broken.with_role(self.standby)
            .without_role(self.active)
            .with_agent(self.active, ha_state='standby')
            .with_agent(self.standby, ha_state='active')
        )
        machine = engine.Engine(
            fakes.Source([broken], [moved]),
            fakes.Backend([broken], [moved]),
            sleep=lambda seconds: None,
            judge=self.aliases.judge,
        )
        (item,) = machine.check(engine.Question()).reports
        (found,) = (f for f in item.findings if f.name == 'active-moved')
        self.assertEqual(
            f'the active role moved from {self.number[self.active]} to '
            f'{self.number[self.standby]} within 10 s',
            found.summary,
        )
        self.assertNotIn('net', found.summary)

    def test_engine_listens(self):
        two = self.scene.with_role(self.standby)
        cut = two.hearing(self.active, self.active).hearing(
            self.standby, self.standby
        )
        backend = fakes.Backend([two], [cut])
        machine = engine.Engine(
            fakes.Source([two], [cut]),
            backend,
            sleep=lambda seconds: None,
            judge=self.aliases.judge,
        )
        question = engine.Question(ignore=frozenset(('RHA108',)))
        (item,) = machine.check(question).reports
        (found,) = (f for f in item.findings if f.name == 'ha-network-cut')
        for host in (self.active, self.standby):
            self.assertIn(
                f'{self.number[host]} hears only itself', found.summary
            )
        self.assertEqual({7.0}, {r.listen for r in backend.requests[1]})
        self.assertEqual(
            {'changed-meanwhile'},
            {f.name for f in item.findings if f.ignored},
        )


class WithheldTest(SceneTest):
    def test_why_a_node_was_not_reached(self):
        failure = view.Failure(
            'permission-denied', 'stack@net1 refused', 'ssh -i key stack@net1'
        )
        away = self.scene.with_host(
            self.standby, failure=failure, views=(), residents=None
        )
        found = self.finding(away, 'node-unreachable')
        self.assertEqual(
            'could not be looked at: The network node of this replica could '
            'not be asked',
            found.summary,
        )
        self.assertNotIn('stack@', encoded(self.judge(away)))

    def test_that_there_was_no_time_is_told(self):
        for kind in ('deadline', 'agent-deadline'):
            failure = view.Failure(kind, 'no time for net1', 'wait')
            away = self.scene.with_host(
                self.standby, failure=failure, views=(), residents=None
            )
            found = self.finding(away, 'node-unreachable')
            self.assertIn('--timeout', found.hint)
            self.assertIn('no time left', found.summary)

    def test_who_moves_the_router(self):
        errand = view.Errand(
            'alice on bastion, pid 4711',
            '2026-11-22T15:12:42Z',
            'left',
            '/var/lib/neutron of alice',
            'net4711',
        )
        left = self.scene.with_view(self.standby, errand=errand)
        found = self.finding(left, 'failover-left')
        self.assertNotIn('alice', found.summary + found.hint)
        self.assertNotIn('4711', encoded(judged(left.router, left.hosts)))
        under_way = dataclasses.replace(errand, state='under-way')
        found = self.finding(
            self.scene.with_view(self.standby, errand=under_way),
            'failover-under-way',
        )
        self.assertIn('by somebody at 2026-11-22T15:12:42Z', found.summary)

    def test_a_time_that_is_none(self):
        errand = view.Errand('a', 'net1 o\'clock', 'under-way', 'b')
        found = self.finding(
            self.scene.with_view(self.standby, errand=errand),
            'failover-under-way',
        )
        self.assertIn('at a time not known', found.summary)

    def test_state_that_nobody_knows_counts_as_left(self):
        errand = view.Errand('a', None, 'net1', 'b')
        changed = self.scene.with_view(self.standby, errand=errand)
        self.finding(changed, 'failover-left')
        self.assertNotIn('net1', encoded(self.judge(changed)))

    def test_state_file_with_something_else_in_it(self):
        odd = self.scene.with_state_file(self.standby, 'of net1')
        found = self.finding(odd, 'state-file-differs')
        self.assertIn('says (something else),', found.summary)

    def test_state_file_with_the_wrong_word(self):
        odd = self.scene.with_state_file(self.standby, 'primary')
        found = self.finding(odd, 'state-file-differs')
        self.assertIn('says primary,', found.summary)

    def test_why_something_could_not_be_read(self):
        problem = view.Problem('keepalived_conf', '/x: stale file of net1')
        unread = self.scene.with_view(
            self.standby, keepalived_conf=None, problems=(problem,)
        )
        found = self.finding(unread, 'conf-missing')
        self.assertIn('the reason is for the operator', found.summary)
        self.assertNotIn('stale file', encoded(self.judge(unread)))

    def test_what_could_not_be_read(self):
        problem = view.Problem('routes', 'net1 says no')
        odd = view.Problem('of net1', 'net1 says no')
        unread = self.scene.with_view(
            self.standby, routes=None, problems=(problem, odd)
        )
        found = self.finding(unread, 'not-looked-at')
        self.assertTrue(found.hint.startswith('routes: the reason'))
        self.assertNotIn('net1', encoded(self.judge(unread)))

    def test_neighbours_of_others(self):
        item = self.judge(self.scene)
        self.assertEqual(
            {None},
            {r.view.neighbours for r in item.replicas if r.view is not None},
        )

    def test_what_neutron_does_not_tell(self):
        gap = 'anything: http://controller:9696 refused'
        blind = self.scene.with_router(agents=None, gaps=(gap,))
        found = self.finding(blind, 'claim-unknown')
        self.assertNotIn('controller', found.summary + found.hint)


class OthersTest(SceneTest):
    """Routers of others on the same node, and on the same HA network."""

    def setUp(self):
        super().setUp()
        self.foreign = str(uuid.UUID(int=100))
        vrid = self.scene.conf(self.active).vrid
        resident = view.Resident(
            self.foreign, (f'qrouter-{self.foreign}',), vrid
        )
        self.clash = self.scene.with_router(
            peers=(claim.Peer(self.foreign, 3),)
        ).with_host(self.active, residents=(resident,))

    def test_one_that_may_not_be_known(self):
        found = self.finding(self.clash, 'duplicate-vrid')
        self.assertIn('as router other-router-1 on', found.summary)
        self.assertNotIn(self.foreign, encoded(self.judge(self.clash)))

    def test_one_of_the_same_project(self):
        found = self.finding(self.clash, 'duplicate-vrid', {self.foreign})
        self.assertIn(f'as router {self.foreign} on', found.summary)

    def test_views_of_others_do_not_count(self):
        shown = self.scene.shown(self.active)
        other = dataclasses.replace(shown, router_id=self.foreign)
        both = self.scene.with_host(self.active, views=(other, shown))
        self.assertEqual(
            encoded(self.judge(self.scene)), encoded(self.judge(both))
        )
