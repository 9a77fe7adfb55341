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

"""Finding and reading the files of a router."""

import hashlib
import os
import pathlib

import fixtures
import testtools

from osc_ha_router import codec
from osc_ha_router.model import view
from osc_ha_router.node import files

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
SAMPLE = pathlib.Path(__file__).parent / 'samples' / 'rocky.conf'


class FilesTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.one = self.root / 'one' / 'ha_confs'
        self.two = self.root / 'two' / 'ha_confs'
        self.places = [str(self.one), str(self.two)]

    def put(self, place, name='keepalived.conf', text=None):
        path = place / UUID / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SAMPLE.read_text() if text is None else text)
        return str(path)


class ReadTest(FilesTest):
    def test_limit(self):
        path = self.root / 'x'
        path.write_bytes(b'x' * 100)
        self.assertEqual(b'x' * 100, files.read(str(path), 100))
        self.assertRaises(files.Unfit, files.read, str(path), 99)

    def test_only_files(self):
        fifo = self.root / 'ip-monitor'
        os.mkfifo(fifo)
        # without a writer an ordinary open would wait for ever
        for path in (fifo, self.root, '/dev/zero'):
            self.assertRaises(files.Unfit, files.read, str(path), 100)
        missing = str(self.root / 'missing')
        self.assertRaises(FileNotFoundError, files.read, missing, 100)

    def test_configuration(self):
        path = self.put(self.one)
        conf = files.configuration(path)
        raw = SAMPLE.read_bytes()
        self.assertEqual(hashlib.sha256(raw).hexdigest(), conf['sha256'])
        self.assertEqual(path, conf['path'])
        decoded = codec.decode(view.KeepalivedConf, conf)
        self.assertEqual(conf, codec.encode(decoded))

    def test_state(self):
        for text, value in (
            ('primary', 'primary'),
            ('backup\n', 'backup'),
            ('', ''),
            ('x' * 100, 'x' * 64),
        ):
            path = self.put(self.one, 'state', text)
            found = files.state(path)
            self.assertEqual({'path': path, 'value': value}, found)
            codec.decode(view.StateFile, found)
        self.put(self.one, 'state', 'x' * 257)
        self.assertRaises(files.Unfit, files.state, path)

    def test_vrid(self):
        self.assertEqual(14, files.vrid(self.put(self.one)))
        for text, expected in (
            ('  virtual_router_id\t7', 7),
            ('# virtual_router_id 7', None),
            ('virtual_router_id 7777', None),
            ('', None),
        ):
            path = self.put(self.one, text=text)
            self.assertEqual(expected, files.vrid(path), text)
        self.assertIsNone(files.vrid(str(self.root / 'missing')))


class LocateTest(FilesTest):
    def test_nowhere(self):
        self.assertIsNone(files.locate(UUID, [], self.places))
        running = [(os.getpid(), '/missing/keepalived.conf'), (1 << 23, '/x')]
        self.assertIsNone(files.locate(UUID, running, self.places))

    def test_usual_places(self):
        for place in (self.one, self.two):
            path = self.put(place)
            self.assertEqual(path, files.locate(UUID, [], self.places))
            os.remove(path)

    def test_leftovers_of_an_older_installation(self):
        old, new = self.put(self.one), self.put(self.two)
        os.utime(old, (1, 1))
        self.assertEqual(new, files.locate(UUID, [], self.places))
        os.utime(new, (0, 0))
        self.assertEqual(old, files.locate(UUID, [], self.places))

    def test_running(self):
        self.put(self.one)
        path = self.root / 'elsewhere.conf'
        path.write_text('')
        running = [(os.getpid(), str(path))]
        self.assertEqual(str(path), files.locate(UUID, running, self.places))

    def test_folders(self):
        self.put(self.one)
        self.put(self.two)
        (self.one / 'not-a-router').mkdir()
        (self.one / UUID.replace('7', '8')).write_text('not a folder')
        places = [*self.places, str(self.root / 'missing')]
        self.assertEqual(
            {UUID: [f'{self.one}/{UUID}', f'{self.two}/{UUID}']},
            files.folders(places),
        )

    def test_state_beside_the_configuration(self):
        self.put(self.one, 'state', 'backup')
        conf = self.put(self.two)
        self.assertIsNone(files.beside(conf, UUID, self.places))
        state = self.put(self.two, 'state', 'primary')
        self.assertEqual(
            {'path': state, 'value': 'primary'},
            files.beside(conf, UUID, self.places),
        )
        # no configuration anywhere: what is left of it all the same
        self.assertEqual(
            {'path': f'{self.one}/{UUID}/state', 'value': 'backup'},
            files.beside(None, UUID, self.places),
        )

    def test_helpers(self):
        home = str(self.root / 'one')
        self.assertEqual((None, None), self.helpers(home))
        self.put(self.one)
        self.assertEqual((False, False), self.helpers('/no', home))
        (self.root / 'one' / 'ra').mkdir()
        (self.root / 'one' / 'ra' / f'{UUID}.radvd.conf').write_text('')
        self.assertEqual((True, False), self.helpers(home))
        proxies = self.root / 'one' / 'ns-metadata-proxy'
        proxies.mkdir()
        (proxies / f'{UUID}.conf').write_text('')
        self.assertEqual((True, True), self.helpers(home))

    @staticmethod
    def helpers(*homes):
        return files.Home().helpers(UUID, homes)
