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


import contextlib
import os
import signal

from tests.functional.failover import base
from tests.lab.lab import Lab
from tests.lab.layout import Layout


class TestDebian(base.FailoverTest):
    """Router r1 of a lab with the Neutron that Debian 12 packages, 21.0.0.

    The lab is brought up and taken down here. What the older release leaves
    on the nodes has to be read, judged and changed as with the newest.
    """

    def attach(self) -> Lab:
        lab = Lab(Layout.default().with_debian())
        self.addCleanup(lab.down)
        lab.up()
        return lab

    def test_debian(self) -> None:
        """One test for all: a lab takes minutes to come up."""
        active = self.lab.wait_settled(self.router)
        checked = self.check(capture='debian')
        self.assertEqual([active], checked.row['Active Hosts'])
        # Neutron leaves it on where the router has not been active yet
        self.assertLessEqual({code for code, _ in checked.found}, {'RHA311'})
        self._assert_older()
        now = self._lose(self.lab.mend())
        target = min({*self.lab.nodes} - {now})
        self._move(target)
        self._assert_well(target)

    def _assert_older(self) -> None:
        """See that it is the older Neutron, on each node."""
        for node in self.lab.nodes.values():
            done = node.run(['neutron-l3-agent', '--version'])
            self.assertIn('21.0.0', done.stdout + done.stderr)
            self.assertNotIn(
                'protocol', node.router(self.router).configuration()
            )

    def _assert_well(self, active: str) -> None:
        """See that nothing is found, with either backend."""
        for backend in ('ssh', 'agent'):
            checked = self.check('--backend', backend)
            self.assertEqual([], checked.row['Findings'])
            self.assertEqual([active], checked.row['Active Hosts'])
            self.assertEqual(0, checked.exit_code)

    def _lose(self, active: str) -> str:
        """Lose all that serves the router on a node, and mend it.

        :return: where the router is active now
        """
        self._assert_well(active)
        node = self.lab.nodes[active]
        node.kill_l3_agent(signal.SIGKILL)
        replica = node.router(self.router)
        for pid in (*replica.keepalived_pids(), *replica.monitors()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.wait(
            'a second holder',
            lambda: len(self.lab.vip_nodes(self.router)) == 2,
        )
        self.wait(
            'Neutron to take the agent for dead',
            lambda: self.lab.claims(self.router)[active] == 'standby',
            60,
        )
        checked = self.check('--recheck', '2', capture='debian-incident')
        self.assertEqual(5, checked.exit_code)
        self.assertEqual('stale', checked.observed()[active])
        (now,) = checked.row['Active Hosts']
        self.assertNotEqual(active, now)
        for code in ('RHA101', 'RHA203', 'RHA305'):
            self.assert_found(checked, code, active)
        done = self.lab.openstack(
            'router', 'ha', 'repair', 'r1', '--auto-approve'
        )
        # the agent is all that is left, and what only it starts
        self.assertEqual(4, done.returncode, (done.stdout, done.stderr))
        self.assertEqual([now], self.lab.vip_nodes(self.router))
        node.start_l3_agent()
        self.wait(
            'the agent to do its part',
            lambda: self.check('--recheck', '0').exit_code == 0,
            60,
        )
        self._assert_well(now)
        return now

    def _move(self, target: str) -> None:
        """Move the role, and see what is left of it."""
        before = self.traces()
        moved = self.failover('--to', target)
        self.assertEqual(0, moved.exit_code, (moved.stderr, moved.row))
        assert moved.row is not None
        self.assertEqual('promote', moved.row['Method'])
        self.assertEqual('verified', moved.row['Result'])
        self.assertLess(moved.row['Outage'], 0.5)
        self.assertEqual([target], self.lab.active_nodes(self.router))
        self.assert_clean()
        for name, found in self.traces().items():
            self.assertEqual(before[name].configuration, found.configuration)
            self.assertEqual(before[name].keepalived, found.keepalived)
