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


"""What a database says, in pieces and all at once."""

import json
import os
import socket
import threading

import fixtures
import testtools

from osc_ha_router.node import ovsdb

UPDATE = {'method': 'update', 'params': [None, {'Port': {}}], 'id': None}


class Server(fixtures.Fixture):
    """Answers with prepared pieces; a real one is never so unkind.

    :param script: for each request what is sent, in pieces
    """

    def __init__(self, *script: list[bytes]) -> None:
        super().__init__()
        self._script = script
        self.heard: list[dict] = []

    def _setUp(self) -> None:
        folder = self.useFixture(fixtures.TempDir()).path
        self.path = os.path.join(folder, 'db.sock')
        self._listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(self._listener.close)
        self._listener.bind(self.path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.addCleanup(self._thread.join)

    def _serve(self) -> None:
        peer, _ = self._listener.accept()
        with peer:
            peer.settimeout(5)
            for pieces in self._script:
                self.heard.append(json.loads(peer.recv(1 << 16)))
                for piece in pieces:
                    peer.sendall(piece)
            while data := peer.recv(1 << 16):
                self.heard.append(json.loads(data))


def answer(number, result, error=None):
    return json.dumps(
        {'id': number, 'result': result, 'error': error}
    ).encode()


class DatabaseTest(testtools.TestCase):
    def connect(self, *script):
        self.server = self.useFixture(Server(*script))
        database = ovsdb.Database(self.server.path)
        # the server waits for the end of it
        self.addCleanup(database.close)
        return database

    def test_transact(self):
        database = self.connect([answer(1, [{'count': 1}])])
        self.assertEqual([{'count': 1}], database.transact({'op': 'x'}))
        self.assertEqual(
            [
                {
                    'method': 'transact',
                    'params': ['Open_vSwitch', {'op': 'x'}],
                    'id': 1,
                }
            ],
            self.server.heard,
        )

    def test_pieces(self):
        now = {'Port': {'a}': {'new': {'name': '\u00e4'}}}}
        told = answer(1, now)
        database = self.connect([told[i : i + 1] for i in range(len(told))])
        self.assertEqual(now, database.monitor({'Port': ('name',)}))

    def test_all_at_once(self):
        update = json.dumps(UPDATE).encode()
        echo = b'{"method":"echo","params":["there?"],"id":"echo"}'
        database = self.connect(
            [update + echo + answer(1, {}) + b'\n' + update + update]
        )
        self.assertEqual({}, database.monitor({'Port': ('name',)}))
        self.assertEqual([{'Port': {}}] * 3, database.news())
        self.assertEqual([], database.news())
        database.close()
        self.server._thread.join()
        self.assertEqual(
            {'result': ['there?'], 'error': None, 'id': 'echo'},
            self.server.heard[1],
        )

    def test_refusals(self):
        for pieces, words in (
            ([answer(1, None, {'error': 'unknown database'})], 'unknown'),
            ([answer(1, {})], 'no list'),
            ([answer(1, [])], 'lacks'),
            # Python 3.13 takes more than 9000
            ([b'[' * 100_000 + b'}'], 'too deep'),
            ([answer(1, [{}, {'error': 'no'}])], 'failed'),
            ([answer(1, [{}, None])], 'failed'),
        ):
            database = self.connect(pieces)
            error = self.assertRaises(
                ovsdb.OvsdbError, database.transact, {'op': 'x'}
            )
            self.assertIn(words, str(error))
            database.close()

    def test_silence(self):
        self.patch(ovsdb, '_TIMEOUT', 0.1)
        database = self.connect([])
        self.assertRaises(ovsdb.OvsdbError, database.transact, {'op': 'x'})

    def test_news_without_end(self):
        self.patch(ovsdb, '_TIMEOUT', 0.1)
        update = json.dumps(UPDATE).encode()
        database = self.connect([answer(1, {})])
        database.monitor({'Port': ('name',)})
        # more has always come by the time that this is read
        self.patch(ovsdb.select, 'select', lambda *args: ([1], [], []))

        def read():
            database._buffer += update

        database._read = read
        self.assertNotEqual([], database.news())

    def test_nonsense(self):
        self.patch(ovsdb, '_LIMIT', 1000)
        database = self.connect([b'{' * 2000])
        error = self.assertRaises(
            ovsdb.OvsdbError, database.transact, {'op': 'x'}
        )
        self.assertIn('too much', str(error))

    def test_no_updates(self):
        for found in (None, [], {'Port': []}, {'Port': {'a': {'new': 1}}}):
            database = self.connect([answer(1, found)])
            self.assertRaises(
                ovsdb.OvsdbError, database.monitor, {'Port': ('name',)}
            )
            database.close()

    def test_rows(self):
        row = {'name': 'br-int', 'ports': ['set', []]}
        self.assertEqual([row], ovsdb.rows({'rows': [row]}, 'name', 'ports'))
        for result in ({}, {'rows': {}}, {'rows': ['x']}, {'rows': [row]}):
            self.assertRaises(ovsdb.OvsdbError, ovsdb.rows, result, '_uuid')

    def test_nobody(self):
        error = self.assertRaises(
            ovsdb.OvsdbError, ovsdb.Database, '/nowhere/db.sock'
        )
        self.assertIn('No such file', str(error))

    def test_values(self):
        for value, members in (
            (['set', []], []),
            (['set', [1, 2]], [1, 2]),
            (['uuid', 'x'], [['uuid', 'x']]),
            (4095, [4095]),
        ):
            self.assertEqual(members, ovsdb.values(value))
