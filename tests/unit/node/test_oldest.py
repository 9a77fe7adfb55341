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

"""The program under the oldest Python that it promises to run on."""

import ast
import json
import os
import pathlib
import shutil
import subprocess
import sys

import testtools

ROOT = pathlib.Path(__file__).parents[3]
NODE = ROOT / 'osc_ha_router' / 'node'
OLDEST = (3, 6)


def interpreters() -> list[str]:
    """Every Python from 3.6 that can be found, at least our own."""
    found = [sys.executable]
    pyenv = pathlib.Path(os.environ.get('PYENV_ROOT', '~/.pyenv'))
    for minor in range(6, 20):
        name = f'python3.{minor}'
        path = shutil.which(name)
        if path is not None:
            found.append(path)
        versions = pyenv.expanduser() / 'versions'
        found += map(str, versions.glob(f'3.{minor}.*/bin/{name}'))
    # what is found may be a wrapper without a Python behind it
    return [
        path
        for path in found
        if not subprocess.run([path, '-c', ''], capture_output=True).returncode
    ]


class SyntaxTest(testtools.TestCase):
    def test_every_file(self):
        paths = sorted(NODE.glob('*.py'))
        self.assertGreater(len(paths), 10)
        for path in paths:
            # refuses what came into the grammar later
            tree = ast.parse(
                path.read_text(), str(path), feature_version=OLDEST
            )
            self._check_imports(path, tree)

    def _check_imports(self, path, tree):
        """Nothing but the standard library and the package itself."""
        for statement in ast.walk(tree):
            modules = []
            if isinstance(statement, ast.Import):
                modules = [alias.name for alias in statement.names]
            elif isinstance(statement, ast.ImportFrom):
                self.assertEqual(0, statement.level, path)
                modules = [statement.module]
            for module in modules:
                self.assertIn(
                    module,
                    {'osc_ha_router.node'} | STANDARD,
                    f'{path}: {module}',
                )


#: all of them are in Python 3.6
STANDARD = frozenset(
    'base64 binascii contextlib ctypes errno fcntl functools hashlib '
    'importlib io ipaddress json math os re resource select selectors signal socket stat '
    'struct subprocess sys threading time typing'.split()
)


class ConversationTest(testtools.TestCase):
    def test_every_python(self):
        for path in interpreters():
            self._converse(path)

    def _converse(self, python):
        result = subprocess.run(
            [python, '-B', '-m', 'osc_ha_router.node'],
            input=b'{"id": 1, "op": "probe", "routers": []}\nx\n',
            capture_output=True,
            cwd=ROOT,
            timeout=60,
        )
        self.assertEqual(b'', result.stderr, python)
        self.assertEqual(0, result.returncode, python)
        hello, reply, error = map(json.loads, result.stdout.splitlines())
        self.assertEqual('osc-ha-router-node', hello['hello']['program'])
        self.assertIsNone(error['id'])
        if os.geteuid() == 0:
            self.assertIn('end', reply, python)
        else:
            self.assertEqual('no-rights', reply['error']['kind'], python)
