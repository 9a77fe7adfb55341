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

"""Text from outside, made safe to print."""

import unicodedata

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router import text


class CleanTest(testtools.TestCase):
    def test_control_characters_become_visible(self):
        for given, expected in (
            ('net1', 'net1'),
            ('', ''),
            ('Zürich 网络', 'Zürich 网络'),
            ('a\x1b[2Jb', r'a\x1b[2Jb'),
            ('two\nlines\r\t', r'two\nlines\r\t'),
            ('\u202egnirts', r'\u202egnirts'),
            ('\x9b31m', r'\x9b31m'),
            ('\u2028', r'\u2028'),
            ('\ud800', r'\ud800'),
            ('\U000e0001', r'\U000e0001'),
        ):
            self.assertEqual(expected, text.clean(given))

    @hypothesis.given(strategies.text())
    def test_is_safe_whatever_comes(self, given):
        cleaned = text.clean(given)
        for char in cleaned:
            # isprintable is False for what this Python's Unicode is too old
            # to know, such as the newest emoji, and for unusual spaces
            category = unicodedata.category(char)
            self.assertTrue(
                char.isprintable() or category in ('Cn', 'Co', 'Zs'), cleaned
            )
        self.assertLessEqual(len(cleaned.splitlines()), 1)
        cleaned.encode()
        self.assertEqual(cleaned, text.clean(cleaned))

    @hypothesis.given(
        strategies.text(
            strategies.characters(
                exclude_categories=('Cc', 'Cf', 'Cs', 'Zl', 'Zp')
            )
        )
    )
    def test_leaves_the_rest_alone(self, given):
        self.assertEqual(given, text.clean(given))


class OneLineTest(testtools.TestCase):
    def test_joins_lines(self):
        self.assertEqual('a b c', text.one_line(' a\n b\r\n\tc '))

    def test_shortens(self):
        self.assertEqual('aaaaaaa...', text.one_line('a' * 11, 10))
        self.assertEqual('a' * 10, text.one_line('a' * 10, 10))

    @hypothesis.given(strategies.text(), strategies.integers(3, 50))
    def test_is_one_short_line(self, given, limit):
        line = text.one_line(given, limit)
        self.assertLessEqual(len(line), limit)
        self.assertEqual(line, text.clean(line))
