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

"""What only Neutron can bring to its end is noted until that is done."""

import json
import os

import fixtures

from osc_ha_router.node import change
from osc_ha_router.node import errors
from osc_ha_router.node import folder
from osc_ha_router.node import journal
from osc_ha_router.node import lock
from osc_ha_router.node import recovery
from tests.unit.node import test_errand
from tests.unit.node import test_recovery

UUID = test_errand.UUID


class OweTest(test_errand.ErrandTest):
    def owe(self, agent='net2'):
        return self.ask(change.owe, agent=agent)

    def journal(self):
        return json.loads((self.path / journal.NAME).read_bytes())

    def state(self):
        return recovery.state(UUID, [str(self.path)])

    def test_stays_when_the_errand_ends(self):
        self.begin()
        self.assertEqual({}, self.owe())
        self.assertEqual([], self.errands.end(UUID))
        self.assertEqual('net2', self.journal()['owed'])
        shown = self.state()
        self.assertEqual(
            ('anna', 'left', 'net2'),
            (shown['by'], shown['state'], shown['owed']),
        )
        self.assertIn('give it back', shown['message'])
        self.assertEqual([], os.listdir(lock.FOLDER))

    def test_stays_when_the_conversation_breaks_off(self):
        self.begin()
        self.owe()
        self.errands.close()
        self.assertEqual('net2', self.state()['owed'])

    def test_stays_when_the_program_is_killed(self):
        self.begin()
        self.owe()
        self.guardians[0].rescue()
        self.assertEqual('net2', self.journal()['owed'])

    def test_forgotten(self):
        self.begin()
        self.owe()
        self.owe(None)
        self.errands.end(UUID)
        self.untouched()

    def test_forgotten_by_whoever_comes_next_and_no_sooner(self):
        self.begin()
        self.owe()
        self.errands.end(UUID)
        # another change does not forget it
        self.promote()
        self.errands.end(UUID)
        self.assertEqual('net2', self.state()['owed'])
        self.assertEqual(test_errand.CONF, self.conf.read_bytes())
        self.begin()
        self.owe(None)
        self.errands.end(UUID)
        self.untouched()

    def test_what_cannot_be_noted_is_not(self):
        self.begin()

        def full(*_):
            raise OSError(28, 'No space left on device')

        with fixtures.MockPatchObject(folder.Folder, 'write', full):
            self.assertRaises(OSError, self.owe)
        self.errands.end(UUID)
        self.untouched()

    def test_what_is_no_host(self):
        self.begin()
        for agent in ('', 3, 'x' * 121, 'two\nlines'):
            self.assertEqual(
                errors.BAD_REQUEST, self.refused(change.owe, agent=agent)
            )
        self.assertEqual(errors.BAD_REQUEST, self.refused(change.owe))
        self.errands.end(UUID)
        self.untouched()

    def test_nothing_has_begun(self):
        self.assertEqual(
            errors.NO_ERRAND, self.refused(change.owe, agent='net2')
        )


class RecoverTest(test_recovery.RecoveryTest):
    def leave(self, **more):
        """Write the journal of a repair that was cut off."""
        made = journal.Journal(UUID, test_recovery.SPACE, 'anna', 'noon', 't')
        made.owed = 'net2'
        made.quiet = more.get('quiet', False)
        if more.get('file'):
            made.file = journal.changed(None, b'found', b'raised')
        journal.save(self.folder, made)

    def test_never_undone_here(self):
        self.leave()
        for _ in range(2):
            shown = self.recover()
            self.assertEqual(('left', 'net2'), (shown['state'], shown['owed']))
            self.assertIn('the L3 agent on net2', shown['message'])
        self.assertIsNone(lock.trace(UUID))

    def test_the_rest_is(self):
        self.leave(file=True)
        shown = self.recover()
        self.assertEqual(('left', 'net2'), (shown['state'], shown['owed']))
        self.assertIn('keepalived.conf was put back', shown['message'])
        self.assertEqual(b'found', self.conf_now())
        self.assertNotIn('put back', self.recover()['message'])

    def test_journal_of_an_older_program(self):
        super().leave()
        path = self.path / journal.NAME
        content = json.loads(path.read_bytes())
        del content['owed']
        path.write_text(json.dumps(content))
        shown = self.recover()
        self.assertEqual(('undone', None), (shown['state'], shown['owed']))

    def test_garbled(self):
        for owed in (3, ['net2'], 'x' * 201):
            self.leave()
            path = self.path / journal.NAME
            content = dict(json.loads(path.read_bytes()), owed=owed)
            path.write_text(json.dumps(content))
            self.assertIn('cannot be trusted', self.recover()['message'])


class UnfitTest(test_errand.ErrandTest):
    """A keepalived.conf that cannot be used keeps nobody from mending."""

    def bare(self):
        return self.ask(change.begin, by='anna', seconds=60, bare=True)

    def assert_begun(self):
        shown = self.bare()
        self.assertEqual(
            (None, None, None, None),
            tuple(
                shown[name]
                for name in ('sha256', 'priority', 'nopreempt', 'advert_int')
            ),
        )
        # more is known than where there is nothing
        self.assertEqual([100, 101], shown['keepalived'])
        self.assertEqual(test_errand.SPACE.name, shown['namespace'])
        # what needs the file refuses by itself
        error = self.assertRaises(
            errors.ProgramError, self.errands.of(UUID).conf
        )
        self.assertEqual(errors.UNFIT, error.kind)
        self.assertEqual([], self.errands.end(UUID))
        self.assertEqual([], os.listdir(lock.FOLDER))

    def test_empty(self):
        self.conf.write_bytes(b'')
        self.assert_begun()

    def test_garbled(self):
        self.conf.write_bytes(b'vrrp_instance {')
        self.assert_begun()

    def test_no_file_at_all(self):
        self.conf.unlink()
        self.conf.mkdir()
        self.assert_begun()

    def test_only_where_it_was_asked_for(self):
        self.conf.unlink()
        self.conf.mkdir()
        kind = self.refused(change.begin, by='anna', seconds=60)
        self.assertEqual(errors.UNFIT, kind)
