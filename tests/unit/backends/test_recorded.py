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

"""What real clients said when the functional tests broke things for them.

Each entry of recorded.json is one run of ssh in one of those tests: which
versions of OpenSSH printed this, their exit code (null: it was still running
when it was ended), and what came out of it. Fingerprints, paths and counts of
bytes are made alike.
"""

import json
import pathlib

import testtools

from osc_ha_router import config
from osc_ha_router import text
from osc_ha_router.backends import base
from osc_ha_router.backends import ssh
from tests.unit.backends import fake

RECORDS = json.loads(
    pathlib.Path(__file__).with_name('recorded.json').read_text()
)
ROUTER = 'aaaaaaaa-0000-4000-8000-000000000001'

#: what must be in the message, where a bare kind would not help much
WORDS = {
    'unresolved': 'hostname no-such-name.invalid',
    'refused': 'port 2: Connection refused',
    'unreachable': 'Network is unreachable',
    'silent_address': 'Connection timed out',
    'host_key_changed': 'known_hosts:1',
    'host_key_unknown': 'No ED25519 host key is known for',
    'permission_denied': 'Permission denied (publickey',
    'too_many_keys': 'Too many authentication failures',
    'no_common_algorithm': 'no matching host key type found',
    'password': 'sudo: a password is required',
    'not_allowed': 'Sorry, user few is not allowed',
    'configuration': 'Bad configuration option: nosuchoption',
    'connection_is_closed_in_the_middle': 'closed by remote host',
    'forwarding_is_not_allowed': 'administratively prohibited',
    'unresolved_behind_it': 'Temporary failure in name resolution',
    'nologin': 'This account is currently not available',
    'program_that_ends': 'I cannot',
}

#: the banner that the server of the functional tests shows to everybody
BANNER = '(banner)'


class RecordedTest(testtools.TestCase):
    def test_every_record(self) -> None:
        for record in RECORDS:
            with self.subTest(name=record['name'], ssh=record['ssh']):
                self.replay(record)

    def replay(self, record: dict) -> None:  # type: ignore[type-arg]
        script = f'out({record["stdout"]!r}); err({record["stderr"]!r})\n'
        if record['code'] is None:
            script += 'time.sleep(60)'
        else:
            script += f'sys.exit({record["code"]})'
        program = fake.FakeSsh(script)
        # what goes on until it is ended takes as long as it may
        bound = 3.0 if record['code'] is None else 30.0
        with program:
            deadline = 2.0 if record['kind'] == 'deadline' else 30
            (seen,) = ssh.SshBackend(
                config.Settings(
                    ssh_user='stack', probe_timeout=bound, **record['settings']
                )
            ).probe(
                [base.Request('net1', (ROUTER,))],
                base.Deadline.after(deadline),
            )
        failure = seen.failure
        assert failure is not None
        self.assertEqual(record['kind'], failure.kind, str(failure))
        self.assertIn(WORDS.get(record['name'], ''), failure.message)
        self.assertNotIn(BANNER, failure.message)
        for sentence in (failure.message, failure.advice):
            self.assertEqual(text.one_line(sentence, 500), sentence)
        # a view that was complete is kept, whatever came then
        self.assertEqual(
            record['stdout'].count('"view":') and 1, len(seen.views)
        )

    def test_records_cover_what_ssh_itself_says(self) -> None:
        kinds = {record['kind'] for record in RECORDS}
        self.assertLessEqual(
            {
                *('unresolved', 'refused', 'unreachable', 'connect-timeout'),
                *('forward-refused', 'closed', 'no-common-algorithm'),
                *('host-key-unknown', 'host-key-changed', 'host-key-revoked'),
                *('permission-denied', 'too-many-keys', 'ssh-config'),
                *('truncated', 'timeout', 'noise', 'exit'),
            },
            kinds,
        )
