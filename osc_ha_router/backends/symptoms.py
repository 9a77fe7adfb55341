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

"""Why ssh ended: its exit code and what came out of it, made a kind.

ssh ends with 255 when it fails itself, but so may the command over there,
and everything on that side writes into the same standard error. So the code
alone says little; the messages are what OpenSSH 7.4 to 10 prints (ssh.c,
sshconnect.c, packet.c, clientloop.c), and what shells, sudo, sudo-rs and
doas print. Each is matched from the beginning of a line, so that a login
banner that only mentions such a message is not taken for it.
"""

from collections.abc import Iterator
import dataclasses
import re

from osc_ha_router.backends import failures

#: what ssh prints once the login has succeeded
_LOGGED_IN = re.compile(r'^Authenticated to .*$', re.M)

#: ssh's own remarks that explain nothing
_REMARKS = re.compile(
    r'Authenticated to |Transferred: sent |Bytes per second: |\*\* '
    r'|Connection to \S+ closed\.?$|ControlSocket \S+ already exists'
)

#: connect() of ssh or of a jump host, as strerror() words it
_ERRNO = (
    ('refused', 'Connection refused'),
    ('connect-timeout', '(?:Connection|Operation) timed out'),
    (
        'unresolved',
        'Name or service not known|Temporary failure in name resolution'
        '|No address associated with hostname|nodename nor servname .*'
        '|Name does not resolve|Unknown host|[Nn]o address associated .*',
    ),
    ('unreachable', '.*'),
)

#: what stands in the brackets behind "Permission denied"
_METHODS = (
    r'[a-z0-9@.,-]*(?:publickey|password|keyboard-interactive|gssapi'
    r'|hostbased|none)[a-z0-9@.,-]*'
)

#: characters of a line that are looked at
_WIDTH = 500

#: in order of precedence; the group "detail", or else the line, is shown
_SSH = tuple(
    (kind, re.compile(pattern, re.M))
    for kind, pattern in (
        ('host-key-revoked', r'^Host key \S+ \S+ revoked by file .*'),
        ('host-key-revoked', r'^The \S+ host key for .* is marked as revoked'),
        ('host-key-changed', r'^Offending \S+ key in (?P<detail>.*)'),
        ('host-key-changed', r'^.*REMOTE HOST IDENTIFICATION HAS CHANGED.*'),
        (
            'host-key-unknown',
            r'^(?P<detail>No \S+ host key is known for \S+) and you have',
        ),
        ('host-key-unknown', r'^Host key verification failed\.'),
        ('too-many-keys', r'^.*Too many authentication failures'),
        (
            'permission-denied',
            rf'^(?:\S+: )?Permission denied \({_METHODS}\)\.',
        ),
        ('no-common-algorithm', r'^Unable to negotiate with .*'),
        ('unresolved', r'^(?:\S*ssh: )?Could not resolve host.*'),
        *(
            (kind, rf'^ssh: connect to host \S+ port \d+: (?:{reason})\s*$')
            for kind, reason in _ERRNO
        ),
        *(
            (kind, rf'^channel \d+: open failed: connect failed: (?:{words})$')
            for kind, words in _ERRNO
        ),
        ('forward-refused', r'^channel \d+: open failed: .*'),
        ('connect-timeout', r'^Connection timed out during banner exchange'),
        ('connect-timeout', r'^Connection \S+ .* timed out\s*$'),
        ('closed', r'^(?:ssh|kex)_exchange_identification: .*'),
        ('closed', r'^Received disconnect from .*'),
        ('closed', r'^Timeout, server \S+ not responding.*'),
        ('closed', r'^Connection (?:closed|reset) by .*'),
        ('closed', r'^Disconnected from .*'),
        ('closed', r'^Connection to \S+ closed by remote host.*'),
        ('closed', r'^(?:client_loop: send disconnect|packet_write\S*): .*'),
        ('closed', r'^(?:ssh_)?(?:dispatch_run_fatal|packet_\S+): .*'),
        ('closed', r'^(?:Read|Write) (?:from|to) .*: .*'),
        (
            'ssh-config',
            r'^(?:(?:/|~|\.|command-line)\S* ?\S*?:? line \d+: .*'
            r'|Bad owner or permissions on .*'
            r"|Can't open user config file .*)",
        ),
    )
)

_REMOTE = tuple(
    (kind, re.compile(pattern, re.M))
    for kind, pattern in (
        ('become-tty', r'^sudo: .*must have a tty.*'),
        (
            'become-password',
            r'^(?:\S*sudo\S*|\S*doas): .*(?:password is required'
            r'|no tty present and no askpass|terminal is required'
            r'|authentication is required|Authentication required).*',
        ),
        (
            'become-denied',
            r'^(?:sudo: )?Sorry, user .*'
            r"|^\S*(?:sudo|doas)\S*: (?:I'm sorry|.*not permitted|.*account"
            r'|PAM|effective uid|.*must be owned by|.*no valid sudoers).*'
            r'|^\S+ is not (?:in the sudoers file|allowed to run sudo).*',
        ),
        (
            'python-old',
            r"^(?:Unknown option: -I|AttributeError: .*'buffer').*",
        ),
    )
)

PATTERNS = _REMOTE + _SSH

#: how shells, env and sudo say that there is no such command as %s
_MISSING = (
    r'^(?:.*[\s:\'"\u2018])?%s[\'"\u2019]?: (?:(?:command |Command '
    r'|inaccessible or )?not found|No such file or directory).*'
    r'|^.*(?:(?:command not found|no such file or directory): '
    r'|Unknown command:? [\'"\u2018]?)%s\b.*'
    r'|^sudo: unable to execute (?:\S*/)?%s: No such file or directory'
)


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What is left of a connection that has ended."""

    #: exit code of ssh; negative: the signal that ended it
    code: int
    #: the end of standard error
    stderr: str
    #: the first of what came before the program's own first line
    noise: str
    #: whether the program on the node has said its first line
    greeted: bool
    #: first word of what gains root, or empty
    become: str
    #: what was to be run there
    program: str
    #: whether that is Python, with the program sent along
    shipped: bool


def logged_in(stderr: str) -> bool:
    """Return whether ssh has said that it is logged in."""
    return _LOGGED_IN.search(stderr) is not None


def explain(evidence: Evidence) -> failures.Broken:
    """Return what went wrong, as far as it can be told."""
    stderr = _lines(_after_login(evidence.stderr))
    if evidence.greeted:
        return failures.Broken('truncated', _last_words(evidence, stderr))
    for kind, pattern in _candidates(evidence):
        match = pattern.search(stderr)
        if match:
            detail = match.groupdict().get('detail') or match[0]
            return failures.Broken(kind, detail)
    if evidence.noise:
        return failures.Broken('noise', evidence.noise)
    return failures.Broken(
        _blame(evidence, stderr), _last_words(evidence, stderr)
    )


def _blame(evidence: Evidence, stderr: str) -> str:
    """Return the kind where no message is known: whose end was it."""
    if evidence.code >= 0 and evidence.code != 255:
        return 'exit'
    if evidence.code < 0 or not logged_in(evidence.stderr):
        return 'ssh'
    # After the login 255 may come from either side; ssh returns it without
    # a word when sshd is killed, the program would have said something.
    return 'exit' if _telling(stderr) else 'closed'


def _candidates(
    evidence: Evidence,
) -> Iterator[tuple[str, re.Pattern[str]]]:
    if evidence.code == 255:
        yield from _SSH
    yield from _REMOTE
    missing = 'python-missing' if evidence.shipped else 'program-missing'
    yield missing, _missing(evidence.program)
    if evidence.become:
        yield 'become-missing', _missing(evidence.become)


def _missing(word: str) -> re.Pattern[str]:
    quoted = re.escape(word)
    return re.compile(_MISSING.replace('%s', quoted), re.M)


def _after_login(stderr: str) -> str:
    """Leave out what came before the login: banners and remarks."""
    *_, last = _LOGGED_IN.split(stderr)
    return last


def _lines(stderr: str) -> str:
    """Return lines of a length that no pattern takes long for."""
    return '\n'.join(line[:_WIDTH] for line in stderr.splitlines())


def _last_words(evidence: Evidence, stderr: str) -> str:
    if evidence.code < 0:
        end = f'ended by signal {-evidence.code}'
    else:
        end = f'exit code {evidence.code}'
    return _telling(stderr) or f'{end}, no message'


def _telling(stderr: str) -> str:
    """Return the last line that may explain something."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    return next((x for x in reversed(lines) if not _REMARKS.match(x)), '')
