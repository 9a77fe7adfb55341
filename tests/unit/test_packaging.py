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

"""What setup.cfg and the lists of requirements say, against the tree."""

import configparser
import importlib
import pathlib

from packaging import requirements
from packaging import specifiers
from packaging import utils
import testtools

ROOT = pathlib.Path(__file__).parents[2]
#: nothing older is written for, nothing newer was tried
PYTHONS = ('3.11', '3.12', '3.13')


def setup() -> configparser.ConfigParser:
    """Return setup.cfg, with names as they are written."""
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / 'setup.cfg')
    return parser


def lines(text: str) -> list[str]:
    """Return the lines that say something, without comments."""
    bare = (line.partition('#')[0].strip() for line in text.splitlines())
    return [line for line in bare if line]


def read(text: str) -> dict[str, requirements.Requirement]:
    """Return requirements by their names in one spelling."""
    found = map(requirements.Requirement, lines(text))
    return {utils.canonicalize_name(item.name): item for item in found}


def promised() -> dict[str, requirements.Requirement]:
    """Return what the client and the agent require."""
    client = read((ROOT / 'requirements.txt').read_text())
    agent = read(setup()['extras']['agent'])
    return {**client, **agent}


def lowest(item: requirements.Requirement) -> str:
    """Return a requirement's lower bound; there must be one, and no more."""
    (bound,) = item.specifier
    assert bound.operator == '>=', item
    return bound.version


class RequirementsTest(testtools.TestCase):
    def test_each_has_a_lower_bound_and_no_other(self):
        for item in promised().values():
            lowest(item)

    def test_lower_constraints_are_the_lower_bounds(self):
        text = (ROOT / 'lower-constraints.txt').read_text()
        self.assertEqual(
            {name: f'=={lowest(item)}' for name, item in promised().items()},
            {name: str(item.specifier) for name, item in read(text).items()},
        )

    def test_constraints_are_within_the_bounds(self):
        pinned = read((ROOT / 'constraints.txt').read_text())
        wanted = promised()
        wanted |= read((ROOT / 'test-requirements.txt').read_text())
        wanted |= read((ROOT / 'doc' / 'requirements.txt').read_text())
        for name, item in wanted.items():
            (pin,) = pinned[name].specifier
            self.assertIn(pin.version, item.specifier, name)

    def test_client_has_nothing_of_the_agent(self):
        """Whoever only asks needs no web server and no oslo."""
        client = read((ROOT / 'requirements.txt').read_text())
        agent = read(setup()['extras']['agent'])
        self.assertEqual(set(), client.keys() & agent.keys())


class PythonTest(testtools.TestCase):
    def test_classifiers(self):
        prefix = 'Programming Language :: Python :: 3.'
        found = [
            line.rpartition(' ')[2]
            for line in lines(setup()['metadata']['classifier'])
            if line.startswith(prefix)
        ]
        self.assertEqual(list(PYTHONS), found)

    def test_lower_bound(self):
        bound = specifiers.SpecifierSet(setup()['metadata']['python_requires'])
        self.assertEqual(specifiers.SpecifierSet('>=' + PYTHONS[0]), bound)


class EntryPointsTest(testtools.TestCase):
    def test_each_is_there(self):
        found = 0
        for group, text in setup()['entry_points'].items():
            for line in lines(text):
                module, _, name = line.partition('=')[2].partition(':')
                loaded = importlib.import_module(module.strip())
                if name:
                    self.assertTrue(
                        callable(getattr(loaded, name)), f'{group}: {line}'
                    )
                found += 1
        self.assertGreater(found, 15)

    def test_service_starts_a_script_of_ours(self):
        unit = ROOT / 'etc' / 'systemd' / 'osc-ha-router-agent.service'
        ((start, *arguments),) = (
            line.partition('=')[2].split()
            for line in unit.read_text().splitlines()
            if line.startswith('ExecStart=')
        )
        # a file that is named would come after those of agent.conf.d
        self.assertEqual([], arguments)
        scripts = lines(setup()['entry_points']['console_scripts'])
        self.assertIn(
            pathlib.Path(start).name,
            [script.partition('=')[0].strip() for script in scripts],
        )


class DataFilesTest(testtools.TestCase):
    def test_each_pattern_has_files(self):
        for line in lines(setup()['files']['data_files']):
            pattern = line.partition('=')[2].strip()
            self.assertNotEqual([], list(ROOT.glob(pattern)), pattern)
