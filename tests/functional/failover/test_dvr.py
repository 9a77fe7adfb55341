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


from tests.functional.failover import base
from tests.lab import cloud
from tests.lab import streams
from tests.lab.lab import Lab
from tests.lab.layout import Layout


class TestDvr(base.FailoverTest):
    """Router r1 of a lab with DVR, which is brought up and taken down here.

    What is active on one node only is its centralised part, in the snat-
    namespace.
    """

    def attach(self) -> Lab:
        lab = Lab(Layout.default().with_dvr())
        self.addCleanup(lab.down)
        lab.up()
        return lab

    def test_dvr(self) -> None:
        """One test for all: a lab takes more than a minute."""
        active = self.lab.wait_settled(self.router)
        checked = self.check(capture='dvr')
        self.assertEqual([active], checked.row['Active Hosts'])
        # Neutron leaves it on where the router has not been active yet
        self.assertLessEqual({code for code, _ in checked.found}, {'RHA311'})
        self.lab.mend()
        self._assert_well(active)
        target = min({*self.lab.nodes} - {active, cloud.SERVER_NODE})
        self._move(target)
        self._assert_well(target)
        self._serve_instances_only(cloud.SERVER_NODE)

    def _assert_well(self, active: str) -> None:
        """See that nothing is found, and that the right place was seen."""
        checked = self.check()
        self.assertEqual([], checked.row['Findings'])
        self.assertEqual([active], checked.row['Active Hosts'])
        self.assertEqual(0, checked.exit_code)
        shown = self.lab.openstack_json('router', 'ha', 'show', 'r1')
        self.assertIs(True, shown['Distributed'])
        self.assertEqual(
            {f'snat-{self.router}'},
            {replica['view']['namespace'] for replica in shown['Replicas']},
        )

    def _move(self, target: str) -> None:
        """Move the role while a connection goes out through it."""
        before = self.traces()
        with (
            streams.without_floating_ip(self.lab) as behind,
            streams.Stream(behind, streams.outside(self.lab)) as snat,
        ):
            self.assertEqual(self.lab.gateway(self.router), snat.seen_from)
            moved = self.failover('--to', target)
            self.assertEqual(0, moved.exit_code, (moved.stderr, moved.row))
            self.assertTrue(snat.carries(), snat.trouble())
            self.assertLess(snat.silence().seconds, 1.5)
        assert moved.row is not None
        self.assertEqual('promote', moved.row['Method'])
        self.assertEqual('verified', moved.row['Result'])
        self.assertLess(moved.row['Outage'], 0.5)
        self.assertEqual([target], self.lab.active_nodes(self.router))
        self.assert_clean()
        for name, found in self.traces().items():
            self.assertEqual(before[name].configuration, found.configuration)
            self.assertEqual(before[name].keepalived, found.keepalived)

    def _serve_instances_only(self, host: str) -> None:
        """Make a compute host of a node: nothing there is a leftover."""
        agents = self.lab.admin.hosting(self.router)
        (agent,) = (a['id'] for a in agents if a['host'] == host)
        path = f'/agents/{agent}/l3-routers/{self.router}'
        self.lab.admin.neutron('DELETE', path)
        node = self.lab.nodes[host]
        self.wait(
            f'the end of keepalived on {host}',
            lambda: not node.keepalived_pids(self.router),
        )
        checked = self.check(capture='dvr-compute')
        namespaces = node.run(['ip', 'netns']).stdout
        self.assertIn(f'qrouter-{self.router}', namespaces)
        self.assertEqual([], checked.row['Findings'])
        self.assertNotIn(host, checked.observed())
