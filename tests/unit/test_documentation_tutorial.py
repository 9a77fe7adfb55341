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

"""The tutorial, word for word: its commands print what it shows."""

import importlib.util
import pathlib
import re

import testtools

import osc_ha_router

DOC = pathlib.Path(osc_ha_router.__file__).parents[1] / 'doc'
SOURCE = DOC / 'source'
#: what needs neither a cloud nor a router of its own
ALONE = ('example:', ' finding ')


def samples():
    """Return doc/samples.py, which is not part of a package."""
    spec = importlib.util.spec_from_file_location(
        'samples', DOC / 'samples.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(page: str) -> list[pathlib.Path]:
    """Return the files of the outputs that a page shows."""
    text = (SOURCE / page).read_text('utf-8')
    return [
        (SOURCE / page).parent / name
        for name in re.findall(r'literalinclude:: (\S*samples/\S+)', text)
    ]


class TestTutorial(testtools.TestCase):
    """What a newcomer types first."""

    def test_its_commands_print_what_it_shows(self):
        machine = samples()
        tried = 0
        for path in shown('tutorial.rst'):
            command = machine.command_of(path)
            if not any(word in command for word in ALONE):
                continue
            with self.subTest(command=command):
                self.assertEqual(path.read_text('utf-8'), machine.run(command))
            tried += 1
        self.assertGreaterEqual(tried, 6)

    def test_the_first_part_needs_no_cloud(self):
        first, _, _ = (
            (SOURCE / 'tutorial.rst')
            .read_text('utf-8')
            .partition('\nOn the lab\n')
        )
        for name in re.findall(r'literalinclude:: (\S+)', first):
            with self.subTest(name=name):
                command, _, _ = (SOURCE / name).read_text().partition('\n')
                self.assertTrue(any(word in command for word in ALONE))

    def test_the_readme_shows_what_is_true(self):
        _, is_, should = samples().readme()
        self.assertEqual(should, is_)
