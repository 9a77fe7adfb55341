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

"""openstack router ha check --watch and --textfile, for hours and at once."""

from collections.abc import Callable
import json
import os
import pathlib
import signal
import subprocess
import threading
import time
from typing import Any

import fixtures

from tests.functional import base

#: seconds in which a change is printed
BOUND = 60.0


class Watch(fixtures.Fixture):
    """The real command, as long as the test takes."""

    def __init__(self, test: base.LabTest, *arguments: str) -> None:
        super().__init__()
        self._test = test
        self._arguments = arguments
        #: what it has printed up to now
        self.lines: list[str] = []
        self.stderr = ''

    def _setUp(self) -> None:
        lab = self._test.lab
        self._process = subprocess.Popen(
            lab.enter(
                [
                    self._test.openstack,
                    'router',
                    'ha',
                    'check',
                    'r1',
                    '--watch',
                    '1',
                    *self._arguments,
                ]
            ),
            env=lab.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.addCleanup(self._end)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip('\n'))

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def interrupt(self) -> tuple[int, float]:
        """Press Ctrl-C; return exit code and how long it took to end."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(BOUND)
        took = time.monotonic() - began
        assert self._process.stderr is not None
        self.stderr = self._process.stderr.read()
        return code, took


class WatchTest(base.LabTest):
    def setUp(self) -> None:
        super().setUp()
        self.active, self.standbys = self.settled()

    def watch(self, *arguments: str) -> Watch:
        return self.useFixture(
            Watch(self, '--recheck', '0', '--probe-timeout', '5', *arguments)
        )

    def until(
        self,
        watch: Watch,
        what: str,
        condition: Callable[[dict[str, Any]], object],
        after: int = 0,
    ) -> int:
        """Wait for an event, and return its number, from 1 on."""
        found = 0

        def seen() -> bool:
            nonlocal found
            for number, line in enumerate(watch.lines[after:], after + 1):
                if condition(json.loads(line)):
                    found = number
                    return True
            self.assertTrue(watch.running)
            return False

        self.wait(what, seen, BOUND)
        return found

    def test_changes_as_they_come(self) -> None:
        broken = self.standbys[0]
        watch = self.watch('-f', 'json')
        at = self.until(watch, 'a first look', lambda e: True)
        first = json.loads(watch.lines[0])
        self.assertEqual(('state', 'OK'), (first['Event'], first['Health']))
        self.assertEqual([self.active], first['Active Hosts'])
        # nothing changes, nothing is printed
        time.sleep(5)
        self.assertEqual(1, len(watch.lines), watch.lines)
        node = self.lab.nodes[broken]
        node.stop_sshd()
        self.addCleanup(node.start_sshd)
        at = self.until(
            watch, 'UNKNOWN', lambda e: e.get('Health') == 'UNKNOWN', at
        )
        change = json.loads(watch.lines[at - 1])
        self.assertEqual('change', change['Event'])
        self.assertEqual('OK', change['Before']['Health'])
        self.assertEqual('RHA901', change['Findings'][0]['code'])
        node.start_sshd()
        at = self.until(watch, 'OK', lambda e: e.get('Health') == 'OK', at)
        code, took = watch.interrupt()
        self.assertEqual((0, ''), (code, watch.stderr))
        self.assertLess(took, 5)

    def test_a_look_that_fails_is_not_the_end(self) -> None:
        watch = self.watch('-f', 'json', '--backend', 'ssh')
        at = self.until(watch, 'a first look', lambda e: True)
        with self.lab.control.without('neutron'):
            at = self.until(
                watch, 'failed', lambda e: e['Event'] == 'failed', at
            )
            self.assertIn('cannot be reached', watch.lines[at - 1])
        self.until(watch, 'works', lambda e: e['Event'] == 'works', at)
        code, _ = watch.interrupt()
        self.assertEqual((0, ''), (code, watch.stderr))

    def test_ctrl_c_while_neutron_is_down(self) -> None:
        watch = self.watch('--backend', 'ssh')
        self.wait('a first look', lambda: len(watch.lines) > 1, BOUND)
        with self.lab.control.without('neutron'):
            self.wait(
                'failed',
                lambda: 'The look failed' in watch.lines[-1],
                BOUND,
            )
            code, took = watch.interrupt()
        self.assertEqual((3, ''), (code, watch.stderr))
        self.assertLess(took, 5)
        self.assertIn(f'r1 is OK, active on {self.active}', watch.lines[0])
        self.assertIn('1 router is UNKNOWN: ', watch.lines[-1])

    def test_nobody_reads_any_more(self) -> None:
        """As in ``... --watch 1 | head -1``: no trace, and no process."""
        done = self.lab.ctl(
            [
                'sh',
                '-c',
                f'{self.openstack} router ha check r1 --watch 1 | head -1',
            ],
            check=False,
        )
        self.assertIn('Router r1 is OK', done.stdout)
        self.assertNotIn('Traceback', done.stderr)


class TextfileTest(base.LabTest):
    def test_written_at_each_look(self) -> None:
        active, _ = self.settled()
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        path = folder / 'router_ha.prom'
        done = self.lab.openstack(
            'router', 'ha', 'check', '--textfile', str(path)
        )
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        page = path.read_bytes()
        linted = subprocess.run(
            ['promtool', 'check', 'metrics'], input=page, capture_output=True
        )
        self.assertEqual(
            (0, b'', b''), (linted.returncode, linted.stdout, linted.stderr)
        )
        self.assertIn(
            f'router_ha_replica_active{{host="{active}",'
            f'router_id="{self.router}"}} 1.0',
            page.decode().splitlines(),
        )
        self.assertEqual([path.name], os.listdir(folder))
        watch = self.useFixture(Watch(self, '--textfile', str(path)))
        before = os.stat(path).st_ino
        self.wait(
            'written again', lambda: os.stat(path).st_ino != before, BOUND
        )
        self.assertEqual(0, watch.interrupt()[0])
        self.assertEqual([path.name], os.listdir(folder))
