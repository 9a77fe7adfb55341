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
"""What a person sees meanwhile, and nobody else."""

import argparse
import io
import logging
import os
import pty
import select
import sys
import threading
import time

import fixtures
import testtools

from osc_ha_router.commands import progress


class Screen(fixtures.Fixture):
    """A terminal on standard error."""

    def _setUp(self):
        master, slave = pty.openpty()
        self._master = master
        self.addCleanup(os.close, master)
        self.file = os.fdopen(slave, 'w', buffering=1)
        self.addCleanup(self.file.close)
        self.useFixture(fixtures.MonkeyPatch('sys.stderr', self.file))
        for name, value in (('TERM', 'xterm'), ('COLUMNS', '80')):
            self.useFixture(fixtures.EnvironmentVariable(name, value))

    def shown(self, seconds=0.3):
        """Return what is printed within this time."""
        text = b''
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self._master], [], [], left)[0]:
                text += os.read(self._master, 65536)
        return text.decode()


class ProgressTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.screen = self.useFixture(Screen())
        self.useFixture(
            fixtures.MonkeyPatch(
                'osc_ha_router.commands.progress._PATIENCE', 0.1
            )
        )

    def test_how_far_it_is(self):
        with progress.Progress(True) as company:
            company.tell('nodes', 1, 3)
            time.sleep(0.4)
            text = self.screen.shown()
            self.assertIn('nodes', text)
            self.assertIn('1/3', text)
            company.tell('API calls', 20, 1000)
            company.tell('nodes', 3, 3)
            text = self.screen.shown(0.3)
            self.assertIn('20/1000', text)
            self.assertIn('3/3', text)

    def test_leaves_nothing_behind(self):
        with progress.Progress(True) as company:
            company.tell('nodes', 1, 3)
            time.sleep(0.4)
            self.screen.shown()
        # the lines are taken away and the cursor is there again
        text = self.screen.shown()
        self.assertIn('\x1b[2K', text)
        self.assertIn('\x1b[?25h', text)
        company.tell('nodes', 2, 3)
        self.assertEqual('', self.screen.shown())

    def test_not_for_what_is_quick(self):
        with progress.Progress(True) as company:
            company.tell('nodes', 3, 3)
        time.sleep(0.3)
        self.assertEqual('', self.screen.shown())

    def test_words(self):
        with progress.Progress(True) as company:
            company.say('looking again')
            self.assertIn('looking again', self.screen.shown())
            company.tell('nodes', 1, 3)
            time.sleep(0.4)
            for words in ('[bold]and again[/bold]', 'fe80::a:b:c has it'):
                company.say(words)
                self.assertIn(words, self.screen.shown())

    def test_nobody_to_look_at_it(self):
        with progress.Progress(False) as company:
            company.tell('nodes', 1, 3)
            company.say('looking again')
            time.sleep(0.4)
        self.assertEqual('', self.screen.shown())

    def test_what_is_missing_is_said_to_all(self):
        log = self.useFixture(fixtures.FakeLogger(level=logging.WARNING))
        with progress.Progress(True) as company:
            company.warn('no second look')
        self.assertIn('no second look', self.screen.shown())
        self.assertEqual('', log.output)
        with progress.Progress(False) as company:
            company.say('looking again')
            company.warn('no second look')
        self.assertEqual('', self.screen.shown())
        self.assertEqual('no second look\n', log.output)

    def test_from_many_threads(self):
        with progress.Progress(True) as company:
            threads = [
                threading.Thread(target=company.tell, args=('calls', n, 50))
                for n in range(1, 51)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            time.sleep(0.4)
            self.assertIn('50/50', self.screen.shown())

    def test_ended_twice(self):
        with progress.Progress(True) as company:
            company.end()
        self.assertEqual('', self.screen.shown())


class WantedTest(testtools.TestCase):
    def wanted(self, verbosity=1, **options):
        return progress.wanted(argparse.Namespace(**options), verbosity)

    def test_on_a_terminal(self):
        self.useFixture(Screen())
        self.assertTrue(self.wanted(formatter='table'))
        self.assertTrue(self.wanted())

    def test_for_programs(self):
        self.useFixture(Screen())
        for formatter in ('json', 'yaml', 'csv', 'value'):
            self.assertFalse(self.wanted(formatter=formatter))
        self.assertFalse(self.wanted(formatter='table', nagios=True))
        self.assertFalse(self.wanted(formatter='table', watch=30.0))

    def test_quiet(self):
        self.useFixture(Screen())
        self.assertFalse(self.wanted(0, formatter='table'))

    def test_redirected(self):
        self.useFixture(fixtures.MonkeyPatch('sys.stderr', io.StringIO()))
        self.assertFalse(self.wanted(formatter='table'))
        self.assertFalse(sys.stderr.isatty())
