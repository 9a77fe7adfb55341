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


import json
import os
import signal
import subprocess
import threading
import time

from tests.functional.failover import base


class TestMoves(base.FailoverTest):
    """Router r1, moved on purpose."""

    def _assert_moved(
        self, moved: base.Moved, source: str, target: str, method: str
    ) -> None:
        self.assertEqual(0, moved.exit_code, (moved.stderr, moved.row))
        assert moved.row is not None
        self.assertEqual(self.router, moved.row['Router'])
        self.assertEqual(source, moved.row['From'])
        self.assertEqual(target, moved.row['To'])
        self.assertEqual(method, moved.row['Method'])
        self.assertEqual('verified', moved.row['Result'])
        self.assertEqual([target], self.lab.active_nodes(self.router))
        self.assertEqual([target], self.lab.vip_nodes(self.router))
        self.assert_clean()

    def test_promote(self) -> None:
        """To each standby in turn; nobody's keepalived is touched."""
        active, standbys = self.settled()
        before = self.traces()
        for target in (*standbys, active):
            (source,) = self.lab.active_nodes(self.router)
            moved = self.failover('--to', target, '--from', source)
            self._assert_moved(moved, source, target, 'promote')
            self.assertLess(moved.row['Outage'], 0.5)
            self.assertLess(moved.row['Takeover Seconds'], 8)
            for name, found in self.traces().items():
                self.assertEqual(
                    before[name].configuration, found.configuration
                )
                self.assertEqual(before[name].keepalived, found.keepalived)
        checked = self.check()
        self.assertEqual('OK', checked.row['Health'], checked.row)

    def test_target_chosen(self) -> None:
        active, standbys = self.settled()
        moved = self.failover()
        self._assert_moved(moved, active, min(standbys), 'promote')

    def test_already_there(self) -> None:
        active, _ = self.settled()
        before = self.traces()
        moved = self.failover('--to', active)
        self.assertEqual(0, moved.exit_code, moved.stderr)
        self.assertEqual('already active', moved.row['Result'])
        self.assertEqual(before, self.traces())

    def test_dry_run(self) -> None:
        active, (standby, _) = self.settled()
        before = self.traces()
        moved = self.failover('--to', standby, '--dry-run', approve=False)
        self.assertEqual(0, moved.exit_code, moved.stderr)
        self.assertEqual('planned', moved.row['Result'])
        self.assertEqual(active, moved.row['From'])
        self.assertEqual(standby, moved.row['To'])
        self.assertTrue(moved.row['Notes'])
        self.assertEqual(before, self.traces())

    def test_handover(self) -> None:
        active, (standby, _) = self.settled()
        moved = self.failover('--to', standby, '--method', 'handover')
        self._assert_moved(moved, active, standby, 'handover')
        self.assertLess(moved.row['Outage'], 2)

    def test_release(self) -> None:
        active, standbys = self.settled()
        moved = self.failover('--method', 'release')
        (now,) = self.lab.active_nodes(self.router)
        self.assertIn(now, standbys)
        self._assert_moved(moved, active, now, 'release')

    def test_monitors_started_anew(self) -> None:
        """Neutron's own would not tell of the first change they see."""
        active, (standby, _) = self.settled()
        for name in (active, standby):
            replica = self.lab.nodes[name].router(self.router)
            before = replica.monitor_pid()
            assert before is not None
            os.kill(before, signal.SIGTERM)
            self.wait(
                f'another monitor on {name}',
                lambda r=replica, b=before: r.monitor_pid() not in (None, b),
                60,
            )
        moved = self.failover('--to', standby)
        self._assert_moved(moved, active, standby, 'promote')
        checked = self.check()
        self.assertEqual('OK', checked.row['Health'], checked.row)

    def test_answered_yes(self) -> None:
        active, (standby, _) = self.settled()
        moved = self.answer('yes\n', 'r1', '--to', standby)
        self.assertEqual(0, moved.exit_code, moved.stderr)
        self.assertIn('[y/N]', moved.stderr)
        self.assertEqual([standby], self.lab.active_nodes(self.router))

    def test_two_at_once(self) -> None:
        """The second is told by whom and since when."""
        _, (one, other) = self.settled()
        first: list[base.Moved] = []
        thread = threading.Thread(
            target=lambda: first.append(self.failover('--to', one))
        )
        thread.start()
        lock = f'/run/osc-ha-router/{self.router}.lock'
        held = ['flock', '--nonblock', lock, 'true']
        node = self.lab.nodes[one]
        self.wait(
            'the first to hold the lock',
            lambda: (
                node.run(['test', '-e', lock], check=False).returncode == 0
                and node.run(held, check=False).returncode
            ),
        )
        second = self.failover('--to', other)
        thread.join()
        self.assertEqual(1, second.exit_code, second.stderr)
        self.assertRegex(second.stderr, 'pid [0-9]+')
        self.assertRegex(second.stderr, r'at 20\d\d-')
        self.assertEqual(0, first[0].exit_code, first[0].stderr)
        self.assertEqual([one], self.lab.active_nodes(self.router))
        self.assert_clean()

    def test_interrupted(self) -> None:
        """Ctrl-C before the role moves: it stays, and nothing is left."""
        active, (standby, _) = self.settled()
        before = self.traces()
        command = [self.openstack, 'router', 'ha', 'failover', 'r1']
        with subprocess.Popen(
            self.lab.enter([*command, '--to', standby, '--auto-approve']),
            env=self.lab.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # whoever runs this in the background has it ignored
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if 'takes over in' in line:
                    break
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=30)
        self.assertLess(time.monotonic() - began, 3)
        self.assertEqual(3, process.returncode, stderr)
        self.assertIn('Interrupted', stderr)
        self.assertNotIn('Traceback', stderr)
        self.wait(
            'the nodes to undo what was begun',
            lambda: self.traces() == before,
            10,
        )
        # as long as it would have taken
        time.sleep(7)
        self.assertEqual(before, self.traces())
        self.assertEqual([active], self.lab.active_nodes(self.router))

    def test_check_during_a_move(self) -> None:
        """A check in the middle raises no alarm."""
        _, (standby, _) = self.settled()
        done: list[base.Moved] = []
        thread = threading.Thread(
            target=lambda: done.append(self.failover('--to', standby))
        )
        thread.start()
        time.sleep(6)
        checked = self.check()
        thread.join()
        self.assertEqual(0, checked.exit_code, json.dumps(checked.row))
        self.assertEqual(0, done[0].exit_code, done[0].stderr)
