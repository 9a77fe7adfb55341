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

"""Requests: what is accepted, and that nothing else gets through."""

import json

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router.node import errors
from osc_ha_router.node import protocol

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
JSON = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(),
    lambda inner: (
        strategies.lists(inner)
        | strategies.dictionaries(strategies.text(), inner)
    ),
    max_leaves=10,
)


class LineTest(testtools.TestCase):
    def test_object(self):
        self.assertEqual({'id': 1}, protocol.decode(b'{"id": 1}\r\n'))

    def test_refused(self):
        for line in (
            b'\n',
            b'x\n',
            b'[]\n',
            b'null\n',
            b'"probe"\n',
            b'{"id": 1}{"id": 2}\n',
            b'{"id": NaN}\n',
            b'{"id": Infinity}\n',
            b'{"id": %s}\n' % (b'9' * 100_000),
            b'\xff\xfe{}\n',
            b'{"id": "\xe9"}\n',
            b'[' * 100_000 + b'\n',
        ):
            self.assertRaises(errors.BadRequest, protocol.decode, line)

    @hypothesis.given(strategies.binary())
    def test_noise(self, line):
        try:
            self.assertIsInstance(protocol.decode(line), dict)
        except errors.BadRequest as error:
            self.assertEqual('bad-request', error.kind)

    @hypothesis.given(strategies.dictionaries(strategies.text(), JSON))
    def test_replies_are_one_line_of_ascii(self, reply):
        try:
            line = protocol.encode(reply)
        except ValueError:
            # NaN and the infinities have no place in JSON
            self.assertRaises(ValueError, json.dumps, reply, allow_nan=False)
            return
        self.assertEqual(1, line.count(b'\n'))
        self.assertTrue(line.endswith(b'\n'))
        self.assertEqual(reply, json.loads(line.decode('ascii')))


class FieldsTest(testtools.TestCase):
    def test_envelope(self):
        request = protocol.request({'id': 0, 'op': 'probe', 'new': 1})
        self.assertEqual((0, 'probe'), request[:2])
        for fields in (
            {},
            {'id': None, 'op': 'probe'},
            {'id': True, 'op': 'probe'},
            {'id': -1, 'op': 'probe'},
            {'id': 1.0, 'op': 'probe'},
            {'id': '1', 'op': 'probe'},
            {'id': 1},
            {'id': 1, 'op': None},
            {'id': 1, 'op': ['probe']},
        ):
            self.assertRaises(errors.BadRequest, protocol.request, fields)

    def test_routers(self):
        other = UUID.replace('7', '8')
        for value, expected in (
            (None, None),
            ([], []),
            ([other, UUID, other], [other, UUID]),
        ):
            found = protocol.routers({'routers': value}, 'routers')
            self.assertEqual(expected, found)
        self.assertRaises(errors.BadRequest, protocol.routers, {}, 'routers')
        for value in (
            UUID,
            {UUID: 1},
            [None],
            [UUID.upper()],
            [UUID + '\n'],
            [UUID.replace('-', '')],
            ['../../etc/passwd'],
            ['qrouter-' + UUID],
            [UUID + '/../x'],
            [''],
            [['x'] * 1000],
        ):
            self.assertRaises(
                errors.BadRequest,
                protocol.routers,
                {'routers': value},
                'routers',
            )

    @hypothesis.given(strategies.text())
    def test_only_uuids_are_uuids(self, text):
        expected = len(text) == 36 and set(text) <= set('0123456789abcdef-')
        self.assertLessEqual(protocol.is_uuid(text), expected)

    @hypothesis.given(strategies.uuids())
    def test_uuids_are(self, uuid):
        self.assertTrue(protocol.is_uuid(str(uuid)))

    def test_seconds(self):
        for value in (0, 1, 0.5, 60, 60.0):
            found = protocol.seconds({'listen': value}, 'listen', 60)
            self.assertEqual(value, found)
        self.assertEqual(0, protocol.seconds({}, 'listen', 60))
        for value in (-1, 60.1, 1e999, True, None, '5', [5], 10**17):
            self.assertRaises(
                errors.BadRequest,
                protocol.seconds,
                {'listen': value},
                'listen',
                60,
            )

    def test_flag(self):
        self.assertTrue(protocol.flag({'residents': True}, 'residents'))
        self.assertFalse(protocol.flag({'residents': False}, 'residents'))
        self.assertFalse(protocol.flag({}, 'residents'))
        for value in (None, 0, 1, 'true', []):
            self.assertRaises(
                errors.BadRequest,
                protocol.flag,
                {'residents': value},
                'residents',
            )

    def test_router(self):
        self.assertEqual(UUID, protocol.router({'router': UUID}))
        for value in (None, 1, [UUID], UUID.upper(), '../' + UUID, ''):
            self.assertRaises(
                errors.BadRequest, protocol.router, {'router': value}
            )
        self.assertRaises(errors.BadRequest, protocol.router, {})

    def test_text(self):
        for value in ('a', 'x' * 9, 'Zo\xeb at x'):
            self.assertEqual(value, protocol.text({'by': value}, 'by', 9))
        for value in (None, '', 'x' * 10, 'a\nb', 'a\x1b[1m', '\ud800', 7):
            self.assertRaises(
                errors.BadRequest, protocol.text, {'by': value}, 'by', 9
            )
        self.assertRaises(errors.BadRequest, protocol.text, {}, 'by', 9)

    def test_number(self):
        for value in (1, 254):
            found = protocol.number({'x': value}, 'x', 1, 254)
            self.assertEqual(value, found)
        for value in (0, 255, -1, 1.0, True, None, '1'):
            self.assertRaises(
                errors.BadRequest, protocol.number, {'x': value}, 'x', 1, 254
            )
        self.assertRaises(errors.BadRequest, protocol.number, {}, 'x', 1, 2)

    def test_digest(self):
        value = '0123456789abcdef' * 4
        self.assertEqual(value, protocol.digest({'x': value}, 'x'))
        for other in (None, value[1:], value + '0', value.upper(), [value]):
            self.assertRaises(
                errors.BadRequest, protocol.digest, {'x': other}, 'x'
            )
