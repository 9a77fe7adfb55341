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

"""Who may do what, by oslo.policy.

The target of ``CHECK`` and ``HOSTS`` has ``project_id``, the project of the
router as Neutron knows it. Each rule can be replaced in policy.yaml.
"""

import sys

from oslo_config import cfg
from oslo_context import context
from oslo_policy import policy

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.agent import options

#: a finished report on a router
CHECK = 'router_ha:check'
#: the names of nodes in it
HOSTS = 'router_ha:check:hosts'
#: what nodes show, as it is
PROBE = 'router_ha:probe'
#: conversations with the node program, which can move routers
FAILOVER = 'router_ha:failover'

_ADMIN = 'rule:admin'
_OF_PROJECT = 'rule:admin or rule:project_reader or rule:project_member'
#: no project has this id; None would be that of a token without a project
_NOBODYS = '-'
#: not a token of a domain, for whose admin nodes are not
_SCOPES = ['system', 'project']

_RULES: list[policy.RuleDefault] = [
    policy.RuleDefault(
        'admin', 'role:admin', description='Administrators of the cloud.'
    ),
    policy.RuleDefault(
        'service',
        'role:service',
        description='Services, of which the agents of other nodes are one.',
    ),
    policy.RuleDefault(
        'project_reader',
        'role:reader and project_id:%(project_id)s',
        description="Who may read in the router's project.",
    ),
    policy.RuleDefault(
        'project_member',
        'role:member and project_id:%(project_id)s',
        description="Members of the router's project, for clouds whose "
        'role member does not imply reader.',
    ),
    policy.DocumentedRuleDefault(
        CHECK,
        _OF_PROJECT,
        'Check a router. The project is that of the router as Neutron knows '
        'it; a router that this rule refuses looks like one that does not '
        'exist.',
        [{'method': 'POST', 'path': '/v1/check'}],
        scope_types=_SCOPES,
    ),
    policy.DocumentedRuleDefault(
        HOSTS,
        _ADMIN,
        'See the names of nodes in a report, the ids of their L3 agents, '
        'and why a node could not be looked at. Without it, the nodes are '
        'replica-1, replica-2 and so on.',
        [{'method': 'POST', 'path': '/v1/check'}],
        scope_types=_SCOPES,
    ),
    policy.DocumentedRuleDefault(
        PROBE,
        'rule:admin or rule:service',
        'See what nodes show, of any router. The agents ask each other by '
        'this rule.',
        [
            {'method': 'POST', 'path': '/v1/probe'},
            {'method': 'POST', 'path': '/v1/hosts/{host}/probe'},
        ],
        scope_types=_SCOPES,
    ),
    policy.DocumentedRuleDefault(
        FAILOVER,
        _ADMIN,
        'Have a conversation with the node program of a node, which can move '
        'and repair any router. The agents relay conversations to each other '
        "with the caller's own token, so their account does not need it.",
        [
            {'method': 'POST', 'path': '/v1/hosts/{host}/conversations'},
            {
                'method': 'POST',
                'path': '/v1/hosts/{host}/conversations/{id}/requests',
            },
            {
                'method': 'POST',
                'path': '/v1/hosts/{host}/conversations/{id}/stop',
            },
            {
                'method': 'PUT',
                'path': '/v1/hosts/{host}/conversations/{id}/lease',
            },
            {
                'method': 'DELETE',
                'path': '/v1/hosts/{host}/conversations/{id}',
            },
        ],
        scope_types=_SCOPES,
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    """Return the rules; an entry point of oslo.policy.policies."""
    return _RULES


def enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    """Return what decides, with policy.yaml read and checked.

    :param conf: read already
    :raises ConfigError: it makes no sense
    """
    found = policy.Enforcer(conf)
    found.register_defaults(list_rules())
    try:
        found.load_rules()
        # a rule that names another one that is not there
        found.check_rules(raise_on_violation=True)
    except (ValueError, AttributeError, policy.InvalidDefinitionError) as exc:
        raise errors.ConfigError(
            f'policy_file {conf.oslo_policy.policy_file} in [oslo_policy]: '
            f'{text.one_line(str(exc))}'
        ) from None
    return found


def allows(
    found: policy.Enforcer,
    rule: str,
    who: context.RequestContext,
    project_id: str | None = None,
) -> bool:
    """Say whether a caller may do something.

    :param rule: one of the names above
    :param who: the caller
    :param project_id: that of the router, where there is one; a router of
        no known project is nobody's
    """
    target = {'project_id': project_id or _NOBODYS}
    try:
        return bool(found.authorize(rule, target, who))
    except policy.InvalidScope:
        return False


def get_enforcer() -> policy.Enforcer:
    """Return what decides, for the tools of oslo.policy.

    An entry point of oslo.policy.enforcer. The tools have options of their
    own, of which the configuration must see none but the files to read.
    """
    words = iter(sys.argv[1:])
    kept: list[str] = []
    for word in words:
        if word.startswith(('--config-file=', '--config-dir=')):
            kept.append(word)
        elif word in ('--config-file', '--config-dir'):
            kept += [word, next(words, '')]
    conf = cfg.ConfigOpts()
    conf(kept, project=options.PROJECT)
    return enforcer(conf)
