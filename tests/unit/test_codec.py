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

"""Frozen dataclasses to JSON and back."""

import dataclasses
import json

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router import capture
from osc_ha_router import codec
from osc_ha_router import text
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view
from tests.unit import captures
from tests.unit import strategies as model

json_values = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(max_size=5),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(
            strategies.text(max_size=5), inner, max_size=3
        )
    ),
    max_leaves=10,
)
SHAPES = (
    capture.Capture,
    claim.Claims,
    report.Report,
    view.HostView,
    view.NodeView,
)


@dataclasses.dataclass(frozen=True)
class Point:
    """Every kind of field that the model may have."""

    word: str
    number: int
    measure: float
    flag: bool
    maybe: str | None
    words: tuple[str, ...]
    points: tuple['Point', ...] = ()
    severity: str = 'OK'


FULL = Point('a', 1, 1.5, True, None, ('b',))
JSON = {
    'word': 'a',
    'number': 1,
    'measure': 1.5,
    'flag': True,
    'maybe': None,
    'words': ['b'],
}


class EncodeTest(testtools.TestCase):
    def test_plain_values(self):
        self.assertEqual(
            JSON | {'points': [], 'severity': 'OK'}, codec.encode(FULL)
        )

    def test_enums_by_value(self):
        self.assertEqual(
            ['OK', 'stale'],
            json.loads(
                json.dumps(
                    codec.encode((report.Severity.OK, report.Observed.STALE))
                )
            ),
        )


class DecodeTest(testtools.TestCase):
    def refused(self, message, **changes):
        exc = self.assertRaises(
            codec.DecodeError, codec.decode, Point, JSON | changes
        )
        self.assertEqual(message, str(exc))

    def test_whole(self):
        self.assertEqual(FULL, codec.decode(Point, JSON))

    def test_nested(self):
        found = codec.decode(Point, JSON | {'points': [JSON, JSON]})
        self.assertEqual((FULL, FULL), found.points)

    def test_unknown_keys_are_left_out(self):
        self.assertEqual(FULL, codec.decode(Point, JSON | {'newer': [1]}))

    def test_whole_numbers_are_good_for_float(self):
        found = codec.decode(Point, JSON | {'measure': 2})
        self.assertIsInstance(found.measure, float)

    def test_missing(self):
        data = dict(JSON)
        del data['number']
        exc = self.assertRaises(codec.DecodeError, codec.decode, Point, data)
        self.assertEqual('Point: number is missing', str(exc))

    def test_names_the_place(self):
        self.refused(
            'Point.points[1].word: expected str',
            points=[JSON, JSON | {'word': 1}],
        )

    def test_wrong_types(self):
        self.refused('Point.number: expected int', number=True)
        self.refused('Point.number: expected int', number=1.0)
        self.refused('Point.measure: expected float', measure=float('nan'))
        self.refused('Point.measure: expected float', measure=float('inf'))
        self.refused('Point.measure: expected float', measure='1')
        self.refused('Point.flag: expected bool', flag=1)
        self.refused('Point.word: expected str', word=None)
        self.refused('Point.words: expected a list', words='b')
        self.refused('Point.points[0]: expected an object', points=[[]])

    def test_number_beyond_any_float(self):
        self.refused('Point.measure: expected float', measure=10**400)

    def test_enums(self):
        whole = codec.encode(
            report.Finding(
                'RHA1', 'x', report.Severity.OK, None, 'a', 'b', 'c'
            )
        )
        found = codec.decode(report.Finding, whole)
        self.assertIs(report.Severity.OK, found.severity)
        for value in ('ok', 'GOOD', '', 0, None, True, ['OK'], {}):
            exc = self.assertRaises(
                codec.DecodeError,
                codec.decode,
                report.Finding,
                whole | {'severity': value},
            )
            self.assertEqual(
                'Finding.severity: expected one of OK, INFO, UNKNOWN, '
                'WARNING, ERROR',
                str(exc),
            )

    def test_text_is_cleaned(self):
        found = codec.decode(Point, JSON | {'word': '\x1b[2J', 'maybe': '\n'})
        self.assertEqual((r'\x1b[2J', r'\n'), (found.word, found.maybe))

    @hypothesis.given(json_values)
    def test_nothing_but_decode_error(self, data):
        for shape in SHAPES:
            try:
                codec.decode(shape, data)
            except codec.DecodeError:
                pass

    @hypothesis.given(model.of(view.HostView), strategies.data())
    def test_spoilt_in_one_place(self, shown, data):
        """A right shape with one value replaced by any other."""
        encoded = codec.encode(shown)
        place = encoded
        while True:
            keys = (
                list(place)
                if isinstance(place, dict)
                else list(range(len(place)))
            )
            key = data.draw(strategies.sampled_from(keys))
            inner = place[key]
            if not (
                isinstance(inner, (dict, list))
                and inner
                and data.draw(strategies.booleans())
            ):
                break
            place = inner
        place[key] = data.draw(json_values)
        try:
            found = codec.decode(view.HostView, encoded)
        except codec.DecodeError:
            return
        # what was let in is of the right types, so it comes back the same
        again = codec.decode(view.HostView, codec.encode(found))
        self.assertEqual(found, again)


class LoadsTest(testtools.TestCase):
    """The quick way in; ``decode`` is the measure."""

    def assert_same(self, cls, data):
        """The same object, or the same words about the same place."""
        text = json.dumps(data).encode()
        try:
            expected = codec.decode(cls, data)
        except codec.DecodeError as exc:
            expected = str(exc)
        try:
            found = codec.loads(cls, text)
        except codec.DecodeError as exc:
            found = str(exc)
        self.assertEqual(expected, found)

    def test_whole(self):
        self.assert_same(Point, JSON)
        self.assert_same(Point, JSON | {'points': [JSON], 'newer': [{}]})

    def test_wrong_types(self):
        for name in JSON:
            for value in (None, True, 1, 1.0, 1.5, 10**30, 10**400, '1', [1]):
                self.assert_same(Point, JSON | {name: value})
            self.assert_same(
                Point, {k: v for k, v in JSON.items() if k != name}
            )

    def test_enums(self):
        finding = {
            'code': 'RHA101',
            'name': '',
            'severity': 'ERROR',
            'host': None,
            'summary': '',
            'hint': '',
            'documentation_url': '',
        }
        for severity in ('ERROR', 'error', 1, True, None):
            self.assert_same(report.Finding, finding | {'severity': severity})

    def test_text(self):
        for word in (
            'ü €',
            '\U0001f600',
            '"\\/',
            '\x1b[2J',
            '\x7f',
            '\n',
            '\u202e',
            '\ud83d',
            '\\u001b',
        ):
            self.assert_same(Point, JSON | {'word': word})
            text = json.dumps(JSON | {'word': word}, ensure_ascii=False)
            if word.isprintable():
                found = codec.loads(Point, text.encode())
                self.assertEqual(word, found.word)

    def test_raw_text_is_cleaned(self):
        text = json.dumps(JSON | {'word': 'x\u202ey'}, ensure_ascii=False)
        self.assertEqual(r'x\u202ey', codec.loads(Point, text.encode()).word)

    @hypothesis.given(strategies.text())
    def test_any_text(self, word):
        self.assert_same(Point, JSON | {'word': word})

    @hypothesis.given(strategies.text())
    def test_plain_is_what_cleaning_leaves_alone(self, word):
        for ascii_only in (True, False):
            written = json.dumps(word, ensure_ascii=ascii_only)
            try:
                data = written.encode()
            except UnicodeEncodeError:
                continue
            if codec.plain(data):
                self.assertEqual(word, text.clean(word))
            elif '\\' not in written:
                self.assertNotEqual(word, text.clean(word))

    @hypothesis.given(strategies.binary())
    def test_any_bytes(self, data):
        self.assertRaises(codec.DecodeError, codec.loads, Point, data)

    @hypothesis.given(json_values)
    def test_any_json(self, data):
        for cls in (claim.Claims, view.NodeView):
            self.assert_same(cls, data)

    @hypothesis.given(model.of(view.NodeView))
    def test_views(self, shown):
        self.assert_same(view.NodeView, codec.encode(shown))
        text = codec.dumps(shown)
        self.assertEqual(codec.encode(shown), json.loads(text))
        self.assertEqual(shown, codec.loads(view.NodeView, text))

    @hypothesis.given(model.routers)
    def test_routers(self, router):
        self.assertEqual(
            router, codec.loads(claim.Router, codec.dumps(router))
        )


class RoundTripTest(testtools.TestCase):
    def test_reports(self):
        for name in ('healthy', 'incident', 'sshd-stopped'):
            looked = captures.load(name)
            for router in looked.claims.routers:
                found = verdict.judge(router, looked.hosts)
                self.assert_round_trip(found)

    def assert_round_trip(self, value):
        data = json.loads(json.dumps(codec.encode(value)))
        self.assertEqual(value, codec.decode(type(value), data))

    @hypothesis.given(model.routers)
    def test_routers(self, router):
        self.assert_round_trip(router)

    @hypothesis.given(model.of(view.HostView))
    def test_hosts(self, shown):
        self.assert_round_trip(shown)
