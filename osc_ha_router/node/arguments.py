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

"""What command lines tell: which program, which router, which files."""

import os
import re
import typing

#: what Neutron runs in a router's namespace, and the option with which each
#: is given its configuration file
CONFIG = {
    'keepalived': ('-f', '--use-file'),
    'radvd': ('-C', '--config'),
    'haproxy': ('-f', '-f'),
    'conntrackd': ('-C', '--config'),
}
_MONITOR = 'neutron-keepalived-state-change'
_ROUTER = re.compile(
    '--router_id[= ]'
    '([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})'
    '(?![^ )])'
)
_CONF = re.compile(
    '(/[^ ]*/ha_confs/'
    '([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}))'
    '/keepalived[.]conf'
)
_INTERPRETER = re.compile('(python[0-9.]*|(ba|da)?sh|busybox)')


def program(argv: typing.Sequence[str]) -> str:
    """The name of the program that a command line starts."""
    first = argv[0].split() if argv else []
    return os.path.basename(first[0]) if first else ''


def monitored(argv: typing.Sequence[str]) -> typing.Optional[str]:
    """The router whose state-change monitor this command line starts.

    The monitor is a Python program, one that changed its title to a single
    word with the real command line in it, or a shell script. What merely
    carries its command line as arguments (sudo, rootwrap, ip netns exec) is
    no monitor.
    """
    tokens = ' '.join(argv).split()
    if tokens and _INTERPRETER.fullmatch(os.path.basename(tokens[0])):
        tokens = tokens[1:]
        while tokens and tokens[0].startswith('-'):
            tokens = tokens[1:]
    if not tokens or os.path.basename(tokens[0]) != _MONITOR:
        return None
    match = _ROUTER.search(' '.join(tokens[1:]))
    return match.group(1) if match else None


def followed(
    argv: typing.Sequence[str],
) -> typing.Optional[typing.Tuple[str, str]]:
    """The folder and the router of a keepalived of Neutron's."""
    if program(argv) != 'keepalived':
        return None
    match = _CONF.search(' '.join(argv))
    return (match.group(1), match.group(2)) if match else None


def option(
    argv: typing.Sequence[str], short: str, long: str
) -> typing.Optional[str]:
    """The value of an option on a command line, in any of its spellings."""
    for index, word in enumerate(argv[1:], 1):
        if word in (short, long):
            return argv[index + 1] if index + 1 < len(argv) else None
        if word.startswith(long + '='):
            return word[len(long) + 1 :]
        if word.startswith(short) and not word.startswith('--'):
            return word[len(short) :]
    return None


def configuration(argv: typing.Sequence[str]) -> typing.Optional[str]:
    """The absolute path a keepalived was started with, None for others."""
    if program(argv) != 'keepalived':
        return None
    path = option(argv, *CONFIG['keepalived'])
    return path if path and path.startswith('/') else None
