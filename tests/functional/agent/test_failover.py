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

"""Moves through the node agents: as over SSH, with the same guarantees."""

import dataclasses
import os
import signal
import time

from tests.functional.failover import base
from tests.lab.failovers import Failover

LOCK = '/run/osc-ha-router/{}.lock'
#: seconds in which nodes undo what was begun: a lease, and what it takes
UNDONE = 20


class FailoverTest(base.FailoverTest):
    """Router r1, moved by an administrator who has no SSH."""

    def setUp(self) -> None:
        super().setUp()
        self.active, self.standbys = self.settled()
        self.before = self.traces()

    def by_agent(
        self, *arguments: str, env: dict[str, str] | None = None
    ) -> base.Moved:
        """Run the real command to its end."""
        # whoever has no way to log in
        without = {'OS_ROUTER_HA_SSH_CONFIG': '/nonexistent', **(env or {})}
        return self.failover('--backend', 'agent', *arguments, env=without)

    def assert_moved(
        self, moved: base.Moved, target: str, method: str
    ) -> None:
        """See that it is where it was to be, and that nothing is left."""
        self.assertEqual(0, moved.exit_code, (moved.stderr, moved.row))
        assert moved.row is not None
        self.assertEqual('verified', moved.row['Result'])
        self.assertEqual(method, moved.row['Method'])
        self.assertEqual(target, moved.row['To'])
        self.assertEqual([target], self.lab.active_nodes(self.router))
        self.assertEqual([target], self.lab.vip_nodes(self.router))
        self.assert_clean()
        self.assertEqual([], self._locked())

    def assert_undone(self) -> None:
        """See that soon everything is as it was, and stays so."""
        self.wait(
            'the nodes to undo what was begun',
            lambda: self.traces() == self.before and not self._locked(),
            UNDONE,
        )
        # as long as a move would have taken
        time.sleep(7)
        self.assertEqual(self.before, self.traces())
        self.assertEqual([self.active], self.lab.active_nodes(self.router))
        self.assertEqual([], self._locked())

    def assert_left_as_found(self, target: str) -> None:
        """See that nothing is left, whether the role has moved or not."""
        before = _kept(self.before)
        self.wait(
            'the nodes to undo what was begun',
            lambda: _kept(self.traces()) == before and not self._locked(),
            UNDONE,
        )
        self.wait(
            'one active node',
            lambda: len(self.lab.vip_nodes(self.router)) == 1,
        )
        self.assertEqual(before, _kept(self.traces()))
        (active,) = self.lab.active_nodes(self.router)
        self.assertIn(active, (self.active, target))

    def _locked(self) -> list[str]:
        """Return the nodes on which somebody holds the router's lock."""
        path = LOCK.format(self.router)
        return [
            name
            for name, node in self.lab.nodes.items()
            if not node.run(['test', '-e', path], check=False).returncode
            and node.run(
                ['flock', '--nonblock', path, 'true'], check=False
            ).returncode
        ]

    def _programs(self, name: str) -> list[int]:
        """Return the node programs of an agent."""
        return self.lab.nodes[name].ha_agent_pids()[2:]

    def test_promote(self) -> None:
        """Away from the entry agent's node, or to it, and back."""
        target = 'net1' if self.active != 'net1' else self.standbys[0]
        for source, to in (
            (self.active, target),
            (target, self.active),
        ):
            moved = self.by_agent('--to', to, '--from', source)
            self.assert_moved(moved, to, 'promote')
            assert moved.row is not None
            self.assertLess(moved.row['Outage'], 0.5)
            for name, found in self.traces().items():
                was = self.before[name]
                self.assertEqual(was.configuration, found.configuration)
                self.assertEqual(was.keepalived, found.keepalived)
        self.assertEqual(
            [], [p for n in self.before for p in self._programs(n)]
        )

    def test_other_entry(self) -> None:
        """By way of an agent that has no part in it."""
        target, other = self.standbys
        url = self.lab.nodes[other].ha_agent_url
        moved = self.by_agent(
            '--to', target, env={'OS_ROUTER_HA_AGENT_ENDPOINT': url}
        )
        self.assert_moved(moved, target, 'promote')

    def test_refused(self) -> None:
        """An agent that cannot be asked is an obstacle, named as such."""
        target = next(n for n in self.standbys if n != 'net1')
        self.lab.nodes[target].stop_ha_agent()
        moved = self.by_agent('--to', target)
        self.assert_refused(moved, self.before, target, 'agent')
        self.lab.nodes[target].start_ha_agent()
        moved = self.by_agent('--to', 'net9')
        self.assert_refused(moved, self.before, 'net9')

    def test_two_at_once(self) -> None:
        """One over SSH and one through the agents: one lock for both."""
        one, other = self.standbys
        first = Failover(self.lab, 'r1', ['--to', one])
        self.wait('the first to hold the lock', self._locked)
        second = self.by_agent('--to', other)
        self.assertEqual(1, second.exit_code, second.stderr)
        self.assertRegex(second.stderr, 'pid [0-9]+')
        self.assertEqual(0, first.wait(), first.errors())
        self.assertEqual([one], self.lab.active_nodes(self.router))
        self.assert_clean()

    def _begin(self, target: str) -> Failover:
        """Start a move and return when the nodes are in the middle of it."""
        failover = Failover(
            self.lab, 'r1', ['--backend', 'agent', '--to', target]
        )
        self.addCleanup(failover.end)
        self.wait(
            'the move to be under way',
            lambda: (
                'takes over in' in failover.errors() or not failover.running()
            ),
        )
        self.assertTrue(failover.running(), failover.errors())
        self.assertNotEqual(self.before, self.traces())
        self.assertIn(target, self._locked())
        return failover

    def test_client_killed(self) -> None:
        """Nobody renews the lease, and the nodes notice."""
        target = self.standbys[0]
        failover = self._begin(target)
        os.kill(failover.pid, signal.SIGKILL)
        self.assert_left_as_found(target)

    def test_client_interrupted(self) -> None:
        failover = self._begin(self.standbys[0])
        os.kill(failover.pid, signal.SIGINT)
        self.assertEqual(3, failover.wait(30), failover.errors())
        self.assertIn('Interrupted', failover.errors())
        self.assert_undone()

    def test_agent_of_target_killed(self) -> None:
        self._kill_agent(self.standbys[0])

    def test_agent_of_source_killed(self) -> None:
        self._kill_agent(self.active)

    def _kill_agent(self, victim: str) -> None:
        """Kill an agent outright, and start it again as systemd would."""
        target = self.standbys[0]
        node = self.lab.nodes[victim]
        failover = self._begin(target)
        node.signal_ha_agent(signal.SIGKILL)
        self.wait(
            'the end of all that the agent started',
            lambda: not node.ha_agent_pids(),
            UNDONE,
        )
        node.start_ha_agent()
        # told, and not left waiting
        code = failover.wait(90)
        self.assertNotIn('Traceback', failover.errors())
        row = failover.row()
        self.assertIn('agent', failover.errors() + str(row))
        self.assert_left_as_found(target)
        active = self.lab.active_nodes(self.router)
        if code == 0:
            # it was on its way already
            self.assertEqual('verified', row['Result'], row)
            self.assertEqual([target], active)
        elif code == 1:
            self.assertEqual([self.active], active, failover.errors())
        else:
            self.assertIn(code, (3, 4), failover.errors())

    def test_agent_stopped(self) -> None:
        """As systemd does: the move is undone or done, and never half."""
        target = self.standbys[0]
        failover = self._begin(target)
        self.lab.nodes[target].stop_ha_agent()
        self.lab.nodes[target].start_ha_agent()
        failover.wait(90)
        self.assert_left_as_found(target)


def _kept(traces: dict[str, base.Traces]) -> dict[str, base.Traces]:
    """Return what has to be the same wherever the role is."""
    return {
        name: dataclasses.replace(found, addresses=frozenset())
        for name, found in traces.items()
    }
