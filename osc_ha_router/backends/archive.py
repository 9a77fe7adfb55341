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

"""The node program as one archive, and the words that start it on a node.

The archive is a Python script, compressed with zlib: the text of
``bootstrap.py``, and a call that hands it the sources of
``osc_ha_router.node`` as a literal, without the comments and docstrings that
no node reads, but with every line where it was. The node's Python is given a command
line that reads it from standard input by its length; what follows on the
same stream are the requests.
"""

from collections.abc import Iterator
import functools
import importlib.resources
from importlib.resources import abc
import re
import zlib

PACKAGE = 'osc_ha_router'
NODE = f'{PACKAGE}.node'
#: the module whose ``serve`` is the program
ENTRY = f'{NODE}.serve'

#: No quote, dollar sign, backslash, exclamation mark or newline: inside
#: single quotes this is one and the same word for sh, bash, dash, zsh, csh
#: and fish alike.
STARTER = (
    'import sys,zlib;'
    'exec(zlib.decompress(sys.stdin.buffer.read(int(sys.argv[1]))))'
)

#: I: ignore PYTHON* of the environment and modules in the user's home and in
#: the working directory, which must not run as root; S: no site-packages,
#: which also starts faster; B: write no .pyc files
_FLAGS = '-ISB'

_DOCSTRING = re.compile(r'^( *)"""(?:(?!""").)*"""$', re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r'^ *#.*$', re.MULTILINE)


def words(python: str) -> list[str]:
    """Return the words of the node's command line.

    :param python: name or path of Python on the node
    """
    return [python, _FLAGS, '-c', STARTER, str(len(build()))]


@functools.cache
def build() -> bytes:
    """Return the archive; the same bytes for the same sources."""
    backends = importlib.resources.files(f'{PACKAGE}.backends')
    bootstrap = backends.joinpath('bootstrap.py').read_text('utf-8')
    # the package itself is left empty: the client's half needs the client
    sources = {PACKAGE: (True, '')}
    for name, (is_package, text) in _sources(
        importlib.resources.files(NODE), NODE
    ):
        sources[name] = is_package, bare(text)
    call = f'start({sources!r}, {ENTRY!r})\n'
    return zlib.compress((bootstrap + call).encode('utf-8'), 9)


def bare(source: str) -> str:
    """Return a source without docstrings and without lines of comment.

    A docstring is what begins a line with three quotes, and nothing else in
    the node program does: to parse all of it would take a tenth of a second of
    each check. The lines stay, empty: a traceback from a node names the lines
    of the files here.
    """
    # something has to stand there, if it is all that there is
    quiet = _DOCSTRING.sub(
        lambda found: f"{found[1]}''" + '\n' * found[0].count('\n'), source
    )
    return _COMMENT.sub('', quiet)


def _sources(
    folder: abc.Traversable, package: str
) -> Iterator[tuple[str, tuple[bool, str]]]:
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            if item.joinpath('__init__.py').is_file():
                yield from _sources(item, f'{package}.{item.name}')
        elif item.name == '__init__.py':
            yield package, (True, item.read_text('utf-8'))
        elif item.name.endswith('.py'):
            name = f'{package}.{item.name.removesuffix(".py")}'
            yield name, (False, item.read_text('utf-8'))
