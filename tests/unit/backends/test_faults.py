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

"""What is said of failures of the node agents' API."""

import ast
import pathlib
import string

import testtools

from osc_ha_router.backends import failures
from osc_ha_router.backends import faults
from tests.unit.diagnosis import test_catalogue

BACKENDS = pathlib.Path(faults.__file__).parent
USERS = ('answers', 'reasons', 'remote', 'request', 'steps', 'web', 'talk')


class DescribeTest(testtools.TestCase):
    def test_every_kind(self):
        for kind in faults.KINDS:
            for url in ('https://net1:6689', ''):
                failure = faults.describe(kind, 'net1', url, 'a\x1b\nb')
                self.assertEqual(kind, failure.kind)
                for sentence in (failure.message, failure.advice):
                    self.assertTrue(sentence.isprintable(), sentence)
                    self.assertNotRegex(sentence, r'[{}]|None')
                self.assertIn(r': a\x1b b', failure.message)
                self.assertTrue(failure.advice.endswith('.'))
                self.assertFalse(failure.message.endswith('.'))

    def test_without_detail(self):
        for kind in faults.KINDS:
            failure = faults.describe(kind, 'net1', 'https://net1:6689')
            self.assertNotRegex(failure.message, r'[: ]$')

    def test_url_from_outside(self):
        failure = faults.describe('agent-tls', 'x', 'https://a\x1b[2J', '')
        self.assertTrue(failure.message.isprintable())

    def test_known_fields_only(self):
        known = {'agent', 'Agent', 'url', 'node', 'reason', 'detail'}
        for kind in faults.KINDS.values():
            for text in (kind.message, kind.advice):
                for _, field, _, _ in string.Formatter().parse(text):
                    self.assertIn(field or 'agent', known)


class KindsTest(testtools.TestCase):
    def test_each_is_used(self):
        # one agent does not ask hosts that another one would
        peers = BACKENDS.parent / 'agent' / 'peers.py'
        used = test_catalogue.words(
            peers, *(BACKENDS / f'{name}.py' for name in USERS)
        )
        self.assertEqual(set(), set(faults.KINDS) - used)

    def test_none_is_unknown(self):
        found = set()
        for name in USERS:
            for node in ast.walk(
                ast.parse((BACKENDS / f'{name}.py').read_text())
            ):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr == 'Broken'
                    and isinstance(node.args[0], ast.Constant)
                ):
                    found.add(node.args[0].value)
        self.assertTrue(found)
        self.assertEqual(set(), found - set(faults.KINDS))

    def test_what_both_ways_have_in_common(self):
        """Of the node program, which is the same behind both."""
        self.assertEqual(
            {'version', 'no-rights', 'node-error', 'node-refusal'},
            set(faults.KINDS) & set(failures.KINDS),
        )
