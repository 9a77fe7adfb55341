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

"""Finding namespaces by their names, entering them, and coming back."""

import errno
import os

import fixtures
import testtools

from osc_ha_router.node import errors
from osc_ha_router.node import namespaces

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
OTHER = '2c1f9a70-5d40-4b8e-9d2a-0c6e4f3b1a55'


class ListingTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.useFixture(fixtures.TempDir()).path
        self.folders = [os.path.join(folder, name) for name in 'ab']
        self.patch(namespaces, 'DIRECTORIES', tuple(self.folders))

    def write(self, number, *names):
        os.makedirs(self.folders[number], exist_ok=True)
        for name in names:
            with open(os.path.join(self.folders[number], name), 'w'):
                pass

    def test_no_folders(self):
        self.assertEqual({}, namespaces.listing())

    def test_routers_alone(self):
        names = f'qrouter-{UUID}', f'snat-{OTHER}'
        self.write(
            0,
            *names,
            f'qdhcp-{UUID}',
            f'fip-{UUID}',
            'qrouter-',
            f'qrouter-{UUID}x',
            f'qrouter-{UUID.upper()}',
        )
        found = namespaces.listing()
        self.assertEqual(set(names), set(found))
        self.assertEqual(
            [UUID, OTHER], [found[name].router_id for name in names]
        )

    def test_first_folder_counts(self):
        """The second is often the first by another name."""
        name = f'qrouter-{UUID}'
        self.write(0, name)
        self.write(1, name, f'snat-{OTHER}')
        found = namespaces.listing()
        self.assertEqual(f'{self.folders[0]}/{name}', found[name].path)
        self.assertEqual(2, len(found))

    def test_name_without_a_namespace(self):
        """A file that nothing is mounted on."""
        name = f'qrouter-{UUID}'
        self.write(0, name)
        self.assertIsNone(namespaces.listing()[name].inode)

    def test_a_real_one(self):
        """A link to this process's own is as good as a mount."""
        name = f'qrouter-{UUID}'
        self.write(0)
        os.symlink('/proc/self/ns/net', f'{self.folders[0]}/{name}')
        found = namespaces.listing()[name]
        self.assertEqual(namespaces.current(), found.inode)

    def test_name_that_goes_meanwhile(self):
        """It is listed, and then it is no more."""
        name = f'qrouter-{UUID}'
        self.write(0)
        os.symlink('/nonexistent', f'{self.folders[0]}/{name}')
        self.assertEqual({}, namespaces.listing())

    def test_folder_that_cannot_be_read(self):
        self.write(0)
        os.rmdir(self.folders[0])
        with open(self.folders[0], 'w'):
            pass
        self.assertRaises(NotADirectoryError, namespaces.listing)


class Libc:
    """setns that does nothing, or fails from some visit on."""

    def __init__(self):
        self.visited = []
        #: which visit fails, and with what
        self.fails = {}

    def setns(self, descriptor, kind):
        number = self.fails.get(len(self.visited))
        self.visited.append(os.fstat(descriptor).st_ino)
        if number is None:
            return 0
        namespaces.ctypes.set_errno(number)
        return -1


class TravellerTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.libc = Libc()
        self.patch(namespaces, '_LIBC', self.libc)
        folder = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(folder, f'qrouter-{UUID}')
        with open(path, 'w'):
            pass
        status = os.stat(path)
        self.space = namespaces.Namespace(
            f'qrouter-{UUID}', UUID, path, status.st_ino
        )
        #: descriptors of namespaces, as often as each was had
        self.opened, self.closed = [], []
        open_, close = os.open, os.close

        def opening(path, *flags, **options):
            descriptor = open_(path, *flags, **options)
            if path in (self.space.path, namespaces._own()):
                self.opened.append(descriptor)
            return descriptor

        def closing(descriptor):
            self.closed.append(descriptor)
            close(descriptor)

        self.patch(namespaces.os, 'open', opening)
        self.patch(namespaces.os, 'close', closing)

    def assert_closed(self, count):
        """Nothing is left open."""
        self.assertEqual(count, len(self.opened))
        for descriptor in self.opened:
            self.closed.remove(descriptor)

    def test_there_and_back(self):
        home = namespaces.current()
        with namespaces.Traveller() as traveller:
            self.assertEqual(home, traveller.home)
            with traveller.inside(self.space):
                self.assertEqual([home, self.space.inode], self.libc.visited)
        self.assertEqual([home, self.space.inode, home], self.libc.visited)
        self.assert_closed(2)

    def test_back_whatever_happens(self):
        with namespaces.Traveller() as traveller:
            with testtools.ExpectedException(ZeroDivisionError):
                with traveller.inside(self.space):
                    raise ZeroDivisionError
            self.assertEqual(traveller.home, self.libc.visited[-1])
        self.assert_closed(2)

    def test_no_rights(self):
        for number in (errno.EPERM, errno.EACCES):
            self.libc.fails = {len(self.libc.visited): number}
            error = self.assertRaises(errors.NoRights, namespaces.Traveller)
            self.assertIn('this needs root', str(error))
        self.assert_closed(2)

    def test_another_refusal(self):
        self.libc.fails = {0: errno.ENOSYS}
        error = self.assertRaises(OSError, namespaces.Traveller)
        self.assertEqual(errno.ENOSYS, error.errno)
        self.assert_closed(1)

    def enter(self, traveller, space):
        with traveller.inside(space):
            self.fail('it is nowhere')

    def test_name_that_has_gone(self):
        os.unlink(self.space.path)
        with namespaces.Traveller() as traveller:
            error = self.assertRaises(
                namespaces.Stale, self.enter, traveller, self.space
            )
        self.assertIn('has just gone', str(error))

    def test_file_that_is_none(self):
        self.libc.fails = {1: errno.EINVAL}
        with namespaces.Traveller() as traveller:
            error = self.assertRaises(
                namespaces.Stale, self.enter, traveller, self.space
            )
        self.assertIn('without a namespace behind it', str(error))
        self.assert_closed(2)

    def test_may_not_enter(self):
        self.libc.fails = {1: errno.EPERM}
        with namespaces.Traveller() as traveller:
            error = self.assertRaises(
                PermissionError, self.enter, traveller, self.space
            )
        self.assertEqual(errno.EPERM, error.errno)
        self.assert_closed(2)

    def test_kernel_that_knows_processes_only(self):
        self.patch(namespaces.os.path, 'exists', lambda path: False)
        self.assertEqual(
            os.stat('/proc/self/ns/net').st_ino, namespaces.current()
        )
