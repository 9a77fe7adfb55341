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

"""What every other ``openstack`` command pays for the plugin."""

import argparse
import json
import subprocess
import sys

import testtools

from osc_ha_router import config
from osc_ha_router import plugin

#: what the plugin's own modules may bring with them at the start
ALLOWED = {'osc_ha_router', 'osc_ha_router.plugin'}
#: and once the global options are added
ALLOWED_WITH_OPTIONS = ALLOWED | {
    'osc_ha_router.config',
    'osc_ha_router.errors',
}

#: modules of the standard library that the openstack command has anyway
SCRIPT = """
import argparse, dataclasses, json, os, shlex, sys, typing
import collections.abc
# argparse imports some more when it is first used
argparse.ArgumentParser().add_argument('--x', metavar='x')
before = set(sys.modules)
from osc_ha_router import plugin
if {options}:
    plugin.build_option_parser(argparse.ArgumentParser())
print(json.dumps(sorted(set(sys.modules) - before)))
"""


class ImportTest(testtools.TestCase):
    def imported(self, options: bool) -> set[str]:
        done = subprocess.run(
            [sys.executable, '-c', SCRIPT.format(options=options)],
            capture_output=True,
            text=True,
            check=True,
        )
        return set(json.loads(done.stdout))

    def test_import(self):
        self.assertEqual(ALLOWED, self.imported(False))

    def test_options(self):
        self.assertEqual(ALLOWED_WITH_OPTIONS, self.imported(True))


class OptionsTest(testtools.TestCase):
    def test_one_for_each_setting(self):
        parser = plugin.build_option_parser(argparse.ArgumentParser())
        for setting in config.fields():
            option = config.option(setting.name)
            parsed = vars(parser.parse_args([option, '7']))
            self.assertEqual('7', parsed['os_router_ha_' + setting.name])
            parsed = vars(parser.parse_args([]))
            self.assertIsNone(parsed['os_router_ha_' + setting.name])
