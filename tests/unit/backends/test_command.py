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

import shlex

import fixtures
import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router import config
from osc_ha_router.backends import archive
from osc_ha_router.backends import command
from osc_ha_router.backends import failures

#: all that may be in a host name that ssh is given
SAFE = frozenset(
    'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-'
)

#: ordinary names with extraordinary characters between
NAMES = strategies.one_of(
    strategies.text(),
    strategies.from_regex(r'[a-z0-9.-]{1,70}', fullmatch=True),
    strategies.text(alphabet='net1.-_@%$:/[]`;&|<> \n\r\t\0"\'\\é٣'),
    strategies.builds(
        lambda name, text, at: name[:at] + text + name[at:],
        strategies.just('net1.example.org'),
        strategies.text(max_size=3),
        strategies.integers(0, 16),
    ),
)


class CommandTest(testtools.TestCase):
    def test_words(self) -> None:
        settings = config.Settings(
            ssh_user='stack', ssh_config='/etc/my config', probe_timeout=15.0
        )
        to = command.build(settings, 'net1', 15.0)
        remote = to.argv[-1]
        self.assertEqual(
            (
                *('ssh', '-F', '/etc/my config'),
                *('-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=yes'),
                *('-o', 'ClearAllForwardings=yes', '-o', 'ForwardAgent=no'),
                *('-o', 'ForwardX11=no', '-o', 'RequestTTY=no'),
                *('-o', 'RemoteCommand=none', '-o', 'PermitLocalCommand=no'),
                *('-o', 'UpdateHostKeys=no', '-o', 'LogLevel=VERBOSE'),
                *('-o', 'SendEnv=LC_ALL', '-o', 'ConnectTimeout=10'),
                *(
                    '-o',
                    'ServerAliveInterval=3',
                    '-o',
                    'ServerAliveCountMax=3',
                ),
                *('-l', 'stack', '--', 'net1', remote),
            ),
            to.argv,
        )
        self.assertEqual(
            ['sudo', '-n', 'python3', '-ISB', '-c', archive.STARTER]
            + [str(len(archive.build()))],
            shlex.split(remote),
        )
        self.assertEqual(archive.build(), to.preamble)

    def test_words_by_default(self) -> None:
        argv = command.build(config.Settings(), 'net1', 15.0).argv
        self.assertNotIn('-F', argv)
        self.assertNotIn('-l', argv)

    def test_home_of_the_configuration(self) -> None:
        self.useFixture(fixtures.EnvironmentVariable('HOME', '/home/op'))
        settings = config.Settings(ssh_config='~/lab')
        argv = command.build(settings, 'net1', 15.0).argv
        self.assertEqual(('-F', '/home/op/lab'), argv[1:3])

    def test_bounds_stay_above_zero(self) -> None:
        argv = command.build(config.Settings(), 'net1', 0.2).argv
        self.assertIn('ConnectTimeout=1', argv)
        self.assertIn('ServerAliveInterval=1', argv)

    def test_installed_program(self) -> None:
        settings = config.Settings(
            node_program='/opt/a b/node', become='doas -n'
        )
        to = command.build(settings, 'net1', 15.0)
        self.assertEqual("doas -n '/opt/a b/node'", to.argv[-1])
        self.assertEqual(b'', to.preamble)
        self.assertFalse(to.shipped)

    def test_no_become(self) -> None:
        to = command.build(
            config.Settings(become='', node_program='/opt/node'), 'net1', 15.0
        )
        self.assertEqual('/opt/node', to.argv[-1])
        self.assertEqual('', to.become)

    def test_template(self) -> None:
        for template, name in (
            ('{host}', 'net1.example.org'),
            ('{short}', 'net1'),
            ('{short}.mgmt.example.org', 'net1.mgmt.example.org'),
            ('gate', 'gate'),
        ):
            self.assertEqual(
                name, command.destination(template, 'net1.example.org')
            )

    def test_template_is_checked_with_what_it_makes(self) -> None:
        for template in ('-oProxyCommand=x{host}', 'root@{host}', '{host}:22'):
            self.assert_invalid('net1', template)
        self.assert_invalid('a' * 60, '{host}{host}')

    def test_host_is_checked_even_if_the_template_ignores_it(self) -> None:
        self.assert_invalid('-oProxyCommand=x', 'gate')

    def test_names_that_are_taken(self) -> None:
        for name in (
            'net1',
            'NET-1',
            'net_1.example.org',
            '_net',
            '10.0.0.1',
            '.'.join(['a' * 63] * 3),
        ):
            self.assertEqual(name, command.destination('{host}', name))

    def test_names_that_are_not(self) -> None:
        for name in (
            '',
            '.',
            '-l',
            '-oProxyCommand=touch /tmp/x',
            '--',
            'net1-',
            'net1.-a',
            'net1.',
            'a..b',
            'root@net1',
            'net%h',
            'net1 net2',
            'net1\n',
            '\nnet1',
            'net1\0',
            'ssh://net1',
            'net1:22',
            '::1',
            '[::1]',
            '$(id)',
            '`id`',
            'net1;id',
            'nét1',
            'net٣',
            'a' * 64,
            '.'.join(['a' * 63] * 4),
        ):
            self.assert_invalid(name)

    def assert_invalid(self, host: str, template: str = '{host}') -> None:
        broken = self.assertRaises(
            failures.Broken, command.destination, template, host
        )
        self.assertEqual('invalid-host', broken.kind)

    def test_place_of_an_invalid_host_is_safe_to_print(self) -> None:
        place = command.place(config.Settings(ssh_user='stack'), 'a\x1b[2J b')
        self.assertEqual(r'a\x1b[2J b', place.host)
        self.assertEqual(r'stack@a\x1b[2J b', place.login)

    @hypothesis.given(NAMES)
    def test_nothing_from_outside_becomes_an_option(self, host: str) -> None:
        settings = config.Settings()
        good = command.build(settings, 'net1', 15.0).argv
        try:
            argv = command.build(settings, host, 15.0).argv
        except failures.Broken as broken:
            self.assertEqual('invalid-host', broken.kind)
            return
        self.assertEqual(good[:-2], argv[:-2])
        self.assertEqual(good[-1], argv[-1])
        self.assertEqual('--', argv[-3])
        self.assertEqual(host, argv[-2])
        self.assertFalse(host.startswith('-'))
        self.assertLessEqual(set(host), SAFE)
        self.assertTrue(0 < len(host) < 254)

    @hypothesis.given(
        strategies.lists(strategies.text('a -\'"\\$`!;\n*~#', min_size=1))
    )
    def test_words_for_the_node_stay_words(self, words: list[str]) -> None:
        settings = config.Settings(become=shlex.join(words))
        argv = command.build(settings, 'net1', 15.0).argv
        self.assertEqual(words, shlex.split(argv[-1])[: len(words)])
