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

"""Secrets in nothing that is printed, logged or saved, --debug included."""

import contextlib
import json
import os
import pathlib
import re
import shlex

import fixtures

from tests.unit import neutron
from tests.unit.backends import fake
from tests.unit.commands import base
from tests.unit.scene import Scene

PASSWORD = 'pass-R7kQ2w-phrase'
#: which Keystone gives, see ``tests.unit.neutron``
TOKEN = 'a-token'
OWN_TOKEN = 'token-Zx81vT'
KEY = 'PRIVATE-KEY-b3BlbnNzaC1rZXk'
PROXY = 'proxy-Lm39sD'

#: osc-lib tells with which words it was started; a reason for clouds.yaml
STARTED = re.compile('.*START with options: .*')
NOTHING = re.compile('(?!)')

AGENTS = 'https://agents.invalid:6689'
#: answers one look, in the end with trouble that is told in full
SCRIPT = """
say(hello=HELLO)
asked = hear()
say(id=1, error={"kind": "internal", "message": "it does not work"})
"""


class SecretsTest(base.CloudTest):
    """Runs every command, and looks for each secret in all that comes."""

    def setUp(self):
        super().setUp()
        self.add(Scene.of('healthy'))
        self.host = Scene.of('healthy').names[0]
        self.cloud_entry['auth']['password'] = PASSWORD
        key = pathlib.Path(self.path('id_secret'))
        key.write_text(KEY)
        config = pathlib.Path(self.path('ssh_config'))
        config.write_text(
            f'Host *\n  IdentityFile {key}\n  ProxyCommand nc {PROXY}\n'
        )
        self.cloud_entry['router_ha'] = {
            'ssh_config': str(config),
            'ssh_user': 'stack',
        }
        self.clouds({'test': self.cloud_entry})
        self.log = pathlib.Path(self.path('log'))
        self.saved = pathlib.Path(self.path('saved.json'))
        #: of which somebody else decides, before the command is found
        self.foreign = NOTHING
        self.secrets = {PASSWORD, TOKEN, OWN_TOKEN, KEY, PROXY}

    def commands(self):
        reach = ('--timeout', '10')
        look = (*reach, '--recheck', '0')
        saving = (*look, '--save', str(self.saved))
        yield ('check', *saving)
        yield ('check', 'r1', *saving, '-f', 'json', '--long')
        yield ('check', *look, '--nagios')
        yield ('check', *look, '--textfile', self.path('router.prom'))
        yield ('show', 'r1', *saving)
        yield ('host', 'list', *saving)
        yield ('failover', 'r1', '--to', self.host, '--auto-approve', *reach)
        yield ('repair', 'r1', '--auto-approve', *look)
        yield ('evacuate', self.host, '--auto-approve', *reach)
        yield ('rebalance', '--auto-approve', *reach)
        yield ('finding', 'show', 'RHA101')

    def everything(self, *options: str) -> None:
        """Run each command so that it tells as much as it can."""
        for arguments in self.commands():
            for path in (self.log, self.saved):
                path.unlink(missing_ok=True)
            result = base.Result(1, '', '')
            # with --debug an error leaves the command as it is
            with contextlib.suppress(Exception):
                result = base.openstack(
                    *('--debug', '--log-file', str(self.log), *options),
                    *('router', 'ha', *arguments),
                )
            self.look_for_secrets(arguments, result.stdout, result.stderr)
            found = [
                path.read_text()
                for path in map(pathlib.Path, self.files())
                if path.exists()
            ]
            # --debug has told something, so there was a chance
            self.assertIn('router ha', ''.join(found))
            self.look_for_secrets(arguments, *found)

    def files(self) -> list[str]:
        return [str(self.log), str(self.saved), self.path('router.prom')]

    def look_for_secrets(self, arguments, *texts: str) -> None:
        for text in texts:
            text = self.foreign.sub('', text)
            for secret in self.secrets:
                self.assertNotIn(secret, text, shlex.join(arguments))

    def test_ssh(self):
        ssh = self.useFixture(fake.FakeSsh(SCRIPT))
        self.everything()
        # neither what it is started with nor its surroundings
        self.assertNotEqual([], ssh.argvs)
        self.look_for_secrets((), json.dumps(ssh.argvs))

    def test_token_of_the_caller(self):
        self.useFixture(fake.FakeSsh(SCRIPT))
        self.everything(
            *('--os-auth-type', 'token', '--os-token', OWN_TOKEN),
            *('--os-auth-url', neutron.KEYSTONE),
        )

    def test_password_on_the_command_line(self):
        self.useFixture(fake.FakeSsh(SCRIPT))
        del self.cloud_entry['auth']['password']
        self.clouds({'test': self.cloud_entry})
        self.foreign = STARTED
        self.everything('--os-password', PASSWORD)

    def test_password_in_the_environment(self):
        self.useFixture(fake.FakeSsh(SCRIPT))
        del self.cloud_entry['auth']['password']
        self.clouds({'test': self.cloud_entry})
        self.useFixture(fixtures.EnvironmentVariable('OS_PASSWORD', PASSWORD))
        self.everything()

    def test_agents(self):
        self.neutron.agents_url = AGENTS
        for status in (401, 500):
            self.neutron.mock.post(
                f'{AGENTS}/v1/probe', text='no', status_code=status
            )
            self.neutron.mock.post(
                f'{AGENTS}/v1/check', text='no', status_code=status
            )
            self.cloud_entry['router_ha'] = {'backend': 'agent'}
            self.clouds({'test': self.cloud_entry})
            self.everything()

    def test_keystone_refuses(self):
        self.useFixture(fake.FakeSsh(SCRIPT))
        self.neutron.mock.post(
            f'{neutron.KEYSTONE}/auth/tokens',
            status_code=401,
            json={'error': {'code': 401, 'message': 'no', 'title': 'no'}},
        )
        self.everything()

    def test_neutron_fails(self):
        self.useFixture(fake.FakeSsh(SCRIPT))
        body = neutron.error('HTTPInternalServerError', 'it broke')
        self.neutron.instead = {'routers': (500, body)}
        self.everything()

    def test_saved_for_the_owner_only(self):
        self.useFixture(fake.FakeSsh(SCRIPT))
        self.addCleanup(os.umask, os.umask(0))
        self.ran('check', '--recheck', '0', '--save', str(self.saved))
        self.assertEqual(0o600, self.saved.stat().st_mode & 0o777)
