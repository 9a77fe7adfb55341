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

"""check --nagios: one line, and an exit code that a monitor understands.

Whatever goes wrong with the check itself is UNKNOWN: a monitor would take
the openstack command's own 1 and 2 for WARNING and CRITICAL.
"""

import argparse
from collections.abc import Callable
import logging
import sys
from typing import Any
from typing import NoReturn
from typing import TextIO

from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router.commands import line

LOG = logging.getLogger(__name__)

OPTION = '--nagios'

#: exit code of a check -> the same for a monitor
CODES = {0: 0, 3: 3, 4: 1, 5: 2}


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--nagios``, with which wrong usage is UNKNOWN as well."""
    parser.add_argument(
        OPTION,
        action='store_true',
        help='Print one line for Nagios, and exit with 0 OK, 1 WARNING, '
        '2 CRITICAL or 3 UNKNOWN',
    )
    parse, refuse = parser.parse_known_args, parser.error
    wanted = False

    def parse_known_args(args: Any = None, namespace: Any = None) -> Any:
        nonlocal wanted
        words = sys.argv[1:] if args is None else args
        wanted = OPTION in words
        return parse(args, namespace)

    def error(message: str) -> NoReturn:
        if not wanted:
            refuse(message)
        sys.stdout.write(line.failed(message, _encoding(sys.stdout)) + '\n')
        parser.exit(line.UNKNOWN)

    # the parser is made by cliff, so there is no class to derive from
    parser.parse_known_args = parse_known_args  # type: ignore
    parser.error = error  # type: ignore


def run(
    parsed_args: argparse.Namespace,
    stream: TextIO,
    look: Callable[[], engine.Answer],
    verdict: Callable[[engine.Answer], int],
) -> int:
    """Print the line, whatever happens, and return the exit code.

    :param look: makes the check
    :param verdict: returns the check's exit code for what was found
    """
    encoding = _encoding(stream)
    try:
        if parsed_args.formatter != 'table' or parsed_args.columns:
            raise errors.UsageError(
                f'{OPTION} has a format of its own: leave out -f and -c'
            )
        answer = look()
        state = CODES[verdict(answer)]
        unseen = [shown.host for shown in answer.unseen]
        printed = line.found(answer.reports, state, encoding, unseen)
    except (Exception, KeyboardInterrupt) as exc:
        LOG.debug('The check failed', exc_info=True)
        state, printed = line.UNKNOWN, line.failed(_why(exc), encoding)
    stream.write(printed + '\n')
    return state


def _why(exc: BaseException) -> str:
    if isinstance(exc, KeyboardInterrupt):
        return 'interrupted'
    if isinstance(exc, errors.Error) and str(exc):
        return str(exc)
    return f'{type(exc).__name__}: {exc}'


def _encoding(stream: TextIO) -> str:
    return getattr(stream, 'encoding', None) or 'utf-8'
