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

"""What runs first on a node when the node program is sent along.

``archive.py`` sends this file's text, followed by a call of ``start``. It
runs as ``__main__`` of the node's Python, whatever that is: the syntax is
that of Python 3.0, so that one that is too old can still say so. The sources
of the node program live in memory only; nothing is written on the node.
"""

import importlib
import importlib.machinery
import sys
import types

MINIMUM = (3, 6)


class Importer:
    """Finds and loads the modules whose sources are in a dict.

    Not derived from the classes of importlib.abc, because importing that
    takes longer than all else that is done here.
    """

    def __init__(self, sources: 'dict[str, tuple[bool, str]]') -> None:
        #: module name to (is it a package, source text)
        self.sources = sources

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> 'importlib.machinery.ModuleSpec | None':
        """Return the module's spec, None where another finder has to."""
        if name not in self.sources:
            return None
        return importlib.machinery.ModuleSpec(
            name,
            self,  # type: ignore[arg-type]
            origin=self.origin(name),
            is_package=self.sources[name][0],
        )

    def create_module(self, spec: object) -> None:
        """Leave it to the import system."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Run a module's source."""
        origin = self.origin(module.__name__)
        source = self.get_source(module.__name__)
        code = compile(source, origin, 'exec', 0, True)
        # what was sent along, over the channel that ssh has made sure of
        exec(code, module.__dict__)  # noqa: S102 # nosec B102

    def get_source(self, name: str) -> str:
        """Return a module's source; tracebacks ask for it, too."""
        return self.sources[name][1]

    def origin(self, name: str) -> str:
        """Return what a traceback calls the file of a module."""
        return '<sent along>/' + name.replace('.', '/') + '.py'


def start(sources: 'dict[str, tuple[bool, str]]', entry: str) -> None:
    """Make the sources importable and hand the standard streams over.

    :param sources: module name to (is it a package, source text)
    :param entry: name of the module whose ``serve`` is called with the
        binary standard input and output
    """
    if sys.version_info < MINIMUM:
        sys.stdout.write(
            '{"error": {"kind": "python-old", "message": "%d.%d.%d"}}\n'  # noqa: UP031
            % sys.version_info[:3]
        )
        sys.stdout.flush()
        sys.exit(1)
    sys.meta_path.insert(0, Importer(sources))
    module = importlib.import_module(entry)
    module.serve(sys.stdin.buffer, sys.stdout.buffer)
