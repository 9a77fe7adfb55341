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

"""The command line of ssh for one host, word by word.

Nothing here is ever given to a local shell. Host names come from the API:
they are checked before use, and stand behind ``--``. The words for the node
are quoted, because sshd gives them to the login shell there.
"""

import dataclasses
import os
import re
import shlex

from osc_ha_router import config
from osc_ha_router import text
from osc_ha_router.backends import archive
from osc_ha_router.backends import failures

#: RFC 1123 with underscores, which some sites have. No leading dash (an
#: option), no '@' (another user), no '%' (a token of ssh_config), no ':' or
#: '/' (a URI), nothing that a shell in a ProxyCommand would act on.
_LABEL = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'
_NAME = re.compile(rf'{_LABEL}(?:\.{_LABEL})*')
_NAME_LIMIT = 253

#: VERBOSE: the level at which ssh says that it is logged in, which tells
#: a slow connection from a slow node; whatever ssh_config has, QUIET would
#: hide the reason of every failure.
#: RemoteCommand, PermitLocalCommand, UpdateHostKeys: ssh_config may have
#: them for interactive use; they would replace the command, write into its
#: output, and change known_hosts.
_OPTIONS = (
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    'ClearAllForwardings=yes',
    'ForwardAgent=no',
    'ForwardX11=no',
    'RequestTTY=no',
    'RemoteCommand=none',
    'PermitLocalCommand=no',
    'UpdateHostKeys=no',
    'LogLevel=VERBOSE',
    'SendEnv=LC_ALL',
)


@dataclasses.dataclass(frozen=True)
class Command:
    """How to reach one host."""

    #: of the local ssh
    argv: tuple[str, ...]
    #: what is sent before the first request
    preamble: bytes
    #: the first word of become, or empty
    become: str
    #: what is run on the node: Python, or the installed program
    program: str
    #: whether the program is sent along
    shipped: bool


def place(settings: config.Settings, host: str) -> failures.Place:
    """Return what the sentences about a host can name, whatever its name."""
    try:
        name = destination(settings.ssh_host, host)
    except failures.Broken:
        name = host
    user = settings.ssh_user
    login = f'{user}@{name}' if user else name
    by_hand = ['ssh', *_configured(settings), login]
    return failures.Place(
        host=text.one_line(host),
        login=text.one_line(login),
        user=text.one_line(user) if user else 'the SSH user',
        account=text.one_line(user) if user else '<user>',
        ssh=text.one_line(shlex.join(by_hand)),
        program=settings.node_program or settings.node_python,
    )


def build(settings: config.Settings, host: str, seconds: float) -> Command:
    """Return how to reach a host.

    :param settings: the user's
    :param host: as Neutron knows it
    :param seconds: the bound for one host, without time to listen
    :raises Broken: invalid-host
    """
    name = destination(settings.ssh_host, host)
    shipped = not settings.node_program
    become = shlex.split(settings.become)
    if shipped:
        words = archive.words(settings.node_python)
    else:
        words = [settings.node_program]
    argv = [
        'ssh',
        *_configured(settings),
        *_options(seconds),
        *(('-l', settings.ssh_user) if settings.ssh_user else ()),
        # without it, ssh would look for options behind the name as well
        '--',
        name,
        shlex.join(become + words),
    ]
    return Command(
        argv=tuple(argv),
        preamble=archive.build() if shipped else b'',
        become=become[0] if become else '',
        program=words[0],
        shipped=shipped,
    )


def destination(template: str, host: str) -> str:
    """Return the host name for ssh.

    :param template: with {host} and {short}, from the settings
    :param host: as Neutron knows it
    :raises Broken: invalid-host, for the name or for what is made of it
    """
    _check(host)
    name = template.format(host=host, short=host.partition('.')[0])
    if name != host:
        _check(name)
    return name


def _check(name: str) -> None:
    if len(name) > _NAME_LIMIT or not _NAME.fullmatch(name):
        raise failures.Broken('invalid-host', repr(name))


def _configured(settings: config.Settings) -> tuple[str, ...]:
    if not settings.ssh_config:
        return ()
    # from clouds.yaml or the environment, no shell has expanded it
    return ('-F', os.path.expanduser(settings.ssh_config))


def _options(seconds: float) -> list[str]:
    """Return -o and its argument for each of the options.

    The bounds of ssh are inside our own, so that ssh can say what it was
    waiting for.
    """
    bounds = (
        f'ConnectTimeout={max(1, int(seconds * 2 / 3))}',
        f'ServerAliveInterval={max(1, int(seconds / 5))}',
        'ServerAliveCountMax=3',
    )
    return [word for option in _OPTIONS + bounds for word in ('-o', option)]
