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


"""Programs that behave, and others."""

import os
import pathlib
import signal
import sys
import time

import fixtures
import testtools

from osc_ha_router.node import tools

PYTHON = tools.Tool(sys.executable, None, (sys.executable, '-c'))


class FindTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.useFixture(fixtures.TempDir()).path

    def program(self, name, mode=0o755):
        path = pathlib.Path(self.folder, name)
        path.write_text('#!/bin/sh\n')
        path.chmod(mode)
        return str(path)

    def test_host(self):
        self.patch(tools, 'FOLDERS', ('/nowhere', self.folder))
        path = self.program('conntrack')
        self.assertEqual(
            tools.Tool(path, None, (path,)), tools.find('conntrack')
        )
        self.assertIsNone(tools.find('conntrackd'))

    def test_no_program(self):
        self.patch(tools, 'FOLDERS', (self.folder,))
        self.program('conntrack', 0o644)
        os.mkdir(f'{self.folder}/ovs-ofctl')
        self.assertIsNone(tools.find('conntrack'))
        self.assertIsNone(tools.find('ovs-ofctl'))

    def test_beside_a_process(self):
        """As in a container: the host has nsenter, and nothing else."""
        nsenter = self.program('nsenter')
        ours = tools._among

        def among(name, root):
            if root:
                # all that /proc/PID/root would show
                return ours(name, '') if name == 'ovs-ofctl' else None
            return nsenter if name == 'nsenter' else None

        self.program('ovs-ofctl')
        self.patch(tools, 'FOLDERS', (self.folder,))
        self.patch(tools, '_among', among)
        path = f'{self.folder}/ovs-ofctl'
        self.assertEqual(
            tools.Tool(path, 7, (nsenter, '-t', '7', '-m', '--', path)),
            tools.find('ovs-ofctl', 7),
        )
        self.assertIsNone(tools.find('ovs-ofctl'))
        self.assertIsNone(tools.find('ovs-vsctl', 7))

    def test_in_the_root_of_a_process(self):
        path = self.program('conntrack')
        os.symlink('/nowhere/in/here', f'{self.folder}/link')
        root = f'/proc/{os.getpid()}/root'
        self.patch(tools, 'FOLDERS', (self.folder,))
        self.assertEqual(path, tools._among('conntrack', root))
        # where it leads is for the container to know
        self.assertEqual(f'{self.folder}/link', tools._among('link', root))
        self.assertIsNone(tools._among('link', ''))


class RunTest(testtools.TestCase):
    def run_(self, program, **more):
        return tools.run(PYTHON, [program], **more)

    def test_result(self):
        found = self.run_(
            'import sys; sys.stdout.write(sys.stdin.read() * 2);'
            'sys.stderr.write("oh"); sys.exit(3)',
            stdin=b'ab',
        )
        self.assertEqual((3, b'abab', b'oh'), found)

    def test_much(self):
        data = os.urandom(1 << 20)
        found = self.run_(
            'import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())',
            stdin=data,
        )
        self.assertEqual((0, data, b''), found)

    def test_environment(self):
        self.useFixture(fixtures.EnvironmentVariable('SECRET', 'x'))
        found = self.run_('import os; print(sorted(os.environ), os.getcwd())')
        self.assertIn(b"'LC_ALL'", found.stdout)
        self.assertNotIn(b'SECRET', found.stdout)

    def test_no_shell(self):
        echo = tools.find('echo')
        found = tools.run(echo, ['$(id)', '; id', '*'])
        self.assertEqual(b'$(id) ; id *\n', found.stdout)

    def test_signal(self):
        found = self.run_('import os; os.kill(os.getpid(), 9)')
        self.assertEqual(-signal.SIGKILL, found.code)

    def test_nobody_reads(self):
        found = self.run_('import os; os.close(0)', stdin=b'x' * (1 << 20))
        self.assertEqual(0, found.code)

    def test_too_long(self):
        for program in (
            'import time; time.sleep(60)',
            # with its outputs closed
            'import os, time; os.close(1); os.close(2); time.sleep(60)',
            'import signal, time; signal.signal(15, signal.SIG_IGN);'
            'time.sleep(60)',
        ):
            began = time.monotonic()
            error = self.assertRaises(
                tools.Failed, self.run_, program, timeout=0.3
            )
            self.assertIn('did not end', str(error))
            self.assertLess(time.monotonic() - began, 3)
        self.assert_no_child()

    def test_too_much(self):
        error = self.assertRaises(
            tools.Failed,
            self.run_,
            'import sys\nwhile True: sys.stdout.write("x" * 4096)',
        )
        self.assertIn('says more', str(error))
        self.assert_no_child()

    def test_no_such_program(self):
        missing = tools.Tool('/nowhere', None, ('/nowhere',))
        error = self.assertRaises(tools.Failed, tools.run, missing, [])
        self.assertEqual('nowhere: No such file or directory', str(error))

    def test_must(self):
        self.assertEqual(b'a\n', tools.must(PYTHON, ['print("a")']))
        for program, said in (
            ('import sys; sys.exit("a\\nlast\\n")', 'last'),
            ('import sys; sys.exit(4)', '4'),
        ):
            error = self.assertRaises(
                tools.Failed, tools.must, PYTHON, [program]
            )
            self.assertTrue(str(error).endswith(f': {said}'), str(error))

    def assert_no_child(self):
        self.assertRaises(ChildProcessError, os.waitpid, -1, os.WNOHANG)
