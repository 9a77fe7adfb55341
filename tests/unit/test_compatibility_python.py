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

"""The node program uses no name that Python 3.6 does not have.

That it is understood and runs there is the matter of
``tests/unit/node/test_oldest.py``, as far as such a Python is to be found.
"""

import pathlib
import subprocess
import sys

import fixtures
import testtools

ROOT = pathlib.Path(__file__).parents[2]
OLDEST = '3.6'


class NamesTest(testtools.TestCase):
    def vermin(self, folder: pathlib.Path) -> tuple[int, str]:
        """Compare each name of the standard library with its first Python."""
        done = subprocess.run(
            [
                *(sys.executable, '-c', 'import vermin; vermin.main()'),
                '--no-tips',
                *('--no-config-file', '--processes=1', '--violations'),
                *(f'--target={OLDEST}-', '--eval-annotations', folder),
            ],
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    def test_node_program(self):
        code, out = self.vermin(ROOT / 'osc_ha_router' / 'node')
        self.assertEqual(0, code, out)

    def test_newer_names_are_noticed(self):
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        for word, source in (
            ('time.time_ns', 'import time\ntime.time_ns()\n'),
            (
                'capture_output',
                'import subprocess\n'
                'subprocess.run(["x"], capture_output=True)\n',
            ),
            ('contextvars', 'import contextvars\n'),
            ('str.removeprefix', 'print("x".removeprefix("x"))\n'),
        ):
            path = folder / word
            path.mkdir()
            (path / 'newer.py').write_text(source)
            code, out = self.vermin(path)
            self.assertNotEqual(0, code, out)
            self.assertIn(word, out)
