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


"""Every way in which a look at the node's own routers can fail.

The kinds are those of a look over SSH where they mean the same; the words
are for whoever asks the agent.
"""

from osc_ha_router import text
from osc_ha_router.backends import failures
from osc_ha_router.model import view

_LOG = '`journalctl -u osc-ha-router-agent`'


def describe(kind: str, host: str, detail: str = '') -> view.Failure:
    """Return the failure with its two sentences, each one safe line.

    :param kind: a key of ``KINDS``
    :param host: this host, as Neutron knows it
    :param detail: what was seen
    """
    line = text.one_line(detail)
    values = {
        'host': text.one_line(host),
        'reason': f': {line}' if line else '',
    }
    found = KINDS[kind]
    return view.Failure(
        kind=kind,
        message=found.message.format(**values),
        advice=found.advice.format(**values),
    )


KINDS = {
    'invalid-router': failures.Kind(
        '{host} was not asked, for this is not a router id{reason}',
        'Look at `openstack router list`; something between here and '
        'Neutron alters its answers.',
    ),
    'agent-busy': failures.Kind(
        'The node agent of {host} has too much to do{reason}',
        'Try again in a while; if it happens often, raise processes in '
        '[agent] there.',
    ),
    'keeper-gone': failures.Kind(
        'The privileged process of the node agent of {host} does not '
        'answer{reason}',
        f'Look at {_LOG} on {{host}}, and restart the agent '
        '(`systemctl restart osc-ha-router-agent`).',
    ),
    'timeout': failures.Kind(
        'The node program on {host} did not answer within the time '
        'bound{reason}',
        'See whether the node is overloaded; if it is only slow, raise '
        '--probe-timeout.',
    ),
    'deadline': failures.Kind(
        'There was no time left for {host}{reason}',
        'Raise --timeout, or ask for fewer routers.',
    ),
    'interrupted': failures.Kind(
        '{host} was not looked at to the end, as this was interrupted{reason}',
        'Run the command again.',
    ),
    'truncated': failures.Kind(
        'The node program on {host} ended in the middle of the answer{reason}',
        f'Run the command again; if it happens again, look at {_LOG} on '
        '{host} and for out-of-memory kills (`dmesg`).',
    ),
    'oversized': failures.Kind(
        'The node program on {host} answered more than is taken{reason}',
        'Ask for single routers.',
    ),
    'noise': failures.Kind(
        'The node program on {host} does not begin as it should{reason}',
        'Reinstall osc-ha-router on {host} and restart the agent; if it '
        'happens again, this is a bug of osc-ha-router: report it.',
    ),
    'garbled': failures.Kind(
        'The answer of the node program on {host} is not understood{reason}',
        'Restart the agent, which may be older than what is installed; if '
        'it happens again, this is a bug of osc-ha-router: report it.',
    ),
    'version': failures.Kind(
        'The node program on {host} speaks another version{reason}',
        'Restart the agent on {host} '
        '(`systemctl restart osc-ha-router-agent`): it is older than what '
        'is installed there.',
    ),
    'no-rights': failures.Kind(
        'The node agent of {host} may not look into namespaces{reason}',
        'Start osc-ha-router-agent as root: it gives these rights away but '
        'for one child. In a container it needs those of the host.',
    ),
    'node-error': failures.Kind(
        'The node program on {host} reports an error{reason}',
        f'Look at {_LOG} on {{host}}; if nothing explains it, this is a bug '
        'of osc-ha-router: report it with this message.',
    ),
    'node-refusal': failures.Kind(
        'The node program on {host} refuses{reason}',
        'Look at the router again with `openstack router ha check`.',
    ),
}
