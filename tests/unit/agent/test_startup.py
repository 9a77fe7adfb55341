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

"""What is wrong with a configuration is said before anything starts."""

import os
import pathlib
import resource
import ssl

import fixtures

from osc_ha_router import errors
from osc_ha_router.agent import options
from osc_ha_router.agent import startup
from tests.unit import quiet
from tests.unit.agent import certificates

AUTH = {
    'auth_type': 'password',
    'auth_url': 'https://keystone/v3',
    'username': 'agent',
    'password': 'secret',
    'project_name': 'service',
    'user_domain_id': 'default',
    'project_domain_id': 'default',
}

GOOD = {
    'agent': {'user': 'nobody', 'host': 'net1'},
    'keystone_authtoken': {
        **AUTH,
        'www_authenticate_uri': 'https://keystone/v3',
    },
    'service_auth': AUTH,
    'metrics': {},
    'peers': {},
    'oslo_policy': {},
}


class StartupTestCase(quiet.TestCase):
    """Has a good configuration that can be spoilt."""

    def setUp(self):
        super().setUp()
        self.folder = self.useFixture(fixtures.TempDir()).path
        self.certificate, self.key = certificates.make(self.folder)
        self.patch(os, 'geteuid', lambda: 0)

    def configuration(self, section='agent', **changes):
        """Return the good one, with options of one section replaced."""
        sections = {name: dict(values) for name, values in GOOD.items()}
        sections['agent'].update(tls_cert=self.certificate, tls_key=self.key)
        sections[section].update(changes)
        path = pathlib.Path(self.folder, 'agent.conf')
        path.write_text(
            ''.join(
                f'[{name}]\n'
                + ''.join(
                    f'{key} = {value}\n'
                    for key, value in values.items()
                    if value is not None
                )
                for name, values in sections.items()
            )
        )
        return startup.configuration([f'--config-file={path}'])

    def assertRefused(self, action, *words):
        """Check that the message names what is to be mended."""
        exc = self.assertRaises(errors.ConfigError, action)
        for word in words:
            self.assertIn(word, str(exc))


class TestCheck(StartupTestCase):
    """What can be seen without reading files."""

    def refused(self, *words, section='agent', **changes):
        self.assertRefused(
            lambda: startup.check(self.configuration(section, **changes)),
            *words,
        )

    def test_good(self):
        startup.check(self.configuration())

    def test_not_root(self):
        self.patch(os, 'geteuid', lambda: 1000)
        self.refused('root')

    def test_unknown_user(self):
        self.refused('no-such-user', '[agent]', user='no-such-user')

    def test_root_as_user(self):
        for user in ('root', '0'):
            self.refused('user', '[agent]', user=user)

    def test_unknown_group(self):
        for group in ('no-such-group', '1999999999'):
            self.refused(group, '[agent]', group=group)

    def test_threads(self):
        self.refused('front_threads', threads=10, front_threads=10)
        self.refused(
            'slow_threads', threads=10, front_threads=8, slow_threads=10
        )

    def test_no_credentials(self):
        for section in ('keystone_authtoken', 'service_auth'):
            self.refused(
                'auth_type', f'[{section}]', section=section, auth_type=None
            )

    def test_no_keystone_for_clients(self):
        self.refused(
            'www_authenticate_uri',
            section='keystone_authtoken',
            www_authenticate_uri=None,
        )

    def test_endpoint_of_peers(self):
        for endpoint in ('https://{x}', 'https://{', 'https://{0}'):
            self.refused(
                'endpoint', '[peers]', section='peers', endpoint=endpoint
            )

    def test_values_that_are_none(self):
        for changes in (
            {'listen_port': 'x'},
            {'threads': 0},
            {'host': 'a b'},
            {'listen_address': '1.2.3.4.5:80'},
            {'lease': -1},
        ):
            (name,) = changes
            self.refused(name, **changes)

    def test_findings_to_ignore(self):
        conf = self.configuration('metrics', ignore='rha206, agent-dead')
        self.assertEqual(['RHA206', 'RHA203'], conf.metrics.ignore)
        self.refused('RHA999', section='metrics', ignore='RHA999')

    def test_folder_comes_after_the_file(self):
        """Where nobody names a file, as in the unit that is shipped."""
        self.configuration(lease='11', checks='5')
        path = pathlib.Path(self.folder, 'agent.conf')
        self.patch(options, 'FILE', str(path))
        more = pathlib.Path(self.folder, 'agent.conf.d')
        more.mkdir()
        (more / '50-lease.conf').write_text('[agent]\nlease = 12\n')
        conf = startup.configuration([])
        self.assertEqual((12.0, 5), (conf.agent.lease, conf.agent.checks))

    def test_file_that_is_not_there(self):
        self.assertRefused(
            lambda: startup.configuration(['--config-file=/no/such/file']),
            '/no/such/file',
        )


class TestSecrets(StartupTestCase):
    """What is read as root."""

    def refused(self, *words, section='agent', **changes):
        self.assertRefused(
            lambda: startup.secrets(self.configuration(section, **changes)),
            *words,
        )

    def test_good(self):
        path = pathlib.Path(self.folder, 'word')
        path.write_text('a-word\n')
        conf = self.configuration('metrics', credentials_file=path)
        found = startup.secrets(conf)
        self.assertEqual(b'a-word', found.credentials)
        self.assertIsInstance(found.tls, ssl.SSLContext)
        self.assertEqual(ssl.TLSVersion.TLSv1_2, found.tls.minimum_version)

    def test_nothing_secret(self):
        found = startup.secrets(self.configuration(tls=False))
        self.assertIsNone(found.tls)
        self.assertEqual(b'', found.credentials)

    def test_no_certificate(self):
        for name in ('tls_cert', 'tls_key'):
            self.refused(name, '[agent]', **{name: None})
            self.refused(name, '[agent]', '/no/file', **{name: '/no/file'})

    def test_certificate_that_is_none(self):
        path = pathlib.Path(self.folder, 'other.pem')
        path.write_text('x')
        for name in ('tls_cert', 'tls_key'):
            self.refused(name, str(path), **{name: path})

    def test_key_of_another_certificate(self):
        other = self.useFixture(fixtures.TempDir()).path
        _, key = certificates.make(other)
        self.refused('tls_key', key, tls_key=key)

    def test_encrypted_key(self):
        other = self.useFixture(fixtures.TempDir()).path
        certificate, key = certificates.make(other, b'password')
        self.refused('tls_key', 'encrypted', tls_key=key, tls_cert=certificate)

    def test_credentials_that_cannot_be_read(self):
        self.refused(
            'credentials_file', section='metrics', credentials_file='/no/file'
        )

    def test_empty_credentials(self):
        path = pathlib.Path(self.folder, 'empty')
        path.write_text('\n')
        self.refused(
            'credentials_file',
            'openssl',
            section='metrics',
            credentials_file=path,
        )


class TestLimits(quiet.TestCase):
    """Open files."""

    def limited(self, soft, hard):
        self.set = []
        self.patch(resource, 'getrlimit', lambda what: (soft, hard))
        self.patch(resource, 'setrlimit', lambda what, to: self.set.append(to))

    def test_enough(self):
        self.limited(65536, 65536)
        startup.raise_limits(1024)
        self.assertEqual([], self.set)

    def test_more(self):
        self.limited(1024, 524288)
        startup.raise_limits(1024)
        self.assertEqual([(2048, 524288)], self.set)

    def test_not_allowed(self):
        def refuse(what, to):
            raise ValueError

        self.limited(1024, 1024)
        self.patch(resource, 'setrlimit', refuse)
        exc = self.assertRaises(errors.ConfigError, startup.raise_limits, 1024)
        self.assertIn('LimitNOFILE', str(exc))
