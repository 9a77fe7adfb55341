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

"""Hostile names and words of Neutron, of nodes, of agents, of the caller."""

import contextlib
import json
import pathlib
import re
import time

import fixtures
from openstack import exceptions as sdk_exceptions

from osc_ha_router.commands import progress
from tests.unit import neutron
from tests.unit.backends import fake
from tests.unit.commands import base
from tests.unit.commands import hostile
from tests.unit.commands import move
from tests.unit.scene import Scene

#: what draws bars: of cursor, colour and line
_OWN = re.compile(r'\x1b\[\??[0-9;]*[A-Zhlm]')


class NeutronTest(hostile.Watching, base.CloudTest):
    """A Neutron that is hostile, and nodes that are."""

    def setUp(self):
        super().setUp()
        self.scene = Scene.of('healthy')
        self.add(self.scene)

    def ssh(self, script: str) -> fake.FakeSsh:
        return self.useFixture(
            fake.FakeSsh(f'WORDS = {hostile.ESCAPES!r}\n{script}')
        )

    def everything(self, name: str, host: str) -> None:
        """Run every command that looks, and those that begin by looking."""
        for arguments in (
            ('check',),
            ('check', '--long', '-f', 'json'),
            ('check', '--nagios'),
            ('check', name),
            ('check', '--host', host),
            ('show', name),
            ('show', name, '-f', 'value'),
            ('host', 'list'),
            ('failover', name, '--to', host, '--auto-approve'),
            ('repair', name, '--auto-approve'),
            ('repair', name, '--dry-run'),
            ('evacuate', host, '--auto-approve'),
            ('rebalance', '--auto-approve'),
        ):
            more = ('--timeout', '20')
            if arguments[0] in ('check', 'show', 'host', 'repair'):
                more += ('--recheck', '0')
            self.ran(*arguments, *more)

    def test_names_of_neutron(self):
        for router in self.neutron.routers:
            router['name'] += hostile.ESCAPES
            router['status'] += hostile.ESCAPES
        for agent in self.neutron.agents:
            agent['host'] += hostile.ESCAPES
        for port in self.neutron.ports:
            port['binding:host_id'] += hostile.ESCAPES
            port['status'] += hostile.ESCAPES
        ssh = self.ssh('')
        self.everything(
            'r1' + hostile.ESCAPES, self.scene.names[0] + hostile.ESCAPES
        )
        self.assertEqual([], ssh.argvs)

    def test_names_that_are_no_names(self):
        """They come neither to ssh as an option nor to a shell."""
        ssh = self.ssh('')
        before = [agent['host'] for agent in self.neutron.agents]
        for word in hostile.WORDS:
            for agent, host in zip(self.neutron.agents, before, strict=True):
                agent['host'] = f'{word}{host}'
            for port in self.neutron.ports:
                port['binding:host_id'] = f'{word}{before[0]}'
            self.neutron.routers[0]['name'] = word
            result = self.ran('check', '-f', 'json', '--recheck', '0')
            (row,) = result.rows
            for replica in row['Replicas']:
                self.assertEqual('unknown', replica['observed'])
        self.everything(word, f'{word}{before[0]}')
        self.assertEqual([], ssh.argvs)
        self.assertFalse(pathlib.Path('FORGED').exists())

    def test_what_neutron_says_of_an_error(self):
        for path in ('routers', 'agents', 'ports', 'floatingips'):
            for status in (400, 403, 404, 409, 500):
                body = neutron.error(
                    f'X{hostile.ESCAPES}', f'why {hostile.ESCAPES}'
                )
                self.neutron.instead = {path: (status, body)}
                self.ran('check', '--recheck', '0', '--timeout', '5')
        self.neutron.instead = {
            'routers': sdk_exceptions.SDKException(hostile.ESCAPES)
        }
        self.ran('check', '--recheck', '0', '--timeout', '5')

    def test_what_ssh_and_nodes_say(self):
        name, host = self.scene.router.name, self.scene.names[0]
        for script in (
            'err(WORDS); sys.exit(255)',
            'err("ssh: connect to host x: " + WORDS); sys.exit(255)',
            'out(WORDS + "\\n"); sys.exit(0)',
            'err("sudo: " + WORDS); sys.exit(1)',
            'err("bash: line 1: python3: command not found" + WORDS)\n'
            'sys.exit(127)',
            'HELLO["hostname"] = HELLO["program"] = WORDS; say(hello=HELLO)',
            'say(error={"kind": "python-old", "message": WORDS})',
            *(
                'HELLO["hostname"] += WORDS; say(hello=HELLO)\n'
                'asked = hear()\n' + answer
                for answer in (
                    'out(WORDS + "\\n")',
                    'say(id=1, error={"kind": WORDS, "message": WORDS})',
                    'say(id=1, error={"kind": "locked", "message": WORDS})',
                    'say(id=1, view={"router_id": WORDS})',
                    'say(id=1, end={"residents": WORDS})',
                    'say(id=WORDS)',
                )
            ),
        ):
            ssh = self.ssh(script)
            self.ran('check', '--recheck', '0', '--timeout', '20')
            self.ran('show', name, '--recheck', '0', '--timeout', '20')
            self.assertNotEqual([], ssh.argvs)
            for argv in ssh.argvs:
                self.assertIn(argv[argv.index('--') + 1], self.scene.names)
        self.everything(name, host)

    def test_watched(self):
        """Names of Neutron, and words of nodes, in the course of time."""
        self.neutron.routers[0]['name'] += hostile.ESCAPES
        rest, looks = (
            time.sleep,
            iter(('err(WORDS); sys.exit(1)', 'out(WORDS)')),
        )

        def sleep(seconds):
            if seconds < 5:
                rest(seconds)
                return
            script = next(looks, None)
            if script is None:
                raise KeyboardInterrupt
            self.ssh(script)

        self.useFixture(fixtures.MonkeyPatch('time.sleep', sleep))
        self.ssh('err("Permission denied " + WORDS); sys.exit(255)')
        for options in ((), ('-f', 'json')):
            result = self.ran(
                'check', '--watch', '10', '--recheck', '0', *options
            )
            self.assertIn('FORGED', result.stdout)

    def test_bars(self):
        """Above them there is what takes time, and why it was left out."""
        stream = move.Terminal('')
        with contextlib.redirect_stderr(stream):
            bars = progress.Progress(True)
            with bars:
                bars._show()
                bars.tell('nodes', 1, 2)
                bars.say(f'There was no second look: {hostile.ESCAPES}')
        printed = _OWN.sub('', stream.getvalue().replace('\r', ''))
        self.assertIn('FORGED', printed)
        self.assert_harmless(printed)

    def test_what_agents_say(self):
        agents = 'https://agents.invalid:6689'
        self.neutron.agents_url = agents
        error = {'error': {'code': 500, 'message': hostile.ESCAPES}}
        error['error']['request_id'] = hostile.ESCAPES
        for status in (200, 400, 403, 404, 502):
            for body in (hostile.ESCAPES, json.dumps(error)):
                self.neutron.mock.post(
                    f'{agents}/v1/probe', text=body, status_code=status
                )
                self.neutron.mock.post(
                    f'{agents}/v1/check', text=body, status_code=status
                )
                self.ran(
                    *('check', '--recheck', '0', '--backend', 'agent'),
                    *('--timeout', '10', '--long'),
                )

    def test_settings(self):
        ssh = self.ssh('sys.exit(255)')
        for word in hostile.WORDS:
            self.cloud_entry['router_ha'] = {
                'ssh_user': word,
                'backend': 'ssh',
            }
            self.clouds({'test': self.cloud_entry})
            self.ran('check', '--recheck', '0')
        for argv in ssh.argvs:
            # the name of a user is one word, and the argument of an option
            self.assertEqual('-l', argv[argv.index('--') - 2], argv)
