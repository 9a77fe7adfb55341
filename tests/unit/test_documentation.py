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

"""The documentation and the code name the same things, in both directions."""

import argparse
import configparser
import pathlib
import re

from openstackclient import shell
import testtools

import osc_ha_router
from osc_ha_router import config
from osc_ha_router.agent import options
from osc_ha_router.commands import check
from osc_ha_router.commands import columns
from osc_ha_router.commands import failover
from osc_ha_router.commands import host
from osc_ha_router.commands import moved
from osc_ha_router.commands import repair
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.failover import methods
from osc_ha_router.failover import result as moves
from osc_ha_router.model import report
from osc_ha_router.node import serve
from osc_ha_router.repair import result as repairs
from tests.unit import captures

#: commands whose options are those of cliff, but for --long
LISTING = 'osc_ha_router.commands.finding:ListFinding'
SHOWING = 'osc_ha_router.commands.finding:ShowFinding'

ROOT = pathlib.Path(osc_ha_router.__file__).parents[1]
SOURCE = ROOT / 'doc' / 'source'


def text(name):
    return (SOURCE / name).read_text('utf-8')


def pages():
    """Yield each page written by hand as (name, text)."""
    for path in sorted(SOURCE.rglob('*.rst')):
        if path.parent.name != 'findings':
            yield str(path.relative_to(SOURCE)), path.read_text('utf-8')


def commands():
    """Return the words of each command -> the module:class of it."""
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / 'setup.cfg', 'utf-8')
    listed = setup['entry_points']['openstack.router_ha.v1']
    return {
        name.strip().replace('_', ' '): target.strip()
        for name, _, target in (
            line.partition('=') for line in listed.strip().splitlines()
        )
    }


def parser(target):
    """Return the parser of a command."""
    module, _, name = target.partition(':')
    command = getattr(__import__(module, fromlist=[name]), name)
    app = shell.OpenStackShell()
    return command(app, argparse.Namespace()).get_parser('x')


def opts(target):
    return {
        word
        for action in parser(target)._actions
        for word in action.option_strings
        if word.startswith('--')
    }


def mine(target):
    """Return the options that are not those of every list command."""
    return opts(target) - (opts(LISTING) - {'--long'}) - opts(SHOWING)


def explained():
    """Return what the manual says of options: command -> option -> text.

    Each heading below "Options" names the commands that have what follows.
    """
    manual = text('man/openstack-router-ha.rst')
    _, _, rest = manual.partition('\nOptions\n=======\n')
    part, _, _ = rest.partition('\nEnvironment\n===========\n')
    found = {name: {} for name in commands()}
    _, *blocks = re.split(r'^(\S.*)\n-+\n', part, flags=re.MULTILINE)
    for heading, block in zip(blocks[::2], blocks[1::2], strict=True):
        said = re.findall(r'^(``--.+)\n((?: {4}.+\n)+)', block, re.MULTILINE)
        for command in re.split(', | and ', heading):
            for term, meaning in said:
                for option in re.findall('``(--[a-z-]+)', term):
                    known = found[f'router ha {command}']
                    if option in known:
                        raise ValueError(f'{command} {option}: said twice')
                    known[option] = meaning
    return found


def codes_in(page):
    """Return the codes in the first column of the table of exit codes."""
    table = re.search(
        r'^Exit codes\n=+\n(?:.*\n)*?(=+ =+\n(?:.*\n)+?)\n',
        page,
        re.MULTILINE,
    )
    return set(re.findall(r'^(\d) ', table[1], re.MULTILINE))


class TestDocumentation(testtools.TestCase):
    """Nothing is missing, nothing is invented."""

    def test_each_command_has_one_reference(self):
        found = re.findall(
            r'autoprogram-cliff:: openstack\.router_ha\.v1\n'
            r'   :command: (.+)',
            ''.join(page for _, page in pages()),
        )
        self.assertEqual(sorted(commands()), sorted(found))

    def test_each_command_is_in_the_manual(self):
        found = re.findall(
            r'^``openstack (router ha [a-z ]+?)(?: [<\[]|``)',
            text('man/openstack-router-ha.rst'),
            re.MULTILINE,
        )
        self.assertEqual(sorted(commands()), sorted(found))

    def test_no_page_names_a_command_that_there_is_not(self):
        known = tuple(commands())
        for name, page in pages():
            for found in re.findall(r'openstack router ha ([a-z]+)', page):
                with self.subTest(page=name, command=found):
                    self.assertTrue(
                        any(c.startswith(f'router ha {found}') for c in known)
                    )

    def test_each_option_is_explained(self):
        described = explained()
        for name, target in commands().items():
            with self.subTest(command=name):
                self.assertEqual(sorted(mine(target)), sorted(described[name]))

    def test_the_choices_of_each_option(self):
        described = explained()
        tried = set()
        for name, target in commands().items():
            for action in parser(target)._actions:
                for option in mine(target) & set(action.option_strings):
                    if not action.choices:
                        continue
                    with self.subTest(command=name, option=option):
                        words = re.findall('[a-z]+', described[name][option])
                        self.assertLessEqual(set(action.choices), set(words))
                        if option == '--method':
                            self.assertEqual(
                                set(action.choices),
                                set(methods.METHODS) & set(words),
                            )
                    tried.add((name, option))
        self.assertIn(('router ha evacuate', '--method'), tried)

    def test_no_option_of_the_manual_is_invented(self):
        manual = text('man/openstack-router-ha.rst')
        known = {config.option(f.name) for f in config.fields()}
        for target in commands().values():
            known |= opts(target)
        known |= {'--os-router-ha-api-version'}
        described = set(re.findall(r'``(--[a-z-]+)', manual))
        self.assertEqual(set(), described - known)

    def test_findings(self):
        codes = {e.code for e in catalogue.entries().values()}
        for name, page in pages():
            with self.subTest(page=name):
                found = set(re.findall(r'\bRHA[0-9]{3}\b', page))
                self.assertEqual(set(), found - codes)
        made = text('../ext/pages/findings.py')
        self.assertIn('catalogue.entries()', made)

    def test_exit_codes(self):
        page = text('user/exit-codes.rst')
        _, _, of_check = page.partition('.. _exit-codes-check:')
        of_check, _, rest = of_check.partition('.. _exit-codes-failover:')
        codes = set(re.findall(r'^   \* - ``(\d)``', of_check, re.M))
        self.assertEqual(set('012345'), codes)
        of_move, _, of_list = rest.partition('.. _exit-codes-host-list:')
        codes = set(re.findall(r'^   \* - ``(\d)``', of_move, re.M))
        known = {str(o.exit_code) for o in moves.Outcome} | {'2'}
        known |= {str(o.exit_code) for o in repairs.Outcome}
        self.assertEqual(known, codes)
        codes = set(re.findall(r'^   \* - ``(\d)``', of_list, re.M))
        self.assertEqual(set('0123'), codes)
        manual = text('man/openstack-router-ha.rst')
        self.assertEqual(
            set('012345'), set(re.findall(r'^(\d)\n    ', manual, re.M))
        )
        self.assertEqual(
            set('012345'), codes_in((ROOT / 'README.rst').read_text('utf-8'))
        )

    def test_exit_codes_of_many_moves(self):
        # what becomes of one move is passed on, and nothing else is added
        known = {str(o.exit_code) for o in moves.Outcome} | {'2'}
        for page in ('user/evacuate.rst', 'user/rebalance.rst'):
            with self.subTest(page=page):
                self.assertEqual(known, codes_in(text(page)))

    def test_operations_of_the_node_program(self):
        page = text('reference/node-protocol.rst')
        requests, _, _ = page.partition('\nReplies\n')
        self.assertEqual(
            sorted(serve.OPERATIONS),
            sorted(re.findall(r'^``([a-z-]+)``$', requests, re.MULTILINE)),
        )

    def test_json_keys(self):
        page = text('user/json.rst') + text('user/repair.rst')
        taken = set(re.findall(r'json-keys:: (\S+)', page))
        for module in (failover, host, moved, repair):
            self.assertIn(f'{module.__name__}.COLUMNS', taken)
        tables = set(re.findall(r'^   \* - ``([^`]+)``', page, re.M))
        case = captures.load('incident')
        self.assertTrue(case.hosts)
        item = report.Replica(
            **{
                f: None
                for f in report.Replica.__dataclass_fields__
                if f not in ('host', 'observed')
            },
            host='net1',
            observed=report.Observed.ACTIVE,
        )
        keys = {*check.COLUMNS, *columns.replica(item)}
        self.assertLessEqual(keys, tables)

    def test_settings(self):
        page = text('admin/configuration.rst')
        found = re.findall(r'^\.\. setting:: (\S+)', page, re.M)
        self.assertEqual(
            sorted(f.name for f in config.fields()), sorted(found)
        )
        manual = text('man/openstack-router-ha.rst')
        variables = set(re.findall(r'``(OS_ROUTER_HA_[A-Z_]+)``', manual))
        self.assertEqual(
            {config.variable(f.name) for f in config.fields()}, variables
        )

    def test_options_of_the_agent(self):
        page = text('reference/agent-options.rst')
        self.assertIn('.. show-options:: osc_ha_router.agent', page)
        known = {
            str(getattr(group, 'name', group)): {o.dest for o in listed}
            for group, listed in options.list_opts()
        }
        for listed in options.list_opts():
            for option in listed[1]:
                with self.subTest(option=option.dest):
                    self.assertTrue(option.help)
        # what the guide's example sets, there is
        sample = text('admin/agent.rst')
        group = ''
        for line in sample.splitlines():
            start = re.fullmatch(r'   \[(\w+)\]', line)
            if start:
                group = start[1]
            setting = re.fullmatch(r'   (\w+) = .*', line)
            if setting and group in known:
                with self.subTest(group=group, option=setting[1]):
                    self.assertIn(setting[1], known[group])
