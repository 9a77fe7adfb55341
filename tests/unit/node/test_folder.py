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

"""Files that are replaced as a whole, and the journal among them."""

import json
import os
import pathlib
import shutil

import fixtures
import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router.node import files
from osc_ha_router.node import folder
from osc_ha_router.node import journal

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'


class FolderTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.conf = self.path / 'keepalived.conf'
        self.conf.write_bytes(b'old')
        self.conf.chmod(0o604)
        self.folder = folder.Folder(str(self.path))
        self.addCleanup(self.folder.close)

    def names(self):
        return sorted(os.listdir(self.path))

    def without_exchange(self):
        self.useFixture(
            fixtures.MonkeyPatch(f'{folder.__name__}._RENAMEAT2', None)
        )


class ReplaceTest(FolderTest):
    def test_as_expected(self):
        for before, after in ((b'old', b'new'), (b'new', b'newer' * 99_999)):
            self.assertTrue(self.folder.replace(before, after))
            self.assertEqual(after, self.conf.read_bytes())
            self.assertEqual(0o604, self.conf.stat().st_mode & 0o777)
            self.assertEqual(['keepalived.conf'], self.names())
            # the second time without
            self.without_exchange()

    def test_unexpected(self):
        self.assertFalse(self.folder.replace(b'other', b'new'))
        self.assertEqual(b'old', self.conf.read_bytes())
        self.assertEqual(['keepalived.conf'], self.names())

    def test_faster_by_a_hair(self):
        """Somebody rewrites it after the last look."""
        real = folder._RENAMEAT2
        if real is None:
            self.skipTest('this C library has no renameat2')
        calls = []

        def late(*arguments):
            if not calls:
                new = self.path / 'theirs'
                new.write_bytes(b'theirs')
                new.rename(self.conf)
            calls.append(arguments)
            return real(*arguments)

        self.useFixture(fixtures.MockPatchObject(folder, '_RENAMEAT2', late))
        self.assertFalse(self.folder.replace(b'old', b'new'))
        self.assertEqual(b'theirs', self.conf.read_bytes())
        self.assertEqual(['keepalived.conf'], self.names())
        self.assertEqual(2, len(calls))

    def test_file_gone(self):
        self.conf.unlink()
        self.assertFalse(self.folder.replace(b'old', b'new'))
        self.assertIsNone(self.folder.conf())
        self.assertEqual([], self.names())

    def test_folder_gone(self):
        for again in (False, True):
            shutil.rmtree(self.path)
            if again:
                self.path.mkdir()
                self.conf.write_bytes(b'old')
            self.assertIsNone(self.folder.conf())
            self.assertFalse(self.folder.replace(b'old', b'new'))
            self.folder.remove('keepalived.conf')
            self.folder.tidy()
            self.assertRaises(
                FileNotFoundError, self.folder.write, 'x', b'data'
            )
            self.assertFalse(self.folder.is_at(str(self.path)))
            if not again:
                self.path.mkdir()

    def test_leftover(self):
        (self.path / folder.NEW).write_bytes(b'half')
        self.assertTrue(self.folder.replace(b'old', b'new'))
        self.assertEqual(['keepalived.conf'], self.names())

    def test_links_are_not_followed(self):
        target = self.path / 'target'
        target.write_bytes(b'old')
        self.conf.unlink()
        self.conf.symlink_to(target)
        self.assertRaises(files.Unfit, self.folder.replace, b'old', b'new')
        (self.path / folder.NEW).symlink_to(target)
        self.folder.write('x', b'data')
        self.assertEqual(b'old', target.read_bytes())


class JournalTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.journal = journal.Journal(
            UUID, 'snat-' + UUID, 'Zoë', '2026-01-01T00:00:00Z', 'ab'
        )
        self.journal.seconds = 60.0
        self.path = self.path / journal.NAME

    def load(self):
        return journal.load(self.folder, UUID)

    def test_nothing(self):
        self.assertIsNone(self.load())
        journal.save(self.folder, self.journal)
        self.assertFalse(self.path.exists())

    def test_there_and_back(self):
        self.journal.quiet = True
        for file in (None, journal.File(b'\0\xff' * 999, ['0' * 64])):
            self.journal.file = file
            journal.save(self.folder, self.journal)
            self.assertEqual(0o600, self.path.stat().st_mode & 0o777)
            found = self.load()
            one, two = vars(found), dict(vars(self.journal))
            if file is not None:
                one['file'], two['file'] = vars(found.file), vars(file)
            self.assertEqual(two, one)
        self.journal.quiet, self.journal.file = False, None
        journal.save(self.folder, self.journal)
        self.assertFalse(self.path.exists())

    def test_of_another_router(self):
        self.journal.quiet = True
        journal.save(self.folder, self.journal)
        self.assertRaises(
            journal.Garbled,
            journal.load,
            self.folder,
            UUID.replace('7', '8'),
        )

    def test_somebody_elses(self):
        self.journal.quiet = True
        journal.save(self.folder, self.journal)
        self.path.chmod(0o640)
        self.assertRaises(journal.Garbled, self.load)
        self.path.chmod(0o600)
        os.link(self.path, str(self.path) + '2')
        self.assertRaises(journal.Garbled, self.load)

    @hypothesis.given(strategies.data())
    def test_noise(self, data):
        """Any of its values may be anything."""
        self.journal.file = journal.File(b'data', ['0' * 64])
        journal.save(self.folder, self.journal)
        content = json.loads(self.path.read_text())
        values = strategies.recursive(
            strategies.none()
            | strategies.booleans()
            | strategies.floats(allow_nan=False)
            | strategies.text(),
            lambda inner: (
                strategies.lists(inner)
                | strategies.dictionaries(
                    strategies.sampled_from(['original', 'written']), inner
                )
            ),
        )
        key = data.draw(strategies.sampled_from(sorted(content)))
        content[key] = data.draw(values)
        text = json.dumps(content)
        cut = data.draw(strategies.integers(0, 2 * len(text)))
        self.path.write_text(text[:cut])
        try:
            found = self.load()
        except journal.Garbled as error:
            self.assertNotIn('data', str(error))
        else:
            self.assertEqual(UUID, found.router_id)
            self.assertIn(found.namespace, ('snat-' + UUID, 'qrouter-' + UUID))
