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

"""What all unit tests that run programs or write logs have in common."""

import logging
import os
import sys
import tempfile

import fixtures
import testtools
from testtools import content


class StderrFixture(fixtures.Fixture):
    """Takes what is written to standard error, by child processes as well.

    A test that fails shows it.
    """

    def _setUp(self) -> None:
        sys.stderr.flush()
        # no name: a child that outlives the test may still write
        taken = tempfile.TemporaryFile()
        self.addCleanup(taken.close)
        real = os.dup(2)
        self.addCleanup(os.close, real)
        os.dup2(taken.fileno(), 2)
        self.addCleanup(os.dup2, real, 2)
        self.addCleanup(sys.stderr.flush)

        def written() -> list[bytes]:
            sys.stderr.flush()
            size = os.fstat(taken.fileno()).st_size
            return [os.pread(taken.fileno(), size, 0)]

        self.addDetail('stderr', content.Content(content.UTF8_TEXT, written))


class RootLoggerFixture(fixtures.Fixture):
    """Afterwards the root logger is as it was.

    oslo.log gives it a handler as soon as its options are registered, and
    the shell of ``openstack`` sets its level.
    """

    def _setUp(self) -> None:
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level

        def restore() -> None:
            for handler in root.handlers:
                if handler not in handlers:
                    handler.close()
            root.handlers[:] = handlers
            root.setLevel(level)

        self.addCleanup(restore)


class TestCase(testtools.TestCase):
    """A test that prints nothing while it passes."""

    #: unless somebody reads what it prints
    quiet = True

    def setUp(self) -> None:
        super().setUp()
        if self.quiet:
            self.useFixture(StderrFixture())
        self.useFixture(RootLoggerFixture())
