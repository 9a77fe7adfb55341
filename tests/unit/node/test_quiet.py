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

"""The rule that holds off multicast reports: set once, removed for good."""

import fixtures
import testtools

from osc_ha_router.node import quiet
from osc_ha_router.node import tools


class Ip6tables:
    """Knows one rule; it may be there more than once."""

    def __init__(self, times=0, stuck=False):
        self.times, self.stuck = times, stuck

    def __call__(self, tool, words):
        assert 'osc-ha-router' in words
        there = self.times > 0
        if '-I' in words:
            self.times += 1
            there = True
        elif '-D' in words and there and not self.stuck:
            self.times -= 1
        return tools.Result(0 if there else 1, b'', b'')


class RuleTest(testtools.TestCase):
    TOOL = tools.Tool('ip6tables', None, ('ip6tables',))

    def setUp(self):
        super().setUp()
        self.rules = Ip6tables()
        for name in ('run', 'must'):
            self.useFixture(
                fixtures.MockPatchObject(
                    tools, name, lambda *words: self.rules(*words)
                )
            )

    def test_set_and_removed(self):
        quiet.add(self.TOOL)
        self.assertEqual(1, self.rules.times)
        self.assertTrue(quiet.remove(self.TOOL))
        self.assertEqual(0, self.rules.times)

    def test_not_there(self):
        self.assertFalse(quiet.remove(self.TOOL))

    def test_there_more_than_once(self):
        self.rules = Ip6tables(3)
        self.assertTrue(quiet.remove(self.TOOL))
        self.assertEqual(0, self.rules.times)

    def test_cannot_be_removed(self):
        self.rules = Ip6tables(1, stuck=True)
        error = self.assertRaises(tools.Failed, quiet.remove, self.TOOL)
        self.assertIn('cannot remove the rule', str(error))
