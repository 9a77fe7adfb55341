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

"""What the commands that change something share: to say, to ask, who."""

import argparse
import getpass
import os
import socket
import sys
import textwrap
from typing import Any
from typing import TYPE_CHECKING

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.commands import base

if TYPE_CHECKING:
    from collections.abc import Callable

    from openstack import connection

    from osc_ha_router.cloud import changes

#: characters; the node program takes more, but of a refusal that names this
#: together with router and time no more is shown than fits on a line
_BY_LIMIT = 80


class Act:
    """A mixin for commands that tell what they do, and ask before."""

    app: Any
    #: of ``base.Reach``
    connect: 'Callable[[], connection.Connection]'

    def _changes(self) -> 'changes.Changes':
        """Return how Neutron is changed."""
        # brings the SDK, which most of what is done goes without
        from osc_ha_router.cloud import changes

        return changes.Changes(self.connect())

    def tell(self, phase: str, message: str) -> None:
        """Say on standard error what goes on, unless --quiet was given."""
        if self.app.options.verbose_level > 0:
            sys.stderr.write(f'{phase}: {text.clean(message)}\n')


def add_options(parser: argparse.ArgumentParser, *, ignore: str) -> None:
    """Add what is said to do it without asking, or in spite of findings.

    :param ignore: what happens in spite of a finding that is ignored
    """
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='Show what would be done, and do nothing',
    )
    parser.add_argument(
        '--auto-approve',
        action='store_true',
        help='Do not ask before it is done',
    )
    parser.add_argument(
        '--ignore',
        metavar='<code>',
        type=base.code,
        action='append',
        default=[],
        help=f'{ignore} (repeat for several)',
    )


def asks(parsed_args: argparse.Namespace, deed: str) -> bool:
    """Return whether to ask before; refuse at once where nobody is there.

    :param deed: what the command does, such as "This moves a router"
    :raises Refused: to be asked, and standard input is not a terminal
    """
    if parsed_args.dry_run or parsed_args.auto_approve:
        return False
    if not sys.stdin.isatty():
        raise errors.Refused(
            f'{deed}, and there is no terminal to ask on.\n'
            'Say --auto-approve, or --dry-run to see what it would do.'
        )
    return True


def confirm(question: str) -> None:
    """Ask; anything but yes is a no.

    :raises Refused: it was a no
    """
    sys.stderr.write(f'confirm: {text.clean(question)} [y/N] ')
    sys.stderr.flush()
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        answer = ''
    if answer.strip().lower() not in ('y', 'yes'):
        raise errors.Refused('Not confirmed: nothing was done.')


def author() -> str:
    """Return who is doing this, for whoever is refused meanwhile."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    name = text.clean(f'{user} on {socket.gethostname()}, pid {os.getpid()}')
    return name[:_BY_LIMIT]


def wrapped(begin: str, words: str, width: int) -> list[str]:
    """Return a sentence as lines below a table, the first with a mark."""
    return textwrap.wrap(
        words,
        max(width, 40),
        initial_indent=begin,
        subsequent_indent=' ' * min(len(begin), 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def rounded(seconds: float | None) -> float | None:
    """Return a duration as it is shown."""
    return None if seconds is None else round(seconds, 2)
