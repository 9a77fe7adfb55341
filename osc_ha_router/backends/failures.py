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

"""Every way in which looking at a host over SSH can fail.

``KINDS`` is the one place that names them: what the person on call reads,
and what to do. The kind is stable, scripts may rely on it. ``symptoms.py``
says how each is recognised.
"""

import dataclasses

from osc_ha_router import text
from osc_ha_router.model import view


@dataclasses.dataclass(frozen=True)
class Kind:
    """Templates of one kind's two sentences; ``Place`` names the fields."""

    message: str
    advice: str


@dataclasses.dataclass(frozen=True)
class Place:
    """What the sentences can name. Texts are safe to print."""

    #: as Neutron knows it
    host: str
    #: the SSH destination, with the user if one is set: ``stack@net1``
    login: str
    #: the SSH user, or words for it where ssh chooses one
    user: str
    #: the same for a line that is to be copied: ``<user>`` instead of words
    account: str
    #: the command that tries the same by hand
    ssh: str
    #: what is run there: ``python3``, or a path
    program: str


class Broken(Exception):
    """A conversation with a node cannot be begun, or cannot go on."""

    def __init__(
        self, kind: str, detail: str = '', refusal: str | None = None
    ) -> None:
        super().__init__(f'{kind}: {detail}' if detail else kind)
        #: a key of ``KINDS``
        self.kind = kind
        #: what was seen, from outside and not yet cleaned
        self.detail = detail
        #: one of ``REFUSALS``, where the node program refuses
        self.refusal = refusal


#: what the node program can refuse to do, by the kinds of its errors
REFUSALS = frozenset(
    (
        'locked',
        'absent',
        'changed',
        'unfit',
        'no-keepalived',
        'no-errand',
        'left',
        'unsafe',
    )
)


def describe(kind: str, place: Place, detail: str = '') -> view.Failure:
    """Return the failure with its two sentences, each one safe line.

    :param kind: a key of ``KINDS``
    :param place: what the sentences name
    :param detail: what was seen: a message of ssh, of the node, ...
    """
    line = text.one_line(detail)
    values = {
        **dataclasses.asdict(place),
        'reason': f': {line}' if line else '',
        'detail': line,
    }
    return view.Failure(
        kind=kind,
        message=KINDS[kind].message.format(**values),
        advice=KINDS[kind].advice.format(**values),
    )


KINDS = {
    # on this machine, before anything is sent
    'invalid-host': Kind(
        '{host} is not a host name that ssh may be given{reason}',
        'Look at the Host column of `openstack network agent list`; if the '
        'name is meant to be so, set ssh_host to a template that makes a '
        'proper name of it.',
    ),
    'invalid-router': Kind(
        '{host} was not asked, for this is not a router id{reason}',
        'Look at `openstack router list`; something between here and '
        'Neutron alters its answers.',
    ),
    'ssh-missing': Kind(
        'There is no ssh program on this machine, so {host} was not asked',
        'Install the OpenSSH client here: openssh-client on Debian and '
        'Ubuntu, openssh-clients on Red Hat.',
    ),
    'ssh-config': Kind(
        'ssh on this machine does not accept its configuration{reason}',
        'Correct the place that it names; `{ssh}` shows the same.',
    ),
    'local': Kind(
        'This machine could not start ssh for {host}{reason}',
        'Lower concurrency, or raise the limits of processes and open files '
        '(`ulimit -a`).',
    ),
    # on the way
    'unresolved': Kind(
        'The host name of {login} is not known here{reason}',
        'Add it to DNS, to /etc/hosts or as HostName to ssh_config, or set '
        'ssh_host to a template that gives a name that is known.',
    ),
    'refused': Kind(
        '{host} refused the connection{reason}',
        'See whether sshd runs on the node and listens on this address and '
        'port; set Port or HostName in ssh_config if they are others.',
    ),
    'unreachable': Kind(
        '{host} cannot be reached{reason}',
        'See whether the node is up, and the route and the firewalls from '
        'here to it; `{ssh}` shows the same.',
    ),
    'connect-timeout': Kind(
        'No connection to {host} within the time bound{reason}',
        'See whether the node is up and a firewall drops SSH; if the way is '
        'only slow, raise --probe-timeout.',
    ),
    'forward-refused': Kind(
        'The jump host did not connect to {host}{reason}',
        'See whether the jump host may forward (AllowTcpForwarding, '
        'PermitOpen in its sshd_config); `{ssh}` shows the same.',
    ),
    'closed': Kind(
        '{host} closed the connection before it answered{reason}',
        'Look at the log of sshd on the node; MaxStartups, fail2ban or a '
        'full disk do this. With many nodes behind one jump host, lower '
        'concurrency.',
    ),
    'no-common-algorithm': Kind(
        'ssh and {host} have no algorithm in common{reason}',
        'Update the older of the two, or allow an algorithm of the offer in '
        'ssh_config, for this node only.',
    ),
    # who is who
    'host-key-unknown': Kind(
        'The SSH host key of {host} is not known here{reason}',
        'Run `{ssh}` once by hand, compare the fingerprint with that of the '
        'node (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on its '
        'console), and accept it.',
    ),
    'host-key-changed': Kind(
        'The SSH host key of {host} is not the one known here{reason}',
        'Find out why: reinstalled, another machine at its address, or '
        'someone in between. Compare the fingerprint on its console; only '
        'then remove the old key with `ssh-keygen -R`.',
    ),
    'host-key-revoked': Kind(
        'The SSH host key of {host} is revoked{reason}',
        'Do not connect before whoever revoked it has said why.',
    ),
    'permission-denied': Kind(
        '{host} refused the login{reason}',
        'Try `{ssh}`; if that fails as well, see whether ssh_user is right, '
        'the key is in the agent (`ssh-add -l`) or named by IdentityFile, '
        'and its public half is in ~/.ssh/authorized_keys of {user} on the '
        'node.',
    ),
    'too-many-keys': Kind(
        '{host} refused the login after too many keys{reason}',
        'Name the one key with IdentityFile and IdentitiesOnly in '
        'ssh_config, or keep fewer in the agent (`ssh-add -l`).',
    ),
    # gaining root
    'become-missing': Kind(
        '{login} has no such command to gain root{reason}',
        'Install it on the node, or set become to what is used there; '
        'empty if {user} is root.',
    ),
    'become-password': Kind(
        'Gaining root on {host} wants a password{reason}',
        'Add `{account} ALL=(root) NOPASSWD: {program}` with its full path to '
        'sudoers on the node, or set become or ssh_user.',
    ),
    'become-denied': Kind(
        'Gaining root on {host} is not allowed{reason}',
        'Add `{account} ALL=(root) NOPASSWD: {program}` with its full path to '
        'sudoers on the node, or set become or ssh_user.',
    ),
    'become-tty': Kind(
        'Gaining root on {host} wants a terminal{reason}',
        'Add `Defaults:{account} !requiretty` to sudoers on the node.',
    ),
    # starting the program
    'python-missing': Kind(
        '{host} has no {program}{reason}',
        'Install Python 3 on the node, or set node_python to its path '
        '(/usr/libexec/platform-python on some).',
    ),
    'python-old': Kind(
        'Python on {host} is too old{reason}',
        'Python 3.6 or newer is needed on the node: set node_python to the '
        'path of one.',
    ),
    'program-missing': Kind(
        '{host} has no {program}{reason}',
        'Install osc-ha-router on the node, correct node_program, or leave '
        'node_program empty to have the program sent along.',
    ),
    'exit': Kind(
        'The node program did not start on {host}{reason}',
        'Try `{ssh}` and run {program} there; the message above is its own.',
    ),
    'ssh': Kind(
        'ssh to {host} failed{reason}',
        'Try `{ssh} true`; the message above is that of ssh.',
    ),
    # the conversation
    'noise': Kind(
        '{login} printed something else instead of an answer{reason}',
        'Give {user} a login shell if it has none; remove what prints or '
        'asks from its shell profile or forced command. `{ssh} true` must '
        'print nothing.',
    ),
    'timeout': Kind(
        '{host} did not answer within the time bound{reason}',
        'See whether the node is overloaded, or gaining root waits for a '
        'directory service; `{ssh}` and the same by hand show it. If it is '
        'only slow, raise --probe-timeout.',
    ),
    'deadline': Kind(
        'There was no time left for {host}{reason}',
        'Raise --timeout, raise concurrency, or ask for fewer routers.',
    ),
    'interrupted': Kind(
        '{host} was not looked at to the end, as this was interrupted{reason}',
        'Run the command again.',
    ),
    'truncated': Kind(
        'The connection to {host} ended in the middle of the answer{reason}',
        'Run the command again; if it happens again, look at the log of '
        'sshd on the node and for out-of-memory kills (`dmesg`).',
    ),
    'oversized': Kind(
        '{host} answered more than is taken{reason}',
        'Ask for single routers; if it happens again, see what runs as the '
        'node program there.',
    ),
    'garbled': Kind(
        'The answer of {host} is not understood{reason}',
        'If the login is held to the installed node program, set '
        'node_program, so that nothing is sent along. Otherwise see what '
        'else writes to standard output there; if nothing does, this is a '
        'bug of osc-ha-router: report it with this message.',
    ),
    'version': Kind(
        'The program on {host} speaks another version{reason}',
        'Install the version of this machine on the node, or leave '
        'node_program empty to have the program sent along.',
    ),
    'no-rights': Kind(
        'The program on {host} may not look into namespaces{reason}',
        'It needs root: set become to the command that gains it (sudo -n).',
    ),
    'node-error': Kind(
        'The program on {host} reports an error{reason}',
        'Look at the log of the node; if nothing explains it, this is a bug '
        'of osc-ha-router: report it with this message.',
    ),
    'node-refusal': Kind(
        'The program on {host} refuses{reason}',
        'Look at the router again with "openstack router ha check".',
    ),
}
