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
import socket
import subprocess
import sys
import textwrap
import threading
import time

import fixtures

from osc_ha_router.agent import keeper
from osc_ha_router.agent import privileged
from tests.lab import processes
from tests.unit import quiet


class KeeperTest(quiet.TestCase):
    """The real process; what it forks needs no rights to say hello."""

    limit = 4

    def setUp(self):
        super().setUp()
        self.keeper = keeper.start(self.limit)
        self.addCleanup(self.assert_ends)

    def assert_ends(self):
        self.assertTrue(self.keeper.wait(10))

    def open(self):
        opened = self.keeper.open()
        self.addCleanup(opened.close)
        opened.settimeout(10)
        return opened

    def hello(self, opened):
        with opened.makefile('rb') as stream:
            return json.loads(stream.readline())['hello']

    def children(self):
        """Pids of the node programs, zombies included."""
        return processes.children(self.keeper.pid)

    def state(self, pid):
        with open(f'/proc/{pid}/stat') as stream:
            return stream.read().rpartition(') ')[2][0]

    def until(self, question, seconds=5.0):
        end = time.monotonic() + seconds
        while not question() and time.monotonic() < end:
            time.sleep(0.005)
        self.assertTrue(question())

    def send(self, message):
        self.keeper._channel.settimeout(1)
        try:
            self.keeper._channel.send(message)
        except TimeoutError:
            # it may be slower than we are
            time.sleep(0.05)


class OpenTest(KeeperTest):
    def test_hello(self):
        self.assertEqual(
            (os.uname().nodename, os.geteuid()),
            tuple(
                self.hello(self.open())[name] for name in ('hostname', 'uid')
            ),
        )

    def test_how_long_it_takes(self):
        took = []
        for _ in range(20):
            began = time.monotonic()
            with self.keeper.open() as opened:
                opened.recv(1)
            took.append(time.monotonic() - began)
            self.until(lambda: not self.children())
        # the others may have waited for a processor
        self.assertLess(min(took), 0.02)

    def test_what_a_node_program_has_open(self):
        first = self.open()
        self.hello(first)
        (one,) = self.children()
        second = self.open()
        self.hello(second)
        for pid in self.children():
            found = {
                name: os.readlink(f'/proc/{pid}/fd/{name}')
                for name in os.listdir(f'/proc/{pid}/fd')
            }
            self.assertEqual({'0', '1', '2'}, set(found))
            self.assertEqual(found['0'], found['1'])
            # neither the keeper's group nor that of another one
            self.assertEqual(pid, os.getsid(pid))
            self.assertEqual(pid, os.getpgid(pid))
            with open(f'/proc/{pid}/comm') as stream:
                self.assertEqual('osc-ha-node\n', stream.read())
        # so that the end of one is the end of one
        first.close()
        self.until(lambda: one not in self.children())
        self.assertEqual(1, len(self.children()))

    def test_signals_of_a_node_program(self):
        """As if it were started by hand; the node program relies on it."""
        self.hello(self.open())
        (pid,) = self.children()
        with open(f'/proc/{pid}/status') as stream:
            status = dict(line.split(':\t') for line in stream)
        ignored, caught, blocked = (
            {n for n in range(1, 65) if int(status[name], 16) >> (n - 1) & 1}
            for name in ('SigIgn', 'SigCgt', 'SigBlk')
        )
        self.assertEqual({signal.SIGINT}, caught)
        # as Python has it
        self.assertEqual({signal.SIGPIPE, signal.SIGXFSZ}, ignored)
        self.assertEqual(set(), blocked)
        os.kill(pid, signal.SIGTERM)
        self.until(lambda: not self.children())

    def test_limit(self):
        opened = [self.open() for _ in range(self.limit)]
        self.assertRaises(keeper.Busy, self.keeper.open)
        self.assertTrue(self.keeper.alive())
        opened[0].close()
        self.until(lambda: len(self.children()) < self.limit)
        self.hello(self.open())

    def test_killed_node_program(self):
        first, second = self.open(), self.open()
        self.hello(first)
        self.hello(second)
        os.kill(self.children()[0], signal.SIGKILL)
        self.assertEqual(b'', first.recv(1))
        second.sendall(b'{"id": 1, "op": "nothing"}\n')
        self.assertIn(b'unknown-op', second.recv(4096))
        self.until(lambda: len(self.children()) == 1)

    def test_nothing_adds_up(self):
        self.hello(self.open())
        before = self.descriptors(self.keeper.pid)
        ours = self.descriptors(os.getpid())
        for _ in range(50):
            with self.keeper.open() as opened:
                opened.recv(1)
            self.until(lambda: len(self.children()) == 1)
        # it may be about to close one, then as now
        self.until(lambda: self.descriptors(self.keeper.pid) <= before)
        self.assertEqual(ours, self.descriptors(os.getpid()))

    def descriptors(self, pid: int) -> int:
        """Return how many a process has open."""
        return len(os.listdir(f'/proc/{pid}/fd'))

    def test_threads(self):
        """Whoever asks gets a program of their own, or is told."""
        outcomes = []

        def work():
            for _ in range(10):
                try:
                    with self.keeper.open() as opened:
                        opened.settimeout(10)
                        opened.sendall(b'{"id": 1, "op": "nothing"}\n')
                        with opened.makefile('rb') as stream:
                            stream.readline()
                            outcomes.append(b'unknown-op' in stream.readline())
                except keeper.Busy:
                    outcomes.append(None)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual(80, len(outcomes))
        self.assertIn(True, outcomes)
        self.assertNotIn(False, outcomes)

    def test_not_inherited(self):
        """What the web process starts holds no conversation open."""
        opened = self.open()
        self.hello(opened)
        sleeper = subprocess.Popen(['sleep', '60'], close_fds=False)
        self.addCleanup(sleeper.wait)
        self.addCleanup(sleeper.kill)
        opened.close()
        self.until(lambda: not self.children())
        self.assertTrue(self.keeper.wait(5))


class GarbageTest(KeeperTest):
    def test_survives(self):
        tag = b'x' * privileged.TAG
        with open(os.devnull) as null:
            for message in (
                b'',
                b'o',
                b'open',
                b'open' + tag + b'x',
                b'shut' + tag,
                b'open' * 10_000,
                os.urandom(200),
                b'\0' * 12,
            ):
                self.send(message)
                # descriptors are for nobody
                socket.send_fds(
                    self.keeper._channel, [message or b'x'], [null.fileno()]
                )
        before = set(os.listdir(f'/proc/{self.keeper.pid}/fd'))
        self.hello(self.open())
        self.assertEqual(
            before, set(os.listdir(f'/proc/{self.keeper.pid}/fd'))
        )
        self.assertEqual(1, len(self.children()))

    def test_flood(self):
        for _ in range(5000):
            self.send(os.urandom(11))
        self.hello(self.open())

    def test_answers_that_nobody_takes(self):
        """More than the socket holds: nothing waits, nothing is left."""
        for number in range(1000):
            self.send(b'open%8d' % number)
        # those that were forked end when their sockets are closed unread
        tags = set()
        self.keeper._channel.settimeout(0.5)
        while True:
            try:
                message, found, _, _ = socket.recv_fds(
                    self.keeper._channel, 512, 1
                )
            except TimeoutError:
                break
            tags.add(message[:8])
            for number in found:
                os.close(number)
        self.assertLess(0, len(tags))
        self.until(lambda: not self.children())
        self.hello(self.open())

    def test_answer_that_came_too_late(self):
        os.kill(self.keeper.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.keeper.pid, signal.SIGCONT)
        for _ in range(2):
            gone = self.assertRaises(keeper.Gone, self.keeper.open, 0.1)
            self.assertIn('does not answer', str(gone))
        os.kill(self.keeper.pid, signal.SIGCONT)
        time.sleep(0.2)
        self.hello(self.open())
        self.until(lambda: len(self.children()) == 1)


class EndTest(KeeperTest):
    def test_asked_to_end(self):
        """As systemd asks each process of a service."""
        opened = self.open()
        self.hello(opened)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            os.kill(self.keeper.pid, number)
        self.hello(self.open())
        self.assertTrue(self.keeper.alive())

    def test_alive(self):
        self.assertTrue(self.keeper.alive())
        self.assertFalse(self.keeper.ended())
        self.until(lambda: not self.children())

    def test_killed(self):
        opened = self.open()
        self.hello(opened)
        os.kill(self.keeper.pid, signal.SIGKILL)
        self.until(lambda: not self.keeper.alive())
        self.assertRaises(keeper.Gone, self.keeper.open)
        # a conversation goes on; its program is somebody else's child now
        opened.sendall(b'{"id": 1, "op": "nothing"}\n')
        self.assertIn(b'unknown-op', opened.recv(4096))

    def test_hangs(self):
        os.kill(self.keeper.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.keeper.pid, signal.SIGCONT)
        # as it is called without a time of its own
        self.patch(keeper.Keeper.open, '__defaults__', (0.1,))
        self.assertFalse(self.keeper.alive())

    def test_waits_for_its_programs(self):
        self.hello(self.open())
        (pid,) = self.children()
        os.kill(pid, signal.SIGSTOP)
        self.until(lambda: self.state(pid) == 'T')
        self.assertFalse(self.keeper.wait(0.3))
        os.kill(pid, signal.SIGCONT)
        self.assertTrue(self.keeper.wait(5))
        self.assertTrue(self.keeper.ended())
        self.assertFalse(os.path.exists(f'/proc/{pid}'))

    def test_let_go_while_somebody_asks(self):
        os.kill(self.keeper.pid, signal.SIGSTOP)
        self.until(lambda: self.state(self.keeper.pid) == 'T')
        outcomes = []

        def work():
            began = time.monotonic()
            self.assertRaises(keeper.Gone, self.keeper.open)
            outcomes.append(time.monotonic() - began)

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.1)
        self.assertFalse(self.keeper.wait(0.1))
        thread.join(10)
        os.kill(self.keeper.pid, signal.SIGCONT)
        self.assertLess(outcomes[0], 2)

    def test_gone_is_gone(self):
        self.assertTrue(self.keeper.wait(5))
        self.assertFalse(self.keeper.alive())
        self.assertRaises(keeper.Gone, self.keeper.open)


class ForkerTest(quiet.TestCase):
    """The process with something else in the place of the node program."""

    def start(self, script):
        """Run the keeper; the script sets ``run`` and may change it."""
        self.ours, theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET
        )
        self.addCleanup(self.ours.close)
        source = (
            'import os, signal, sys, time\n'
            'from osc_ha_router.agent import privileged\n'
            + textwrap.dedent(script)
            + '\nprivileged._load = lambda: run\n'
            f'sys.exit(privileged.main(["{theirs.fileno()}", "3"]))\n'
        )
        self.process = subprocess.Popen(
            [sys.executable, '-c', source],
            pass_fds=[theirs.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.process.stderr.close)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        theirs.close()
        self.ours.settimeout(10)
        self.assertEqual(privileged.READY, self.ours.recv(100))
        return keeper.Keeper(self.process, self.ours)

    def test_hangs_at_the_end(self):
        started = self.start(
            """
            privileged._PATIENCE = 0.3
            def run():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                os.write(1, b'x')
                time.sleep(60)
            """
        )
        opened = started.open()
        opened.recv(1)
        opened.close()
        began = time.monotonic()
        self.assertTrue(started.wait(5))
        self.assertLess(time.monotonic() - began, 2)
        said = self.process.stderr.read()
        self.assertIn('hangs and is killed', said)
        self.assertIn('ended by signal 9', said)

    def test_asked_to_end_at_the_end(self):
        """One that does not look whether anybody is there."""
        started = self.start(
            """
            def run():
                os.write(1, b'x')
                time.sleep(60)
            """
        )
        opened = started.open()
        opened.recv(1)
        began = time.monotonic()
        self.assertTrue(started.wait(5))
        self.assertLess(time.monotonic() - began, 2)
        self.assertEqual(b'', opened.recv(1))
        opened.close()
        self.assertEqual('', self.process.stderr.read())

    def test_never_returns_into_the_keeper(self):
        started = self.start(
            """
            def run():
                raise ZeroDivisionError('oh')
            """
        )
        with started.open() as opened:
            self.assertEqual(b'', opened.recv(1))
        self.assertTrue(started.wait(5))
        said = self.process.stderr.read()
        self.assertIn('ZeroDivisionError: oh', said)
        self.assertIn('ended with code 1', said)

    def test_exit_in_the_program(self):
        started = self.start(
            """
            def run():
                sys.exit(3)
            """
        )
        with started.open() as opened:
            self.assertEqual(b'', opened.recv(1))
        self.assertTrue(started.wait(5))

    def test_no_process_to_be_had(self):
        started = self.start(
            """
            run = None
            def fork():
                raise BlockingIOError(11, 'Resource temporarily unavailable')
            privileged.os.fork = fork
            """
        )
        for _ in range(5):
            gone = self.assertRaises(keeper.Gone, started.open)
            self.assertIn('Resource temporarily unavailable', str(gone))
        self.assertTrue(started.wait(5))

    def test_no_file_to_be_had(self):
        started = self.start(
            """
            import resource
            def run():
                os.write(1, b'x')
                time.sleep(60)
            privileged._PATIENCE = 0.1
            # room for the first, which leaves nothing open in the keeper
            resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
            """
        )
        began = time.monotonic()
        for _ in range(3):
            try:
                with started.open() as opened:
                    opened.recv(1)
            except keeper.Gone as exc:
                self.assertIn('files', str(exc))
        self.assertLess(time.monotonic() - began, 5)
        self.assertTrue(started.wait(5))


class StartTest(quiet.TestCase):
    def test_does_not_start(self):
        self.patch(keeper, '_MODULE', 'osc_ha_router.agent.nothing')
        gone = self.assertRaises(keeper.Gone, keeper.start, 1)
        self.assertIn('start', str(gone))

    def test_environment_has_no_say(self):
        self.useFixture(
            fixtures.EnvironmentVariable('PYTHONPATH', '/nonexistent')
        )
        started = keeper.start(1)
        try:
            with open(f'/proc/{started.pid}/environ', 'rb') as stream:
                names = {
                    line.partition(b'=')[0]
                    for line in stream.read().split(b'\0')
                }
            self.assertEqual({b'', b'LC_ALL', b'PATH'}, names)
            with open(f'/proc/{started.pid}/cmdline', 'rb') as stream:
                self.assertIn(b'-I', stream.read().split(b'\0'))
            self.assertEqual('/', os.readlink(f'/proc/{started.pid}/cwd'))
        finally:
            self.assertTrue(started.wait(5))

    def test_imports_nothing_else(self):
        """What runs as root is the standard library and the node program."""
        source = (
            'import sys\n'
            'before = set(sys.modules)\n'
            'from osc_ha_router.agent import privileged\n'
            'privileged._load()\n'
            'print(*set(sys.modules) - before)\n'
        )
        found = subprocess.run(
            [sys.executable, '-I', '-c', source],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        others = {
            name
            for name in found
            if name.partition('.')[0] not in sys.stdlib_module_names
        }
        allowed = {
            'osc_ha_router',
            'osc_ha_router.agent',
            'osc_ha_router.agent.privileged',
            'osc_ha_router.node',
        }
        self.assertEqual(
            set(),
            {
                name
                for name in others - allowed
                if not name.startswith('osc_ha_router.node.')
            },
        )
        # all of it: no fork is to import anything
        folder = os.path.dirname(sys.modules['osc_ha_router'].__file__)
        self.assertEqual(
            {
                name[:-3]
                for name in os.listdir(f'{folder}/node')
                if name.endswith('.py') and not name.startswith('__')
            },
            {
                name.rpartition('.')[2]
                for name in others
                if name.startswith('osc_ha_router.node.')
            },
        )
