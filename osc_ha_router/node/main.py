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

"""The console script ``osc-ha-router-node``."""

import io
import sys
import typing

from osc_ha_router.node import protocol
from osc_ha_router.node import serve

_USAGE = (
    'usage: %s\n'
    '\n'
    'Reads one JSON request per line on standard input and answers in JSON '
    'lines on\n'
    'standard output, until the input ends. It takes no arguments, so that a '
    'rule\n'
    'in sudoers or a forced command in authorized_keys can name it exactly.\n'
) % protocol.PROGRAM


def main(argv: typing.Optional[typing.Sequence[str]] = None) -> int:
    """Serves standard input and output.

    :param argv: the arguments without the program's name; none are taken
    :returns: the exit status: 0, 2 for arguments, 130 when interrupted
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments:
        wanted = arguments in (['-h'], ['--help'])
        print(_USAGE, end='', file=sys.stdout if wanted else sys.stderr)
        return 0 if wanted else 2
    # Streams of its own instead of sys.stdout.buffer: nothing else can write
    # into them, and the interpreter does not flush them again at the end.
    stdin = io.open(0, 'rb', closefd=False)
    stdout = io.open(1, 'wb', closefd=False)
    try:
        serve.serve(stdin, stdout)
    except KeyboardInterrupt:
        # whoever pressed the key needs no traceback
        return 130
    return 0
