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

"""What somebody who was killed has left: told, undone, or told to be left."""

import os
import pathlib

import fixtures
import testtools

from osc_ha_router.node import daemon
from osc_ha_router.node import folder as folders
from osc_ha_router.node import journal as journals
from osc_ha_router.node import lock
from osc_ha_router.node import namespaces
from osc_ha_router.node import quiet
from osc_ha_router.node import recovery
from osc_ha_router.node import tools
from osc_ha_router.node import undo

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
SPACE = f'qrouter-{UUID}'


class Traveller:
    """Enters nothing."""

    def inside(self, space):
        return fixtures.Fixture()


class RecoveryTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.conf = self.path / 'keepalived.conf'
        self.conf.write_bytes(b'raised')
        self.folder = folders.Folder(str(self.path))
        self.addCleanup(self.folder.close)
        locks = self.useFixture(fixtures.TempDir()).path
        os.chmod(locks, 0o700)
        self.useFixture(fixtures.MockPatchObject(lock, 'FOLDER', locks))
        #: how often keepalived was told to read its file
        self.told = []
        self.patch(
            daemon, 'reload', lambda *_: self.told.append(self.conf_now())
        )
        self.patch(daemon, 'find', lambda *_: [])
        self.patch(namespaces, 'listing', dict)

    def patch(self, owner, name, stand_in):
        self.useFixture(fixtures.MockPatchObject(owner, name, stand_in))

    def conf_now(self):
        return self.conf.read_bytes()

    def leave(self, quiet=False, file=True):
        """Write the journal of a change that was cut off."""
        journal = journals.Journal(UUID, SPACE, 'anna', 'noon', 'token')
        if file:
            journal.file = journals.changed(None, b'found', b'raised')
        journal.quiet = quiet
        journals.save(self.folder, journal)

    def with_rule(self, remove=lambda tool: True, tool=True):
        """Have a namespace with the rule of ip6tables."""
        space = namespaces.Namespace(SPACE, UUID, '/nowhere', 4711)
        self.patch(namespaces, 'listing', lambda: {SPACE: space})
        found = tools.Tool('ip6tables', None, ('ip6tables',)) if tool else None
        self.patch(quiet, 'find', lambda pid: found)
        self.patch(quiet, 'remove', remove)

    def journal(self):
        return (self.path / journals.NAME).exists()

    def state(self):
        return recovery.state(UUID, [str(self.path)])

    def recover(self):
        return recovery.recover(Traveller(), UUID, [str(self.path)])


class StateTest(RecoveryTest):
    def test_nothing(self):
        self.assertIsNone(self.state())
        self.assertIsNone(self.recover())

    def test_under_way(self):
        self.leave()
        held = lock.Lock(UUID, {'by': 'bob', 'since': 'one'})
        self.addCleanup(held.close)
        for shown in (self.state(), self.recover()):
            self.assertEqual(
                ('bob', 'one', 'under-way'),
                (shown['by'], shown['since'], shown['state']),
            )
        self.assertEqual(b'raised', self.conf_now())

    def test_left(self):
        self.leave()
        shown = self.state()
        self.assertEqual(
            ('anna', 'noon', 'left'),
            (shown['by'], shown['since'], shown['state']),
        )
        self.assertIn('begun noon, was cut off', shown['message'])

    def test_found_by_what_the_lock_says(self):
        self.leave()
        lock.Lock(UUID, {'conf': str(self.conf)}).close()
        self.assertEqual('left', recovery.state(UUID, [])['state'])

    def test_journal_that_others_could_write(self):
        self.leave()
        (self.path / journals.NAME).chmod(0o666)
        shown = self.state()
        self.assertEqual((None, 'left'), (shown['by'], shown['state']))
        self.assertIn('cannot be trusted', shown['message'])
        self.assertIn('then remove it', self.recover()['message'])
        self.assertEqual((b'raised', True), (self.conf_now(), self.journal()))

    def test_words_in_a_lock(self):
        self.assertEqual(('somebody', 'just now'), recovery.told({'by': 3}))
        self.assertEqual([], recovery.noted({'conf': 'keepalived.conf'}))

    def test_router_that_is_deleted_meanwhile(self):
        gone = self.path / 'gone'
        gone.write_bytes(b'')
        (self.path / 'link').symlink_to(self.path / 'nowhere')
        self.assertIsNone(recovery.state(UUID, [str(gone)]))


class RecoverTest(RecoveryTest):
    def test_put_back(self):
        self.leave()
        shown = self.recover()
        self.assertEqual(('anna', 'undone'), (shown['by'], shown['state']))
        self.assertIn('keepalived.conf was put back', shown['message'])
        self.assertEqual((b'found', False), (self.conf_now(), self.journal()))
        self.assertEqual([b'found'], self.told)
        self.assertIsNone(lock.trace(UUID))
        self.assertIsNone(self.recover())

    def test_neutron_has_rewritten_it_meanwhile(self):
        self.leave()
        self.conf.write_bytes(b'of the agent')
        self.assertIn('that version stays', self.recover()['message'])
        self.assertEqual(b'of the agent', self.conf_now())
        self.assertEqual([b'of the agent'], self.told)

    def test_put_back_before_and_keepalived_not_told(self):
        self.leave()
        self.conf.write_bytes(b'found')
        self.assertIn('nothing was left to undo', self.recover()['message'])
        self.assertEqual([b'found'], self.told)

    def test_file_has_gone(self):
        self.leave()
        self.conf.unlink()
        self.assertEqual('undone', self.recover()['state'])
        self.assertEqual([], self.told)

    def test_no_file_any_more(self):
        self.leave()
        self.conf.unlink()
        self.conf.mkdir()
        shown = self.recover()
        self.assertEqual('left', shown['state'])
        self.assertIn('keepalived.conf is left changed', shown['message'])
        self.assertTrue(self.journal())

    def test_only_a_file_that_was_being_written(self):
        (self.path / folders.NEW).write_bytes(b'half')
        lock.Lock(UUID, {'conf': str(self.conf)}).close()
        self.assertIsNone(self.recover())
        self.assertEqual(['keepalived.conf'], os.listdir(self.path))

    def test_somebody_else_is_faster(self):
        self.leave()
        held = []

        def taken(*_):
            held.append(real(UUID, {'by': 'bob', 'since': 'one'}))
            self.addCleanup(held[0].close)
            raise lock.Locked({})

        real = lock.Lock
        self.patch(lock, 'Lock', taken)
        self.assertEqual('under-way', self.recover()['state'])

    def test_no_lock_to_be_had(self):
        self.leave()
        os.chmod(lock.FOLDER, 0o777)
        shown = self.recover()
        self.assertEqual('left', shown['state'])
        self.assertIn('only this user can write to', shown['message'])
        self.assertEqual(b'raised', self.conf_now())


class RuleTest(RecoveryTest):
    def test_removed(self):
        self.leave(quiet=True, file=False)
        self.with_rule()
        self.assertIn(
            'rule in ip6tables was removed', self.recover()['message']
        )
        self.assertFalse(self.journal())

    def test_gone_with_its_namespace(self):
        self.leave(quiet=True, file=False)
        self.assertIn('nothing was left to undo', self.recover()['message'])
        self.leave(quiet=True, file=False)

        def stale(tool):
            raise namespaces.Stale('it has gone')

        self.with_rule(stale)
        self.assertIn('nothing was left to undo', self.recover()['message'])

    def test_without_ip6tables_it_is_left(self):
        self.leave(quiet=True)
        self.with_rule(tool=False)
        shown = self.recover()
        self.assertEqual('left', shown['state'])
        self.assertIn('there is no ip6tables', shown['message'])
        # the rest is undone all the same, and not once more the next time
        self.assertEqual(b'found', self.conf_now())
        self.assertIsNone(journals.load(self.folder, UUID).file)
        self.with_rule()
        self.assertEqual('undone', self.recover()['state'])

    def test_journal_that_stays(self):
        self.leave(quiet=True)
        self.with_rule()
        journal = journals.load(self.folder, UUID)
        self.patch(folders.Folder, 'tidy', self.full)
        error = self.assertRaises(
            undo.Trouble, undo.everything, Traveller(), self.folder, journal
        )
        self.assertIn('the journal is left: ', str(error))

    def full(self, *_):
        raise OSError(28, 'No space left on device')
