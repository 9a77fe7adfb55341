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

"""One change of a router at a time: who has it, and what others are told."""

import os
import pathlib

import fixtures
import testtools

from osc_ha_router.node import errors
from osc_ha_router.node import guardian
from osc_ha_router.node import hold
from osc_ha_router.node import lock
from osc_ha_router.node import recovery

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
ANNA = {'by': 'anna', 'since': 'noon', 'conf': '/x/keepalived.conf'}


class LockTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        parent = self.useFixture(fixtures.TempDir()).path
        self.folder = pathlib.Path(parent, 'locks')
        self.file = self.folder / f'{UUID}.lock'
        self.useFixture(
            fixtures.MockPatchObject(lock, 'FOLDER', str(self.folder))
        )

    def take(self, owner=ANNA, patience=0.0):
        held = lock.Lock(UUID, owner, patience)
        self.addCleanup(held.close)
        return held


class OwnerTest(LockTest):
    def test_nobody(self):
        self.assertIsNone(lock.holder(UUID))
        self.assertIsNone(lock.trace(UUID))

    def test_others_are_told_whose_it_is(self):
        self.take()
        self.assertEqual(ANNA, lock.holder(UUID))
        error = self.assertRaises(lock.Locked, lock.Lock, UUID, {}, 0.05)
        self.assertEqual(ANNA, error.owner)
        self.assertEqual(ANNA, lock.holder(UUID))

    def test_in_a_sentence(self):
        self.take()
        error = self.assertRaises(
            errors.ProgramError, hold.take, UUID, 'bob', 'one', ''
        )
        self.assertEqual(errors.LOCKED, error.kind)
        self.assertIn('by anna is under way since noon', str(error))

    def test_killed_holder_leaves_a_trace(self):
        held = lock.Lock(UUID, ANNA)
        held.close()
        self.assertIsNone(lock.holder(UUID))
        self.assertEqual(ANNA, lock.trace(UUID))
        again = self.take({'by': 'bob'})
        self.assertEqual(ANNA, again.before)
        self.assertEqual({'by': 'bob'}, lock.holder(UUID))

    def test_removed(self):
        held = self.take()
        held.remove()
        self.assertEqual([], os.listdir(self.folder))
        # somebody else has it now: theirs stays
        self.take({'by': 'bob'})
        held.remove()
        self.assertEqual({'by': 'bob'}, lock.holder(UUID))

    def test_removed_before_it_could_be_taken(self):
        first = [False, True]
        self.useFixture(
            fixtures.MockPatchObject(
                lock.Lock, '_is_there', lambda _: first.pop(0)
            )
        )
        self.take(patience=5.0)
        self.assertEqual([], first)

    def test_rubbish_in_it_is_nobody(self):
        self.take().close = lambda: None
        for content in (b'', b'{', b'x' * 5000):
            self.file.write_bytes(content)
            self.assertEqual({}, lock.holder(UUID))


class FolderTest(LockTest):
    def test_is_made_for_one_user(self):
        self.take()
        self.assertEqual(0o700, self.folder.stat().st_mode & 0o777)

    def test_where_others_can_write(self):
        self.folder.mkdir()
        self.folder.chmod(0o770)
        error = self.assertRaises(errors.NoRights, lock.Lock, UUID, {})
        self.assertIn(str(self.folder), str(error))
        self.assertEqual([], os.listdir(self.folder))

    def test_link_is_not_followed(self):
        self.folder.symlink_to('/tmp')
        self.assertRaises(errors.NoRights, lock.Lock, UUID, {})

    def test_link_instead_of_the_lock(self):
        self.folder.mkdir(mode=0o700)
        target = self.folder / 'precious'
        target.write_bytes(b'as it was')
        self.file.symlink_to(target)
        self.assertRaises(OSError, lock.Lock, UUID, ANNA)
        self.assertEqual(b'as it was', target.read_bytes())
        self.assertIsNone(lock.holder(UUID))
        self.assertIsNone(lock.trace(UUID))


class Watcher:
    """A guardian that only notes what becomes of it."""

    def __init__(self, seconds, keep, rescue):
        self.seconds, self.rescue = seconds, rescue
        self.dismissed = False

    def dismiss(self):
        self.dismissed = True


class HoldTest(LockTest):
    def setUp(self):
        super().setUp()
        self.watchers = []

        def watch(*arguments):
            self.watchers.append(Watcher(*arguments))
            return self.watchers[-1]

        for owner, name, stand_in in (
            (guardian, 'Guardian', watch),
            (hold.looking, 'spaces', dict),
            (hold.looking, 'Look', lambda *_: None),
            (hold.place, 'candidates', lambda *_: ['/nowhere']),
            (hold.namespaces, 'Traveller', fixtures.Fixture),
        ):
            self.useFixture(fixtures.MockPatchObject(owner, name, stand_in))

    def test_given_back(self):
        held = hold.Hold(UUID, 'anna', 30.0)
        self.assertEqual([], held.undone)
        self.assertEqual('anna', lock.holder(UUID)['by'])
        self.assertEqual([], held.end())
        self.assertEqual([], os.listdir(self.folder))
        self.assertTrue(self.watchers[0].dismissed)

    def test_at_its_deadline_the_guardian_gives_it_back(self):
        held = hold.Hold(UUID, 'anna', 30.0)
        self.addCleanup(held.end)
        self.assertEqual(30.0, self.watchers[0].seconds)
        self.watchers[0].rescue()
        self.assertEqual([], os.listdir(self.folder))

    def test_what_was_left_cannot_be_undone(self):
        self.useFixture(
            fixtures.MockPatchObject(
                recovery, 'settle', side_effect=recovery.Left('rule is left')
            )
        )
        error = self.assertRaises(
            errors.ProgramError, hold.Hold, UUID, 'anna', 30.0
        )
        self.assertEqual(
            (errors.LEFT, 'rule is left'), (error.kind, str(error))
        )
        # nobody has to wait for who was refused
        self.assertIsNone(lock.holder(UUID))
        self.assertEqual([], os.listdir(self.folder))

    def test_what_was_undone(self):
        settled = recovery.Settled('bob', 'noon', ['it was put back'], None)
        self.useFixture(
            fixtures.MockPatchObject(recovery, 'settle', lambda *_: settled)
        )
        held = hold.Hold(UUID, 'anna', 30.0)
        self.addCleanup(held.end)
        self.assertEqual(['it was put back'], held.undone)
