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
"""Ctrl-C as a person or a program sends it: to a process, on a terminal."""

import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import time

import fixtures
import testtools

from tests.lab import processes

#: seconds until the command waits for nodes, on a machine with much to do
_PATIENCE = 120
CHECK = ('router', 'ha', 'check')
#: what asks a terminal for anything but the next line
ESCAPE = '\x1b'


class InterruptTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.useFixture(fixtures.TempDir()).path
        self.waiting = pathlib.Path(folder, 'waiting')
        self.environment = {
            **os.environ,
            'WAITING': str(self.waiting),
            'TERM': 'xterm',
            'PYTHONPATH': os.pathsep.join(filter(None, sys.path)),
        }
        # that of the terminal counts
        for name in ('COLUMNS', 'LINES', 'NO_COLOR'):
            self.environment.pop(name, None)

    def command(self, *arguments):
        module = 'tests.unit.commands.waiting'
        return [sys.executable, '-m', module, *arguments]

    def wait(self):
        until = time.monotonic() + _PATIENCE
        while not self.waiting.exists():
            self.assertLess(time.monotonic(), until, 'it never began')
            time.sleep(0.02)
        # so that it does wait
        time.sleep(0.2)

    def assert_soon(self, pid):
        """A process ends within a second, on a machine that is its own."""
        watch = processes.Stopwatch(pid)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self.assertLess(watch.seconds(), 1)


class ProcessTest(InterruptTest):
    """Nobody looks at it, and something sends it SIGINT."""

    def interrupted(self, *arguments):
        process = subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # a job in the background has it ignored, and so had this
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.addCleanup(process.kill)
        self.wait()
        process.send_signal(signal.SIGINT)
        self.assert_soon(process.pid)
        stdout, stderr = process.communicate(timeout=30)
        self.assertNotIn('Traceback', stderr)
        self.assertNotIn(ESCAPE, stdout + stderr)
        return process.returncode, stdout, stderr

    def test_json(self):
        code, stdout, stderr = self.interrupted(*CHECK, '-f', 'json')
        self.assertEqual(3, code)
        rows = json.loads(stdout)
        self.assertEqual(['r0', 'r1'], [row['Name'] for row in rows])
        for row in rows:
            self.assertEqual('UNKNOWN', row['Health'])
            seen = [r['observed'] for r in row['Replicas']]
            # none, if there was no time for a verdict
            self.assertLessEqual(seen.count('unknown'), 1)
            (finding,) = row['Findings']
            self.assertIn('interrupted', finding['summary'])
        (line,) = stderr.splitlines()
        self.assertIn('Interrupted: this is what was known', line)

    def test_table(self):
        code, stdout, stderr = self.interrupted(*CHECK)
        self.assertEqual(3, code)
        self.assertIn('| r1   | UNKNOWN |', stdout)
        (line,) = stderr.splitlines()
        self.assertIn('Interrupted: this is what was known', line)


class TerminalTest(InterruptTest):
    """A person looks at it, and presses Ctrl-C."""

    def pressed(self, *arguments, ready=None):
        """Return exit code, what was shown before, and what afterwards.

        :param ready: text for which to wait, instead of nodes
        """
        pid, master = pty.fork()
        if not pid:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            command = self.command(*arguments)
            os.execve(command[0], command, self.environment)
        self.addCleanup(os.close, master)
        if ready is None:
            self.wait()
            before = _read(master, 3)
        else:
            before = _read(master, _PATIENCE, ready)
            self.assertIn(ready, before)
        os.write(master, b'\x03')
        self.assert_soon(pid)
        after = _read(master, 30)
        _, status = os.waitpid(pid, 0)
        self.assertNotIn('Traceback', before + after)
        return os.waitstatus_to_exitcode(status), before, after

    def test_bars_until_then(self):
        code, before, after = self.pressed(*CHECK)
        self.assertEqual(3, code)
        self.assertIn('nodes', before)
        self.assertIn('2/3', before)
        # the bars are taken away, and the cursor is there again
        bars, _, table = after.rpartition(f'{ESCAPE}[2K')
        self.assertIn(f'{ESCAPE}[?25h', bars + table)
        self.assertNotIn('2/3', table)
        self.assertIn('| r1   | UNKNOWN |', table)
        # where it cannot be overlooked
        last = table.rstrip().splitlines()[-1]
        self.assertIn('Interrupted: this is what was known', last)

    def test_json(self):
        code, before, after = self.pressed(*CHECK, '-f', 'json')
        self.assertEqual(3, code)
        self.assertNotIn(ESCAPE, before + after)
        _, bracket, rest = after.partition('[')
        inside, end, _ = rest.rpartition(']')
        rows = json.loads(bracket + inside + end)
        self.assertEqual(['r0', 'r1'], [row['Name'] for row in rows])

    def test_rows_while_it_waits_for_the_rest(self):
        del self.environment['WAITING']
        code, before, after = self.pressed(
            # the last one, by name
            *CHECK,
            '--recheck',
            '60',
            ready='| r99 ',
        )
        self.assertEqual(4, code)
        self.assertIn('looking again in 60 s', before)
        rows = [line for line in before.splitlines() if '| OK ' in line]
        self.assertEqual(130, len(rows))
        # what was looked at twice ends the table
        table, _, words = after.partition('| r130 ')
        self.assertNotIn('| r', table)
        self.assertIn('| WARNING | ', words)
        self.assertIn('\nr130:', words.replace('\r', ''))
        last = words.rstrip().splitlines()[-1]
        self.assertIn('Interrupted: this is what was known', last)
        # 80 columns: nobody has said how wide it is
        for line in [*rows, *words.splitlines()]:
            self.assertLessEqual(len(line), 80, line)

    def test_quiet(self):
        code, before, _ = self.pressed('--quiet', *CHECK)
        self.assertEqual((3, ''), (code, before))


def _read(master, seconds, word=None):
    """Return what is shown within this time, until it ends or has a word."""
    text = b''
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if word is not None and word.encode() in text:
            break
        if select.select([master], [], [], left)[0]:
            try:
                text += os.read(master, 65536)
            except OSError:
                # nobody has the other side any more
                break
    return text.decode()
