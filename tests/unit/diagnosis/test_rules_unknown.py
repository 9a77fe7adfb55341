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

"""What could not be looked at is never silently OK."""

from osc_ha_router.model import view
from tests.unit.diagnosis import base

#: fields without which a replica cannot be judged
JUDGED = {
    'links': 'devices',
    'addresses': 'addresses',
    'routes': 'routes',
    'processes': 'processes',
    'ipv6_forwarding': 'IPv6 forwarding',
}


class NodesTest(base.RuleTest):
    def test_unreachable(self):
        scene = self.healthy.with_unreachable(self.standby)
        found = self.finding(scene, 'node-unreachable', self.standby)
        self.assertIn('nobody listens', found.summary)
        self.assertEqual('start sshd', found.hint)
        self.assert_only(scene, ('node-unreachable', self.standby))
        self.assertEqual('UNKNOWN', scene.judge().health)

    def test_nobody_asked(self):
        scene = self.healthy.without_host(self.standby)
        self.finding(scene, 'not-looked-at', self.standby)
        self.assert_only(scene, ('not-looked-at', self.standby))
        self.assertEqual('UNKNOWN', scene.judge().health)

    def test_there_and_not_shown(self):
        """A host that was asked for others says that it has this one."""
        scene = self.healthy.with_host(self.active, views=())
        self.assert_only(scene, ('not-looked-at', self.active))
        self.assertEqual('unknown', scene.observed(self.active))
        # no more than a folder is not there
        bare = scene.with_host(
            self.active,
            residents=(view.Resident(scene.router.id, (), 1),),
        )
        self.assertEqual('absent', bare.observed(self.active))

    def test_unreachable_but_not_needed(self):
        scene = self.healthy.without_agents(self.standby).with_unreachable(
            self.standby
        )
        self.assert_only(scene)

    def test_seen_before_it_went_wrong(self):
        """What was seen of this router stays good."""
        failure = view.Failure('timeout', 'took too long', 'wait')
        self.assert_only(self.healthy.with_host(self.standby, failure=failure))

    def test_part_of_it_not_looked_at(self):
        for field, words in JUDGED.items():
            for host in (self.active, self.standby):
                scene = self.healthy.with_view(host, **{field: None})
                found = self.finding(scene, 'not-looked-at', host)
                self.assertIn(words, found.summary)
                self.assertEqual('UNKNOWN', scene.judge().health)

    def test_files_not_looked_for(self):
        scene = self.healthy.with_view(
            self.standby, files=False, keepalived_conf=None, state_file=None
        )
        found = self.finding(scene, 'not-looked-at', self.standby)
        self.assertIn('keepalived.conf', found.summary)

    def test_says_why(self):
        scene = self.healthy.with_view(
            self.standby,
            routes=None,
            problems=(view.Problem('routes', 'Operation not permitted'),),
        )
        found = self.finding(scene, 'not-looked-at', self.standby)
        self.assertIn('routes: Operation not permitted', found.hint)

    def test_nothing_names_the_vip(self):
        scene = self.healthy.without_address(self.active, self.healthy.vip)
        for host in scene.names:
            scene = scene.with_view(host, keepalived_conf=None)
        for host in scene.names:
            self.assertEqual('unknown', scene.observed(host))
            self.assertIn(('not-looked-at', host), scene.found())
        hints = {f.hint for f in scene.judge().findings if f.host}
        self.assertIn('run the check against the cloud itself', str(hints))

    def test_nothing_names_the_vip_because(self):
        scene = self.healthy.without_address(self.active, self.healthy.vip)
        problem = view.Problem('keepalived_conf', 'Permission denied')
        for host in scene.names:
            scene = scene.with_view(
                host, keepalived_conf=None, problems=(problem,)
            )
        hints = {
            f.hint for f in scene.judge().findings if f.name == 'not-looked-at'
        }
        self.assertEqual({'keepalived_conf: Permission denied'}, hints)

    def test_vip_guessed_without_any_keepalived_conf(self):
        """What the ha- device has beyond the HA port's own address."""
        scene = self.healthy
        for host in scene.names:
            scene = scene.with_view(host, keepalived_conf=None)
        self.assertEqual([self.active], scene.judge().active_hosts)
        self.assertEqual('standby', scene.observed(self.standby))


class ClaimsTest(base.RuleTest):
    def test_agents_not_shown(self):
        scene = self.healthy.with_router(agents=None)
        found = self.finding(scene, 'claim-unknown', None)
        self.assertIn('which L3 agents host the router', found.summary)
        self.assertEqual('UNKNOWN', scene.judge().health)

    def test_service_not_to_be_had(self):
        failure = view.Failure('agent-missing', 'no such service', 'Ask.')
        scene = self.healthy.with_router(agents=None, service=failure)
        found = self.finding(scene, 'service-unavailable', None)
        self.assertIn('no such service', found.summary)
        self.assertEqual('Ask.', found.hint)
        # beside what Neutron did not tell, which is why it was asked
        self.finding(scene, 'claim-unknown', None)

    def test_several_things_not_shown(self):
        scene = self.healthy.with_router(ports=None, floating_ips=None)
        found = self.finding(scene, 'claim-unknown', None)
        self.assertIn('its ports, its floating IPs', found.summary)

    def test_gap_says_it_better(self):
        scene = self.healthy.with_router(
            agents=None, gaps=('which agents: policy', 'whether it is HA')
        )
        summaries = {f.summary for f in scene.judge().findings}
        self.assertEqual(
            {
                'Neutron does not tell which agents: policy',
                'Neutron does not tell whether it is HA',
            },
            summaries,
        )
