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

import ast
import importlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import traceback
from typing import Any
import zlib

import fixtures
import testtools

from osc_ha_router.backends import archive
from osc_ha_router.backends import bootstrap

REQUEST = b'{"id": 1, "op": "no-such-operation"}\n'
SHELLS = (
    *('sh', 'bash', 'dash', 'csh', 'tcsh', 'fish', 'zsh', 'ksh', 'mksh'),
    *('yash', 'rc'),
)


def pythons() -> list[str]:
    """Return every Python 3 that there is on this machine."""
    folders = [
        pathlib.Path(folder) for folder in os.environ['PATH'].split(os.pathsep)
    ]
    folders += pathlib.Path.home().glob('.pyenv/versions/3*/bin')
    found = {
        str(path.resolve())
        for folder in folders
        for path in folder.glob('python3*')
        if re.fullmatch(r'python3(\.\d+)?', path.name)
        # not a script that looks for one, such as the shims of pyenv
        and path.read_bytes()[:2] != b'#!'
    }
    return sorted(found)


class ArchiveTest(testtools.TestCase):
    def converse(self, argv: list[str], **options: object) -> list[object]:
        """Run the program; return what it answers to one request."""
        done = subprocess.run(
            argv,
            input=archive.build() + REQUEST,
            capture_output=True,
            timeout=30,
            **options,  # type: ignore[call-overload]
        )
        self.assertEqual((b'', 0), (done.stderr, done.returncode))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def assert_conversation(self, replies: list[object]) -> None:
        hello, reply = replies
        assert isinstance(hello, dict) and isinstance(reply, dict)
        self.assertEqual(os.uname().nodename, hello['hello']['hostname'])
        self.assertEqual(1, reply['id'])
        self.assertEqual('unknown-op', reply['error']['kind'])

    def test_every_python_of_this_machine(self) -> None:
        found = pythons()
        self.assertNotEqual([], found)
        for python in found:
            with self.subTest(python=python):
                self.assert_conversation(self.converse(archive.words(python)))

    def test_every_shell_of_this_machine(self) -> None:
        found = [shell for shell in SHELLS if shutil.which(shell)]
        self.assertIn('sh', found)
        line = shlex.join(archive.words('python3'))
        for shell in found:
            with self.subTest(shell=shell):
                self.assert_conversation(self.converse([shell, '-c', line]))

    def test_words_need_no_more_than_single_quotes(self) -> None:
        for word in archive.words('python3'):
            self.assertNotRegex(word, r'[\'"$`!\\\n\r^]')

    def test_nothing_is_written_and_nothing_else_is_imported(self) -> None:
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        for name in ('json', 'typing', 'osc_ha_router', 'zlib'):
            (folder / f'{name}.py').write_text('raise SystemExit(name)')
        before = set(folder.rglob('*'))
        environ = {
            'PATH': os.environ['PATH'],
            'HOME': str(folder),
            'PYTHONPATH': str(folder),
            'PYTHONPYCACHEPREFIX': str(folder),
        }
        self.assert_conversation(
            self.converse(archive.words('python3'), cwd=folder, env=environ)
        )
        self.assertEqual(before, set(folder.rglob('*')))

    def test_python_that_is_too_old_says_so(self) -> None:
        script = zlib.decompress(archive.build())
        script = script.replace(b'MINIMUM = (3, 6)', b'MINIMUM = (99, 0)')
        done = subprocess.run(
            ['python3', '-ISB', '-c', archive.STARTER]
            + [str(len(zlib.compress(script)))],
            input=zlib.compress(script),
            capture_output=True,
            timeout=30,
        )
        self.assertEqual((b'', 1), (done.stderr, done.returncode))
        error = json.loads(done.stdout)['error']
        self.assertEqual('python-old', error['kind'])
        self.assertRegex(error['message'], r'^3\.\d+\.\d+$')

    def test_tracebacks_show_lines(self) -> None:
        source = 'def fail():\n    raise ValueError  # this line\n'
        importer = bootstrap.Importer({'sent_along': (False, source)})
        sys.meta_path.insert(0, importer)
        self.addCleanup(sys.meta_path.remove, importer)
        self.addCleanup(sys.modules.pop, 'sent_along', None)
        module = importlib.import_module('sent_along')
        try:
            module.fail()
        except ValueError:
            self.assertIn('# this line', traceback.format_exc())

    def test_size(self) -> None:
        # one window of a connection; more would cost a round trip
        self.assertLess(len(archive.build()), 64 << 10)

    def test_what_no_node_reads_is_left_out(self) -> None:
        source = (
            '# a licence\n\n"""A module.\n\nOf two\nlines.\n"""\n\n\n'
            'class One:\n    """Nothing but words."""\n\n'
            'def two():\n    """Words.\n\n    More words.\n    """\n'
            '    # why\n    return "#" + str(1)  # kept\n'
        )
        bare = archive.bare(source)
        for word in ('licence', 'module', 'words', 'why'):
            self.assertNotIn(word, bare)
        self.assertEqual(source.count('\n'), bare.count('\n'))
        before, after = (text.splitlines() for text in (source, bare))
        self.assertEqual(before[-1], after[-1])
        names: dict[str, Any] = {}
        exec(compile(bare, 'bare', 'exec'), names)
        self.assertEqual('#1', names['two']())
        self.assertIsInstance(names['One'], type)

    def test_nothing_else_is_left_out(self) -> None:
        """What is a docstring is told by the looks of it."""
        folder = pathlib.Path(archive.__file__).parents[1] / 'node'
        for path in folder.glob('*.py'):
            source = path.read_text()
            tree = ast.parse(source)
            for node in ast.walk(tree):
                documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
                if isinstance(node, documented) and ast.get_docstring(node):
                    node.body[0] = ast.Expr(ast.Constant(''))
            bare = archive.bare(source)
            self.assertEqual(
                ast.dump(tree), ast.dump(ast.parse(bare)), path.name
            )
            self.assertEqual(source.count('\n'), bare.count('\n'))

    def test_same_sources_same_bytes(self) -> None:
        first = archive.build()
        archive.build.cache_clear()
        self.assertEqual(first, archive.build())

    def test_all_of_the_program_and_nothing_else(self) -> None:
        script = zlib.decompress(archive.build()).decode()
        call = script.rsplit('\nstart(', 1)[1]
        sources = eval('(' + call)[0]  # its own literal
        folder = pathlib.Path(archive.__file__).parents[1] / 'node'
        expected = {archive.PACKAGE, archive.NODE} | {
            f'{archive.NODE}.{path.stem}'
            for path in folder.glob('*.py')
            if path.stem != '__init__'
        }
        self.assertEqual(expected, set(sources))
        self.assertIn(archive.ENTRY, sources)
