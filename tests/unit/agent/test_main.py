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

"""The program, from its start to its end, without the rights of root."""

import io
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import fixtures
from testtools import matchers

from osc_ha_router.agent import keeper
from osc_ha_router.agent import main
from osc_ha_router.agent import privileges
from osc_ha_router.agent import program
from osc_ha_router.agent import startup
from tests.unit import quiet
from tests.unit.agent import test_startup


class Keeper:
    """A process that stands for the keeper."""

    def __init__(self, test):
        self.process = subprocess.Popen(
            [sys.executable, '-c', 'import sys; sys.stdin.read()'],
            stdin=subprocess.PIPE,
        )
        test.addCleanup(self.process.wait)
        test.addCleanup(self.process.kill)
        self.pid = self.process.pid

    def alive(self):
        return self.process.poll() is None

    def wait(self, timeout=None):
        self.process.stdin.close()
        self.process.wait(timeout)
        return True


class TestAgent(test_startup.StartupTestCase):
    """Serving, and the two ways in which it ends."""

    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger())
        for number in (signal.SIGTERM, signal.SIGINT):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        with socket.create_server(('127.0.0.1', 0)) as free:
            self.port = free.getsockname()[1]
        conf = self.configuration(
            tls=False,
            listen_address='127.0.0.1',
            listen_port=self.port,
            threads=8,
            front_threads=4,
            shutdown_timeout=3,
        )
        self.keeper = Keeper(self)
        self.agent = main.Agent(conf, startup.Secrets(None, b''), self.keeper)
        self.agent.prepare()

    def run_until(self, action):
        """Run it, do this as soon as it answers, and return its code."""
        answers = []

        def act():
            url = f'http://127.0.0.1:{self.port}/healthcheck'
            with urllib.request.urlopen(url, timeout=10) as response:
                answers.append(response.status)
            action()

        acting = threading.Thread(target=act)
        acting.start()
        began = time.monotonic()
        code = self.agent.run()
        acting.join()
        self.assertEqual([200], answers)
        self.assertThat(time.monotonic() - began, matchers.LessThan(10))
        return code

    def test_told_to_end(self):
        code = self.run_until(lambda: os.kill(os.getpid(), signal.SIGTERM))
        self.assertEqual(0, code)
        self.assertFalse(self.keeper.alive())
        self.assertNotIn('still at work', self.log.output)

    def test_keeper_ends(self):
        code = self.run_until(self.keeper.process.kill)
        self.assertEqual(1, code)
        self.assertIn('privileged process has ended', self.log.output)

    def test_keeper_whose_end_another_has_seen(self):
        """A process can be waited for once."""
        self.addCleanup(self.agent._server.stop)
        self.keeper.process.kill()
        self.keeper.process.wait()
        self.agent._watch()
        self.assertIn('privileged process has ended', self.log.output)

    def test_port_that_is_taken(self):
        self.addCleanup(self.agent._server.stop)
        other = main.Agent(
            self.agent._conf, startup.Secrets(None, b''), self.keeper
        )
        self.assertRaises(OSError, other.prepare)


class TestProgram(quiet.TestCase):
    """The console script."""

    def test_agent_is_run(self):
        self.patch(main, 'main', lambda: 7)
        self.assertEqual(7, program.main())

    def test_libraries_that_are_missing(self):
        script = (
            'import sys; sys.modules["flask"] = None; '
            'from osc_ha_router.agent import program; '
            'sys.exit(program.main())'
        )
        found = subprocess.run(
            [sys.executable, '-c', script], capture_output=True, text=True
        )
        self.assertEqual(1, found.returncode)
        self.assertIn('osc-ha-router[agent]', found.stderr)
        self.assertEqual(1, found.stderr.count('\n'))


class TestStart(test_startup.StartupTestCase):
    """What keeps it from starting is said in one line."""

    def setUp(self):
        super().setUp()
        # the log of all other tests
        self.patch(main.logging, 'setup', lambda conf, name: None)

    def start(self, **changes):
        """Start it, and return its code and what it said."""
        self.configuration(**changes)
        stderr = io.StringIO()
        self.useFixture(fixtures.MonkeyPatch('sys.stderr', stderr))
        code = main.main([f'--config-file={self.folder}/agent.conf'])
        return code, stderr.getvalue()

    def test_configuration(self):
        code, said = self.start(tls_cert=None)
        self.assertEqual(1, code)
        self.assertTrue(said.startswith('osc-ha-router-agent: tls_cert'), said)
        self.assertEqual(1, said.count('\n'))

    def test_no_configuration(self):
        self.useFixture(fixtures.MonkeyPatch('sys.stderr', io.StringIO()))
        self.assertEqual(1, main.main(['--config-file=/no/such/file']))

    def test_credentials_that_say_too_little(self):
        self.patch(keeper, 'start', lambda limit: Keeper(self))
        self.patch(privileges, 'drop', lambda user, group: None)
        for section in ('keystone_authtoken', 'service_auth'):
            for changes in ({'auth_url': None}, {'auth_type': 'nonsense'}):
                code, said = self.start(section=section, **changes)
                self.assertEqual(1, code)
                self.assertIn(f'[{section}]', said)

    def test_policy_that_cannot_be_read(self):
        self.patch(keeper, 'start', lambda limit: None)
        self.patch(privileges, 'drop', lambda user, group: None)
        path = pathlib.Path(self.folder, 'policy.yaml')
        for text in ('{', '- x', '"router_ha:check": "rule:nothing"'):
            path.write_text(text)
            code, said = self.start(section='oslo_policy', policy_file=path)
            self.assertEqual(1, code, text)
            self.assertIn('policy', said)

    def test_keeper(self):
        def fail(limit):
            raise keeper.Gone('it does not start')

        self.patch(keeper, 'start', fail)
        code, said = self.start()
        self.assertEqual(1, code)
        self.assertIn('does not start', said)

    def test_rights_that_stay(self):
        def refuse(user, group):
            raise privileges.Refused('rights are left: all of them')

        self.patch(keeper, 'start', lambda limit: None)
        self.patch(privileges, 'drop', refuse)
        code, said = self.start()
        self.assertEqual(1, code)
        self.assertIn('rights are left', said)

    def test_order(self):
        done = []

        def drop(user, group):
            done.append('drop')
            raise privileges.Refused('enough')

        self.patch(startup, 'secrets', lambda conf: done.append('secrets'))
        self.patch(keeper, 'start', lambda limit: done.append('keeper'))
        self.patch(privileges, 'drop', drop)
        self.start()
        self.assertEqual(['secrets', 'keeper', 'drop'], done)
