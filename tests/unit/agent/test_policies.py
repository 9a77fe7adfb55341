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

"""Who may do what unless the operator says otherwise."""

import sys

from oslo_config import cfg
from oslo_context import context

from osc_ha_router.agent import policies
from tests.unit import quiet

OWN, OTHER = 'project-1', 'project-2'
ALL = (policies.CHECK, policies.HOSTS, policies.PROBE, policies.FAILOVER)


def who(*roles, **kwargs):
    kwargs.setdefault('project_id', OWN)
    return context.RequestContext(
        user_id='user', roles=list(roles), overwrite=False, **kwargs
    )


class TestRules(quiet.TestCase):
    """The rules as they are shipped."""

    def setUp(self):
        super().setUp()
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        self.enforcer = policies.enforcer(conf)

    def may(self, caller, project=OWN):
        """Return what a caller may do with a router of a project."""
        return {
            rule
            for rule in ALL
            if policies.allows(self.enforcer, rule, caller, project)
        }

    def test_administrator(self):
        for project in (OWN, OTHER, None, ''):
            self.assertEqual(set(ALL), self.may(who('admin'), project))

    def test_administrator_of_the_system(self):
        caller = who('admin', project_id=None, system_scope='all')
        self.assertEqual(set(ALL), self.may(caller, OTHER))

    def test_administrator_of_a_domain(self):
        caller = who('admin', project_id=None, domain_id='domain')
        self.assertEqual(set(), self.may(caller))

    def test_service(self):
        # the agents ask each other what nodes show, and move nothing
        self.assertEqual({policies.PROBE}, self.may(who('service'), OTHER))

    def test_own_project(self):
        for role in ('reader', 'member'):
            self.assertEqual({policies.CHECK}, self.may(who(role)))

    def test_other_project(self):
        for role in ('reader', 'member'):
            for project in (OTHER, None, ''):
                self.assertEqual(set(), self.may(who(role), project))

    def test_other_roles(self):
        for roles in ((), ('manager',), ('Reader2',), ('heat_stack_owner',)):
            self.assertEqual(set(), self.may(who(*roles)))

    def test_router_of_nobody(self):
        # None is no project that two could have in common
        caller = who('reader', project_id=None, system_scope='all')
        self.assertEqual(set(), self.may(caller, None))
        self.assertEqual(set(), self.may(who('reader', project_id=''), ''))

    def test_every_rule_is_documented(self):
        for rule in policies.list_rules():
            self.assertTrue(rule.description, rule.name)
            if rule.name in ALL:
                self.assertTrue(rule.operations, rule.name)

    def test_for_the_tools(self):
        self.patch(sys, 'argv', ['x', '--namespace', 'osc-ha-router'])
        found = policies.get_enforcer()
        self.assertLessEqual(set(ALL), set(found.registered_rules))
