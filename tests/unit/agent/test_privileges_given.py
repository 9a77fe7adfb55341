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


"""Rights given away: what is asked of the kernel, and in which order."""

import os
import pwd
from unittest import mock

from osc_ha_router.agent import privileges
from tests.unit import quiet


class GivenAwayTest(quiet.TestCase):
    """All system calls are noted instead of made."""

    def setUp(self):
        super().setUp()
        self.calls = []
        self.entry = pwd.getpwnam('nobody')
        for name in ('setgroups', 'setresgid', 'setresuid'):
            self.patch(os, name, self.noting(name))
        for name in ('_drop_bounds', '_prctl', '_clear', 'verify'):
            self.patch(privileges, name, self.noting(name))
        self.patch(os, 'geteuid', lambda: 0)
        self.patch(os, 'getgrouplist', lambda name, gid: [gid, 7])
        self.patch(os, 'listdir', lambda path: ['1'])
        environment = mock.patch.dict(os.environ, HOME='/root', USER='root')
        environment.start()
        self.addCleanup(environment.stop)

    def noting(self, name):
        return lambda *arguments: self.calls.append((name, *arguments))

    def failing(self, error):
        return mock.Mock(side_effect=error)

    def test_groups_before_the_user(self):
        privileges.drop('nobody')
        uid, gid = self.entry.pw_uid, self.entry.pw_gid
        self.assertEqual(
            [
                ('_drop_bounds',),
                ('setgroups', [gid, 7]),
                ('setresgid', gid, gid, gid),
                ('setresuid', uid, uid, uid),
                ('_prctl', 38, 1),
                ('_clear',),
                ('verify', uid, gid, [gid, 7]),
            ],
            self.calls,
        )
        self.assertEqual(self.entry.pw_dir, os.environ['HOME'])
        self.assertEqual('nobody', os.environ['USER'])

    def test_the_kernel_refuses(self):
        self.patch(os, 'setresgid', self.failing(OSError(1, 'not you')))
        refused = self.assertRaises(
            privileges.Refused, privileges.drop, 'nobody'
        )
        self.assertIn('not you', str(refused))
        self.assertNotIn('setresuid', [call[0] for call in self.calls])

    def test_what_is_left_is_seen_where_clearing_is_forbidden(self):
        self.patch(privileges, '_clear', self.failing(PermissionError()))
        self.patch(
            privileges, 'verify', self.failing(privileges.Refused('CapEff'))
        )
        refused = self.assertRaises(
            privileges.Refused, privileges.drop, 'nobody'
        )
        self.assertIn('CapEff', str(refused))
        self.assertEqual('root', os.environ['USER'])


class ReturnTest(quiet.TestCase):
    """Whether there is a way back to root is tried, each way."""

    def test_each_way(self):
        names = ('setresuid', 'setresgid', 'setgroups')
        for open_one in (None, *names):
            with mock.patch.multiple(
                os,
                **{
                    name: mock.Mock(
                        side_effect=None
                        if name == open_one
                        else PermissionError
                    )
                    for name in names
                },
            ):
                self.assertEqual(
                    open_one is not None, privileges._can_return()
                )
