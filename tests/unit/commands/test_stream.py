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
"""Long lists: row by row for people, and the same JSON as ever."""

import io
import json
import queue
import threading
import time

from cliff.formatters import json_format
from cliff.formatters import table
import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router.commands import columns
from osc_ha_router.commands import stream

NAMES = ('Name', 'Health', 'Findings')
cells = strategies.text(
    strategies.characters(
        whitelist_categories=('Lu', 'Ll', 'Nd'), max_codepoint=0x2FF
    ),
    max_size=8,
)


class Options:
    print_empty = False
    max_width = 0
    fit_width = False
    noindent = False


def pieces(rows, **options):
    """Return what is written, piece by piece."""
    found = []
    widths = dict.fromkeys(NAMES, 8)
    with stream.Printer(found.append, NAMES, widths, **options) as printer:
        for row in rows:
            printer.add(row)
    return found


class PrintedTest(testtools.TestCase):
    def assert_whole(self, rows, text):
        """The pieces make the table that cliff would print."""
        out = io.StringIO()
        # rows of full width, so that both have the same
        filled = [*rows, ['x' * 8] * 3]
        table.TableFormatter().emit_list(NAMES, filled, out, Options())
        expected = out.getvalue().splitlines()
        del expected[-2]
        self.assertEqual(expected, text.splitlines())

    def test_as_cliff_prints_it(self):
        for count in (1, 2, 199, 200, 201, 450):
            rows = [[f'r{n}', 'OK', ''] for n in range(count)]
            self.assert_whole(rows, ''.join(pieces(rows)))

    @hypothesis.given(
        strategies.lists(
            strategies.tuples(cells, cells, cells), min_size=1, max_size=10
        )
    )
    def test_whatever_is_in_it(self, rows):
        text = ''.join(pieces(rows, batch=1))
        self.assert_whole([list(row) for row in rows], text)

    def test_long_cells_are_wrapped(self):
        rows = [['r1', 'OK', ''], ['r2', 'OK', 'one two three four']]
        text = ''.join(pieces(rows, batch=1))
        self.assertEqual(
            {len(text.splitlines()[0])},
            {len(line) for line in text.splitlines()},
        )
        self.assertIn('| one two  |', text)
        self.assertIn('| three    |', text)

    def test_lists(self):
        rows = [['r1', 'OK', ''], ['r2', 'OK', columns.Lines(['a', 'b'])]]
        text = ''.join(pieces(rows, batch=1))
        self.assertIn('| r2       | OK       | a        |', text)
        self.assertIn('|          |          | b        |', text)

    def printer(self, write, **options):
        return stream.Printer(write, NAMES, dict.fromkeys(NAMES, 8), **options)

    def test_as_soon_as_there_are_enough(self):
        found = []
        with self.printer(found.append, pause=60) as printer:
            for number in range(199):
                printer.add([f'r{number}', 'OK', ''])
            self.assertEqual([], found)
            printer.add(['r199', 'OK', ''])
            self.assertEqual(1, len(found))

    def test_while_whoever_has_the_rows_waits(self):
        """Nobody has to wait for the next row to see the last one."""
        written = queue.Queue()
        with self.printer(written.put, pause=0.1) as printer:
            for number in range(4):
                printer.add([f'r{number}', 'OK', ''])
                self.assertIn(f'| r{number} ', written.get(timeout=30))

    def test_nothing_after_an_error(self):
        found = []
        printer = self.printer(found.append, pause=0.1)
        with testtools.ExpectedException(ZeroDivisionError), printer:
            printer.add(['r0', 'OK', ''])
            raise ZeroDivisionError
        time.sleep(0.3)
        self.assertEqual([], found)

    def test_nobody_reads_it_any_more(self):
        """The one with the rows hears of it, whoever has tried to write."""
        tried = threading.Event()

        def write(piece):
            tried.set()
            raise BrokenPipeError

        def work():
            with self.printer(write, pause=0.05) as printer:
                for number in range(1000):
                    printer.add([f'r{number}', 'OK', ''])
                    tried.wait(30)
                    time.sleep(0.02)

        self.assertRaises(BrokenPipeError, work)

    def test_none(self):
        text = ''.join(pieces([]))
        self.assertEqual(4, len(text.splitlines()))


class WidthsTest(testtools.TestCase):
    def test_what_may_be_in_them(self):
        self.assertEqual(
            {'Name': 12, 'Health': 6, 'Findings': 30},
            stream.widths(NAMES, {'Name': 12, 'Findings': 30}, None),
        )

    def test_narrow_terminal(self):
        found = stream.widths(NAMES, {'Name': 12, 'Findings': 30}, 50)
        self.assertEqual(50, sum(found.values()) + 3 * len(NAMES) + 1)
        self.assertEqual(12, found['Name'])

    def test_very_narrow_terminal(self):
        found = stream.widths(NAMES, {'Name': 12, 'Findings': 30}, 20)
        self.assertGreaterEqual(found['Findings'], 8)

    def test_wide_terminal(self):
        self.assertEqual(
            stream.widths(NAMES, {'Name': 12}, None),
            stream.widths(NAMES, {'Name': 12}, 500),
        )


class DocumentTest(testtools.TestCase):
    def assert_same(self, rows):
        out = io.StringIO()
        json_format.JSONFormatter().emit_list(NAMES, rows, out, Options())
        found = stream.document(NAMES, rows)
        if found is None:
            return False
        self.assertEqual(out.getvalue(), found + '\n')
        return True

    def test_the_same_as_ever(self):
        self.assertTrue(
            self.assert_same(
                [
                    ['r1', 'OK', columns.Lines([])],
                    ['r"2\\', 'x', columns.Lines([{'a': None, 'b': [1.5]}])],
                    [None, True, columns.Lines([{}])],
                ]
            )
        )
        self.assertTrue(self.assert_same([]))

    def test_beyond_ascii(self):
        self.assertFalse(self.assert_same([['ü', 'OK', '']]))

    @hypothesis.given(
        strategies.lists(
            strategies.lists(
                strategies.none()
                | strategies.booleans()
                | strategies.integers(-(2**60), 2**60)
                | strategies.text(),
                min_size=3,
                max_size=3,
            )
        )
    )
    @hypothesis.example([['\x7f', 'OK', None]])
    def test_whatever_there_is(self, rows):
        try:
            self.assert_same(rows)
        except UnicodeEncodeError:
            # half a character, which no text of ours has
            pass

    def test_is_json(self):
        rows = [['r1', 'OK', columns.Lines(['a'])]]
        self.assertEqual(
            [{'Name': 'r1', 'Health': 'OK', 'Findings': ['a']}],
            json.loads(stream.document(NAMES, rows)),
        )
