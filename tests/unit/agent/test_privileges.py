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


import os
import threading
from unittest import mock

from osc_ha_router.agent import privileges
from tests.unit import quiet


class DropTest(quiet.TestCase):
    """What is refused before anything is given away.

    That it is given away, the functional tests show: only root can.
    """

    def setUp(self):
        super().setUp()
        for name in ('setgroups', 'setresgid', 'setresuid'):
            self.patch(os, name, self.never)
        self.patch(privileges, '_prctl', self.never)
        self.patch(privileges, '_clear', self.never)

    def never(self, *arguments):
        self.fail('something was given away')

    def refused(self, *arguments):
        return str(
            self.assertRaises(privileges.Refused, privileges.drop, *arguments)
        )

    def test_no_such_user(self):
        said = self.refused('no-such-user')
        self.assertIn('no-such-user', said)
        self.assertIn('[agent]', said)
        self.refused('4294967294')

    def test_no_such_group(self):
        self.assertIn('no-such-group', self.refused('nobody', 'no-such-group'))

    def test_root(self):
        for arguments in (
            ('root',),
            ('0',),
            ('nobody', 'root'),
            ('nobody', '0'),
        ):
            self.assertIn('root', self.refused(*arguments))

    def test_user_in_the_group_of_root(self):
        with mock.patch.object(os, 'getgrouplist', return_value=[65534, 0]):
            self.assertIn('root', self.refused('nobody'))

    def test_not_root(self):
        with mock.patch.object(os, 'geteuid', return_value=1000):
            self.assertIn('only root', self.refused('nobody'))

    def test_other_threads(self):
        end = threading.Event()
        thread = threading.Thread(target=end.wait)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(end.set)
        with mock.patch.object(os, 'geteuid', return_value=0):
            self.assertIn('threads', self.refused('nobody'))


class VerifyTest(quiet.TestCase):
    """Each thing that may be left is noticed."""

    def setUp(self):
        super().setUp()
        self.ids = (65534,) * 3
        self.status = {name: '0000000000000000' for name in privileges._SETS}
        self.status['NoNewPrivs'] = '1'
        self.patch(os, 'getresuid', lambda: self.ids)
        self.patch(os, 'getresgid', lambda: (65534,) * 3)
        self.patch(os, 'getgroups', lambda: [65534])
        self.patch(privileges, '_status', lambda: self.status)
        self.patch(privileges, '_can_return', lambda: False)

    def verify(self):
        privileges.verify(65534, 65534, [65534])

    def refused(self):
        return str(self.assertRaises(privileges.Refused, self.verify))

    def test_nothing_left(self):
        self.verify()

    def test_saved_id(self):
        self.ids = (65534, 65534, 0)
        self.assertIn('user or group', self.refused())

    def test_groups(self):
        self.patch(os, 'getgroups', lambda: [65534, 4])
        self.assertIn('groups', self.refused())

    def test_capabilities(self):
        for name in privileges._SETS:
            self.status[name] = '0000000000200000'
            self.assertIn(name, self.refused())
            self.status[name] = '0000000000000000'

    def test_new_privileges(self):
        self.status['NoNewPrivs'] = '0'
        self.assertIn('no_new_privs', self.refused())

    def test_way_back(self):
        self.patch(privileges, '_can_return', lambda: True)
        self.assertIn('way back', self.refused())
