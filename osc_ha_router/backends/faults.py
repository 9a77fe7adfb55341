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

"""Every way in which the node agents' API can fail a client.

``KINDS`` is the one place that names them: what the person on call reads,
and what to do. The kind is stable, scripts may rely on it. An agent that
asks another one for a client describes it in the same words.
"""

from osc_ha_router import text
from osc_ha_router.backends import failures
from osc_ha_router.model import view


def describe(kind: str, host: str, url: str, detail: str = '') -> view.Failure:
    """Return the failure with its two sentences, each one safe line.

    :param kind: a key of ``KINDS``
    :param host: whom it is about, as Neutron knows it; empty: no host
    :param url: of the agent that was asked; empty: not known
    :param detail: what was seen: a message of the agent, of a library, ...
    """
    line = text.one_line(detail)
    values = {
        'agent': f'the node agent at {url}' if url else 'the node agent',
        'Agent': f'The node agent at {url}' if url else 'The node agent',
        'url': url or '<url>',
        'node': host or 'the node',
        'reason': f': {line}' if line else '',
        'detail': line,
    }
    values = {name: text.clean(value) for name, value in values.items()}
    found = KINDS[kind]
    return view.Failure(
        kind=kind,
        message=found.message.format(**values),
        advice=found.advice.format(**values),
    )


KINDS = {
    # on this machine, before anything is sent
    'agent-missing': failures.Kind(
        'This cloud has no service router-ha in its catalogue, so no node '
        'agent can be asked{reason}',
        'Ask the operator of the cloud for the node agents of osc-ha-router; '
        'if they run, they have to be registered (openstack endpoint '
        'create), or their URL to be set as agent_endpoint.',
    ),
    'agent-token': failures.Kind(
        'Keystone gives no token to show to {agent}{reason}',
        'Try `openstack token issue`; if that fails as well, look at the '
        'credentials and at Keystone.',
    ),
    # on the way
    'agent-unresolved': failures.Kind(
        'The host name of {agent} is not known here{reason}',
        'Add it to DNS or /etc/hosts, or correct the endpoint in the '
        'catalogue or agent_endpoint.',
    ),
    'agent-stranger': failures.Kind(
        '{node} is no node that this agent asks{reason}',
        'See how `openstack network agent list` writes the name of the node; '
        'one that Neutron does not name, or while Neutron is down, has to be '
        'in hosts of [peers] on the agent that is asked first.',
    ),
    'agent-unreachable': failures.Kind(
        '{Agent} cannot be reached{reason}',
        'See whether osc-ha-router-agent runs there (`systemctl status '
        'osc-ha-router-agent`) and listens on this address and port, and '
        'the firewalls on the way; `curl -k {url}` shows the same.',
    ),
    'agent-tls': failures.Kind(
        'The certificate of {agent} is not accepted here{reason}',
        'Name the file of the CA that signed it with cacert in clouds.yaml '
        'or OS_CACERT, for an agent that asks another one with cafile in '
        '[peers]; if it is expired or for another name, the agent needs a '
        'new one.',
    ),
    'agent-scheme': failures.Kind(
        '{Agent} and this side do not both speak TLS{reason}',
        'Correct http:// or https:// in the endpoint of the catalogue or in '
        'agent_endpoint; agents speak TLS unless tls is off in [agent].',
    ),
    # who is who
    'agent-unauthorized': failures.Kind(
        '{Agent} does not accept the token{reason}',
        'See whether it asks the same Keystone ([keystone_authtoken] in '
        '/etc/osc-ha-router/agent.conf there), and whether the clocks are '
        'right.',
    ),
    'agent-forbidden': failures.Kind(
        '{Agent} does not allow this to you{reason}',
        'Ask an administrator to do it, or the operator of the cloud for '
        'the role that its policy wants; by default a member or reader of '
        'the project may check its routers, and an administrator do all.',
    ),
    'agent-not-found': failures.Kind(
        '{Agent} does not know this{reason}',
        'Look at `openstack router list`: it judges HA routers of your own '
        'project only; if the router is there, the endpoint may be wrong.',
    ),
    'agent-wrong-host': failures.Kind(
        '{Agent} is not that of {node}{reason}',
        'Correct endpoint in [peers] on the agent that asked, the name of '
        'the node in DNS, or host in [agent] on the node.',
    ),
    # how it goes
    'agent-busy': failures.Kind(
        '{Agent} cannot do it now{reason}',
        'Try again in a while, or raise --timeout to wait for longer. If it '
        'often has too much to do, raise threads, checks or conversations in '
        '[agent] there.',
    ),
    'agent-timeout': failures.Kind(
        '{Agent} did not answer within the time bound{reason}',
        'See whether the node or what the agent asks (Keystone, Neutron) is '
        'overloaded; if it is only slow, raise --probe-timeout or '
        '--timeout.',
    ),
    'agent-deadline': failures.Kind(
        'There was no time left to ask {agent}{reason}',
        'Raise --timeout, or ask for fewer routers.',
    ),
    'agent-interrupted': failures.Kind(
        '{Agent} was not heard to the end, as this was interrupted{reason}',
        'Run the command again.',
    ),
    'agent-error': failures.Kind(
        '{Agent} reports an error{reason}',
        'Look at its log for the request id '
        '(`journalctl -u osc-ha-router-agent`) and at `{url}/healthcheck`.',
    ),
    'agent-truncated': failures.Kind(
        'The connection to {agent} ended in the middle of the answer{reason}',
        'Run the command again; if it happens again, look at the log of the '
        'agent, and at proxies on the way that end long answers.',
    ),
    'agent-oversized': failures.Kind(
        '{Agent} answered more than is taken{reason}',
        'Ask for single routers; if it happens again, see what answers there.',
    ),
    'agent-garbled': failures.Kind(
        'The answer of {agent} is not understood{reason}',
        'See whether the URL leads to osc-ha-router-agent, and whether its '
        'version is that of this machine.',
    ),
    # a conversation, and the node program behind the agent
    'agent-lost': failures.Kind(
        'The conversation with {node} through {agent} is lost{reason}',
        'The node undoes what was begun there; look at the router with '
        '`openstack router ha check`, and begin again.',
    ),
    'version': failures.Kind(
        'The program on {node} speaks another version{reason}',
        'Install the version of this machine on the node.',
    ),
    'no-rights': failures.Kind(
        'The program on {node} may not look into namespaces{reason}',
        'See whether osc-ha-router-agent was started as root there: it '
        'keeps one child with these rights.',
    ),
    'node-error': failures.Kind(
        'The program on {node} reports an error{reason}',
        'Look at the log of the node; if nothing explains it, this is a bug '
        'of osc-ha-router: report it with this message.',
    ),
    'node-refusal': failures.Kind(
        'The program on {node} refuses{reason}',
        'Look at the router again with "openstack router ha check".',
    ),
}
