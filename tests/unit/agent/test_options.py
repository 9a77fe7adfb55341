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

"""The options, as the generators of samples and documents see them."""

import io
import re
import socket

from oslo_config import cfg
from oslo_config import generator

from osc_ha_router.agent import options
from tests.unit import quiet


class TestOptions(quiet.TestCase):
    """All of them."""

    def test_every_option_says_what_it_is(self):
        for group, known in options.list_opts():
            self.assertTrue(group.title)
            for option in known:
                where = f'{option.name} in [{group.name}]'
                self.assertTrue(option.help, where)

    def test_none_is_there_twice(self):
        for group, known in options.list_opts():
            names = [option.dest for option in known]
            self.assertEqual(sorted(set(names)), sorted(names), group.name)

    def test_credentials_are_among_them(self):
        found = {group.name: known for group, known in options.list_opts()}
        names = {option.dest for option in found[options.SERVICE_AUTH]}
        self.assertLessEqual(
            {'auth_type', 'auth_url', 'username', 'password', 'cafile'}, names
        )

    def test_configurations_have_nothing_in_common(self):
        first, second = cfg.ConfigOpts(), cfg.ConfigOpts()
        for conf in (first, second):
            options.register(conf)
            conf([], default_config_files=[], default_config_dirs=[])
        first.set_override('threads', 9, options.AGENT)
        self.assertEqual(256, second.agent.threads)

    def test_defaults_fit_together(self):
        conf = cfg.ConfigOpts()
        options.register(conf)
        conf([], default_config_files=[], default_config_dirs=[])
        self.assertLess(conf.agent.front_threads, conf.agent.threads)
        self.assertLess(conf.agent.conversations, conf.agent.processes)
        self.assertLess(conf.agent.checks, conf.agent.front_threads)
        self.assertTrue(conf.agent.tls)

    def test_sample_is_the_same_on_every_machine(self):
        conf = cfg.ConfigOpts()
        generator.register_cli_opts(conf)
        conf(['--namespace', 'osc_ha_router.agent'])
        sample = io.StringIO()
        generator.generate(conf, sample)
        text = sample.getvalue()
        self.assertIn('[agent]', text)
        # behind an equals sign: it may be a word of the explanations
        self.assertIsNone(
            re.search(rf'= {re.escape(socket.gethostname())}$', text, re.M)
        )
