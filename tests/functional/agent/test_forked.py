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


"""A node program that was forked ends the way that a started one does."""

from tests.functional.agent import forked
from tests.functional.node import test_ending
from tests.functional.node import test_errand


class Forked:
    """Has the tests talk to programs that a keeper has forked."""

    def setUp(self):
        self.house = forked.Keeper()
        self.house.setUp()
        self.addCleanup(self.house.cleanUp)
        super().setUp()

    def talk(self, *python):
        return self.useFixture(forked.Talk(self.house))


class EndTest(Forked, test_ending.EndTest):
    """Every way in which a conversation may end."""

    # one Python runs the keeper
    test_every_python = None
    # a socket does not tell that the other side will not read any more, but
    # only that it has gone
    test_nobody_reads = None


class LeftTest(Forked, test_ending.LeftTest):
    """Program and guardian killed: whoever comes next undoes it."""


class CourseTest(Forked, test_errand.CourseTest):
    """The way it is meant."""
