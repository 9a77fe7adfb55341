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

"""What the commands share: how options are read."""

import argparse

import fixtures
import testtools

from osc_ha_router import errors
from osc_ha_router.commands import base
from osc_ha_router.commands import looking
from osc_ha_router.diagnosis import catalogue


class SecondsTest(testtools.TestCase):
    def test_numbers(self):
        for given, expected in (('0', 0.0), ('1.5', 1.5), ('86400', 86400.0)):
            self.assertEqual(expected, base.seconds(given))

    def test_no_numbers(self):
        for given in ('', 'x', 'nan', 'inf', '-1', '86401', '1 s'):
            self.assertRaises(
                (ValueError, argparse.ArgumentTypeError), base.seconds, given
            )


class BoundTest(testtools.TestCase):
    def test_above_zero(self):
        self.assertEqual(0.5, base.bound('0.5'))
        for given in ('0', '0.0', '-1', 'nan'):
            self.assertRaises(argparse.ArgumentTypeError, base.bound, given)


class ListeningTest(testtools.TestCase):
    def test_as_long_as_a_node_listens(self):
        self.assertEqual(60.0, looking.listening('60'))
        self.assertEqual(0.0, looking.listening('0'))
        self.assertRaises(argparse.ArgumentTypeError, looking.listening, '61')


class OptionsTest(testtools.TestCase):
    def shown(self, **options):
        parser = argparse.ArgumentParser()
        base.add_reach_options(parser, **options)
        return ' '.join(parser.format_help().split())

    def test_what_a_timeout_is_about(self):
        self.assertIn('Bound for everything (default: 120)', self.shown())
        self.assertIn(
            'Bound for one look, and for each move (default: 120)',
            self.shown(timeout='Bound for one look, and for each move'),
        )


class CodeTest(testtools.TestCase):
    def test_code_or_name(self):
        entry = catalogue.entries()['agent-dead']
        for given in (entry.code, entry.code.lower(), entry.name):
            self.assertEqual(entry.code, base.code(given))

    def test_neither(self):
        exc = self.assertRaises(
            argparse.ArgumentTypeError, base.code, 'a\x1bb'
        )
        self.assertTrue(str(exc).isprintable())


class GuardedTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger())

    def ended(self, exc: Exception) -> int:
        def run() -> int:
            raise exc

        return base.guarded(run)

    def test_our_own_errors_become_exit_codes(self):
        self.assertEqual(1, self.ended(errors.CloudError('no cloud')))
        self.assertEqual(2, self.ended(errors.UsageError('no sense')))
        self.assertEqual('no cloud\nno sense\n', self.log.output)

    def test_a_mistake_of_ours_is_not_hidden(self):
        self.assertRaises(KeyError, self.ended, KeyError('x'))

    def test_exit_code_passes_through(self):
        self.assertEqual(4, base.guarded(lambda: 4))
