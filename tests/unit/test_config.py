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

"""Settings: command line, then environment, then clouds.yaml."""

import argparse
import functools

import testtools

from osc_ha_router import config
from osc_ha_router import errors

NAMES = [field.name for field in config.fields()]
NUMBERS = ('concurrency', 'timeout', 'probe_timeout')


def load(options=None, entry=None, environ=None):
    return config.load(options or {}, entry, environ or {})


class LoadTest(testtools.TestCase):
    def refused(self, *words, **places):
        exc = self.assertRaises(errors.ConfigError, load, **places)
        for word in words:
            self.assertIn(word, str(exc))

    def test_defaults(self):
        self.assertEqual(config.Settings(), load())

    def test_each_place_is_read_for_every_setting(self):
        for name in NAMES:
            value = '7' if name in NUMBERS else 'x'
            expected = float(value) if name in NUMBERS else value
            for places in (
                {'options': {name: value}},
                {'environ': {config.variable(name): value}},
                {'entry': {name: value}},
            ):
                self.assertEqual(
                    expected, getattr(load(**places), name), places
                )

    def test_precedence_for_every_setting(self):
        for name in NAMES:
            variable = config.variable(name)
            places = {
                'options': {name: '1'},
                'environ': {variable: '2'},
                'entry': {name: '3'},
            }
            seen = []
            for place in ('options', 'environ', 'entry'):
                seen.append(str(getattr(load(**places), name))[0])
                del places[place]
            self.assertEqual(['1', '2', '3'], seen, name)

    def test_the_places_mix(self):
        found = load(
            options={'timeout': 9.0, 'ssh_user': None},
            environ={'OS_ROUTER_HA_SSH_USER': 'op'},
            entry={'timeout': 1, 'ssh_user': 'x', 'concurrency': 4},
        )
        self.assertEqual(
            (9.0, 'op', 4), (found.timeout, found.ssh_user, found.concurrency)
        )

    def test_an_empty_value_is_a_value(self):
        found = load(environ={'OS_ROUTER_HA_BECOME': ''})
        self.assertEqual('', found.become)

    def test_types(self):
        found = load(entry={'concurrency': '3', 'timeout': 5})
        self.assertEqual((3, 5.0), (found.concurrency, found.timeout))
        self.assertIsInstance(found.timeout, float)

    def test_wrong_number_names_the_place(self):
        for name in NUMBERS:
            option, variable = config.option(name), config.variable(name)
            self.refused(option, "'x'", options={name: 'x'})
            self.refused(variable, "'x'", environ={variable: 'x'})
            self.refused(
                f'router_ha.{name} in clouds.yaml', "'x'", entry={name: 'x'}
            )

    def test_zero_and_less(self):
        for name in NUMBERS:
            for value in ('0', '-1'):
                self.refused(
                    config.option(name), 'above zero', options={name: value}
                )
                self.refused(
                    f'router_ha.{name} in clouds.yaml',
                    'above zero',
                    entry={name: value},
                )

    def test_not_a_number_and_endless(self):
        """YAML has .nan and .inf; neither is a time to wait."""
        for name in NUMBERS:
            for value in (float('nan'), float('inf'), 'nan', 'inf'):
                self.refused(
                    f'router_ha.{name} in clouds.yaml', entry={name: value}
                )

    def test_value_that_is_no_single_value(self):
        for name in NAMES:
            for value in ([], ['x'], {}, {'a': 1}, True):
                self.refused(
                    f'router_ha.{name} in clouds.yaml',
                    'single value',
                    entry={name: value},
                )

    def test_entry_that_is_no_mapping(self):
        for entry in ('ssh', ['ssh'], 3, True, False, '', 0):
            self.refused('router_ha in clouds.yaml', entry=entry)

    def test_unknown_setting(self):
        self.refused(
            'router_ha in clouds.yaml',
            'ssh_usr',
            'ssh_user',
            entry={'ssh_usr': 'x'},
        )
        self.refused('3', entry={3: 'x'})

    def test_unbalanced_quotes_in_the_become_command(self):
        self.refused('--os-router-ha-become', options={'become': 'sudo "'})

    def test_host_name_template(self):
        for template in ('{x}', '{', '{}', '{0}', '{host.x}', '{host!x}'):
            self.refused(
                '--os-router-ha-ssh-host', options={'ssh_host': template}
            )
        for template in ('{host}', '{short}.mgmt', 'bastion'):
            load(options={'ssh_host': template})


class SettingsTest(testtools.TestCase):
    def test_checked_however_they_are_made(self):
        for wrong in ({'timeout': 0.0}, {'ssh_host': '{x}'}):
            (name,) = wrong
            call = functools.partial(config.Settings, **wrong)
            exc = self.assertRaises(errors.ConfigError, call)
            self.assertIn(name, str(exc))


class OptionsTest(testtools.TestCase):
    def test_names(self):
        self.assertEqual(
            '--os-router-ha-probe-timeout', config.option('probe_timeout')
        )
        self.assertEqual(
            'OS_ROUTER_HA_PROBE_TIMEOUT', config.variable('probe_timeout')
        )

    def test_help_of_a_command_s_own_option(self):
        self.assertEqual(
            'Bound for everything (default: 120)', config.brief('timeout')
        )
        self.assertEqual(
            'Bound for a move (default: 120)',
            config.brief('timeout', 'Bound for a move'),
        )
        self.assertIn('installed (default: ssh, ', config.brief('backend'))

    def test_help_is_for_argparse(self):
        """A stray percent sign would break ``openstack --help``."""
        for field in config.fields():
            parser = argparse.ArgumentParser()
            parser.add_argument('--x', help=config.describe(field))
            # argparse wraps where it likes
            shown = ''.join(parser.format_help().split())
            self.assertIn(f'(Env:{config.variable(field.name)})', shown)
