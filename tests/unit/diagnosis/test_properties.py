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

"""What holds for every router, whatever Neutron says and nodes show."""

import dataclasses

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router.commands import check
from osc_ha_router.commands import sentences
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import report
from tests.unit import strategies as model
from tests.unit.scene import Scene

CODES = [entry.code for entry in catalogue.entries().values()]
#: without one of these a replica is not judged, see NodeView
JUDGED = ('links', 'addresses', 'routes', 'processes', 'ipv6_forwarding')

#: routers that should run; nothing is expected of one that is disabled, or
#: was deleted while it was looked at
enabled = model.cases.map(
    lambda case: (
        dataclasses.replace(case[0], admin_state_up=True, deleted=False),
        case[1],
    )
)
ignored = strategies.sets(strategies.sampled_from(CODES), max_size=60)


def unseen(replica: report.Replica) -> bool:
    """Whether something of a replica that Neutron names was not seen."""
    if replica.agent is None:
        return False
    shown = replica.view
    if shown is None:
        return True
    return shown.namespace is not None and (
        not shown.files
        or any(getattr(shown, field) is None for field in JUDGED)
    )


class AnyRouterTest(testtools.TestCase):
    @hypothesis.given(model.cases, ignored)
    def test_nothing_raises_and_texts_are_whole(self, case, ignore):
        judged = verdict.judge(*case, ignore)
        for finding in judged.findings:
            self.assertNotEqual('', finding.summary)
            self.assertEqual(1, len(finding.summary.splitlines()))
        for width in (0, 80):
            for line in sentences.details([judged], width):
                self.assertNotIn('\n', line)

    @hypothesis.given(enabled)
    def test_nothing_unseen_is_ok(self, case):
        judged = verdict.judge(*case)
        if any(unseen(replica) for replica in judged.replicas):
            self.assertNotIn(judged.health, ('OK', 'INFO'))

    @hypothesis.given(enabled)
    def test_what_neutron_does_not_tell_is_not_ok(self, case):
        judged = verdict.judge(*case)
        router, _ = case
        if None in (router.agents, router.ports, router.floating_ips):
            self.assertNotIn(judged.health, ('OK', 'INFO'))

    @hypothesis.given(model.cases)
    def test_every_host_that_neutron_names_is_there(self, case):
        judged = verdict.judge(*case)
        hosts = [replica.host for replica in judged.replicas]
        self.assertEqual(len(hosts), len(set(hosts)))
        for agent in case[0].agents or ():
            self.assertIn(agent.host, hosts)

    @hypothesis.given(model.cases)
    def test_active_is_vip_and_living_keepalived(self, case):
        judged = verdict.judge(*case)
        replicas = {replica.host: replica for replica in judged.replicas}
        for host in judged.active_hosts:
            replica = replicas[host]
            self.assertIs(True, replica.vip)
            self.assertIs(True, replica.keepalived)
            self.assertTrue(replica.view.addresses)
            self.assertIn(
                'keepalived-vrrp', [p.role for p in replica.view.processes]
            )

    @hypothesis.given(model.cases, ignored)
    def test_ignored_findings_never_count(self, case, ignore):
        judged = verdict.judge(*case, ignore)
        counted = [f for f in judged.findings if not f.ignored]
        for finding in judged.findings:
            self.assertEqual(finding.code in ignore, finding.ignored)
        self.assertEqual(
            max((f.severity.rank for f in counted), default=0),
            judged.health.rank,
        )
        self.assertEqual(
            check.exit_code([judged], 'warning'),
            {'OK': 0, 'INFO': 0, 'UNKNOWN': 3, 'WARNING': 4, 'ERROR': 5}[
                judged.health
            ],
        )

    @hypothesis.given(model.cases)
    def test_ignoring_everything_leaves_nothing(self, case):
        judged = verdict.judge(*case, CODES)
        self.assertEqual('OK', judged.health)
        self.assertEqual(0, check.exit_code([judged], 'warning'))

    @hypothesis.given(model.cases)
    def test_order_of_hosts_does_not_matter(self, case):
        router, looks = case
        self.assertEqual(
            verdict.judge(*case), verdict.judge(router, looks[::-1])
        )


class BlindSpotTest(testtools.TestCase):
    """A healthy router of which less and less is seen."""

    @hypothesis.given(strategies.data())
    def test_never_ok(self, data):
        scene = Scene.of('healthy')
        host = data.draw(strategies.sampled_from(scene.names))
        blind = data.draw(
            strategies.sampled_from((*JUDGED, 'files', 'view', 'host'))
        )
        if blind == 'host':
            scene = scene.without_host(host)
        elif blind == 'view':
            scene = scene.with_unreachable(host)
        elif blind == 'files':
            scene = scene.with_view(host, files=False)
        else:
            scene = scene.with_view(host, **{blind: None})
        self.assertNotIn(scene.judge().health, ('OK', 'INFO'))
        # nothing that was not seen is called active either
        if blind in ('host', 'view', 'addresses', 'processes'):
            self.assertNotIn(host, scene.judge().active_hosts)
