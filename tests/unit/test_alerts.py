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

"""Alert rules and dashboard: what they name is there."""

import json
import pathlib
import re
from typing import Any

import testtools
import yaml

from osc_ha_router import metrics
from osc_ha_router.diagnosis import catalogue

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / 'etc' / 'prometheus' / 'router-ha-alerts.yaml'
DASHBOARD = ROOT / 'etc' / 'grafana' / 'router-ha.json'
DOC = ROOT / 'doc' / 'source'
#: labels that Prometheus adds
ADDED = {'instance', 'job'}

_SELECTOR = re.compile(r'\b(router_ha_\w+)(?:\{([^}]*)\})?')
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*(?:"([^"]*)"|(%q)|`([^`]*)`)')
_LIST = re.compile(r'\b(?:by|without|on|ignoring|group_left)\s*\(([^)]*)\)')


def rules() -> list[dict[str, Any]]:
    """Return every alert."""
    found = yaml.safe_load(RULES.read_text('utf-8'))
    return [rule for group in found['groups'] for rule in group['rules']]


def panels() -> list[dict[str, Any]]:
    """Return every panel of the dashboard."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text('utf-8'))[
        'panels'
    ]
    return found


def expressions() -> list[str]:
    """Return every expression, those in annotations included."""
    found = [rule['expr'] for rule in rules()]
    found += [text for r in rules() for text in r['annotations'].values()]
    found += [t['expr'] for panel in panels() for t in panel['targets']]
    dashboard = json.loads(DASHBOARD.read_text('utf-8'))
    for variable in dashboard['templating']['list']:
        if variable['type'] == 'query':
            found.append(variable['definition'])
    return found


class TestNames(testtools.TestCase):
    """Rules and dashboard against ``metrics.FAMILIES``."""

    def test_every_metric_named_is_one_that_there_is(self) -> None:
        named = {
            name
            for expression in expressions()
            for name, _ in _SELECTOR.findall(expression)
        }
        self.assertEqual(set(), named - set(metrics.FAMILIES))
        # and the other way: what nobody can use need not be made
        documented = (DOC / 'admin' / 'monitoring.rst').read_text('utf-8')
        for name in metrics.FAMILIES:
            self.assertIn(f'``{name}``', documented)

    def test_every_label_named_is_one_of_the_metric(self) -> None:
        seen = 0
        for expression in expressions():
            for name, selector in _SELECTOR.findall(expression):
                for found in _MATCHER.findall(selector):
                    seen += 1
                    self.assertIn(found[0], metrics.FAMILIES[name].labels)
        self.assertGreater(seen, 30)

    def test_every_label_grouped_by_is_one_of_some_metric(self) -> None:
        known = ADDED.union(*(f.labels for f in metrics.FAMILIES.values()))
        for expression in expressions():
            for words in _LIST.findall(expression):
                named = {word.strip() for word in words.split(',')}
                self.assertEqual(set(), named - known, expression)

    def test_every_code_named_is_one_of_the_catalogue(self) -> None:
        codes = [entry.code for entry in catalogue.entries().values()]
        patterns = {
            pattern
            for expression in expressions()
            for _, selector in _SELECTOR.findall(expression)
            for label, *values in _MATCHER.findall(selector)
            if label == 'code'
            for pattern in ''.join(values).split('|')
            if pattern.startswith('RHA')
        }
        self.assertGreater(len(patterns), 5)
        for pattern in patterns:
            self.assertTrue(
                any(re.fullmatch(pattern, code) for code in codes), pattern
            )


class TestRules(testtools.TestCase):
    """Each alert by itself."""

    def test_every_alert_has_what_whoever_is_called_needs(self) -> None:
        names = [rule['alert'] for rule in rules()]
        self.assertEqual(len(names), len(set(names)))
        for rule in rules():
            self.assertTrue(rule['alert'].startswith('RouterHA'))
            self.assertIn(
                rule['labels']['severity'], ('critical', 'warning', 'info')
            )
            self.assertEqual(
                {'summary', 'description', 'runbook_url'},
                set(rule['annotations']),
            )

    def test_every_runbook_is_a_page_of_the_documentation(self) -> None:
        monitoring = (DOC / 'admin' / 'monitoring.rst').read_text('utf-8')
        start = catalogue.DOCUMENTATION.removesuffix('findings/')
        # the pages of findings are made from the catalogue
        pages = {entry.code for entry in catalogue.entries().values()}
        for rule in rules():
            url = rule['annotations']['runbook_url']
            self.assertTrue(url.startswith(start), url)
            page = url.removeprefix(start)
            self.assertIn(f'\n{rule["alert"]}\n', monitoring)
            if page.startswith('admin/'):
                self.assertEqual(
                    'admin/monitoring.html#' + rule['alert'].lower(), page
                )
            for code in re.findall(r'RHA\d{3}', page):
                self.assertIn(code, pages)

    def test_every_finding_that_counts_raises_an_alert(self) -> None:
        """A finding that no rule names would be silent."""
        for entry in catalogue.entries().values():
            if entry.severity not in ('WARNING', 'ERROR'):
                continue
            self.assertTrue(
                any(_selects(rule['expr'], entry) for rule in rules()),
                entry.code,
            )

    def test_exporters_are_put_together(self) -> None:
        """Each alert once, however many agents check."""
        apart = {'RouterHANobodyChecks', 'RouterHACheckFailing'}
        for rule in rules():
            together = 'without (instance, job' in rule['expr']
            self.assertEqual(rule['alert'] not in apart, together)


class TestDashboard(testtools.TestCase):
    """The dashboard, as far as it can be seen without Grafana."""

    def test_panels_do_not_overlap(self) -> None:
        taken: set[tuple[int, int]] = set()
        for panel in panels():
            at = panel['gridPos']
            cells = {
                (x, y)
                for x in range(at['x'], at['x'] + at['w'])
                for y in range(at['y'], at['y'] + at['h'])
            }
            self.assertEqual(set(), cells & taken, panel['title'])
            self.assertLessEqual(at['x'] + at['w'], 24)
            taken |= cells

    def test_ids_and_titles_are_unique(self) -> None:
        for key in ('id', 'title'):
            values = [panel[key] for panel in panels()]
            self.assertEqual(len(values), len(set(values)))

    def test_the_data_source_is_the_readers_own(self) -> None:
        for panel in panels():
            for part in (panel, *panel['targets']):
                self.assertEqual('${datasource}', part['datasource']['uid'])


def _selects(expression: str, entry: catalogue.Entry) -> bool:
    """Return whether findings of an entry are selected by an expression."""
    for name, selector in _SELECTOR.findall(expression):
        if name != 'router_ha_findings' or not selector:
            continue
        wanted = {'code': entry.code, 'severity': entry.severity.value}
        matches = True
        for label, operator, value in re.findall(
            r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', selector
        ):
            found = re.fullmatch(
                value if '~' in operator else re.escape(value), wanted[label]
            )
            matches &= (found is None) == operator.startswith('!')
        if matches:
            return True
    return False
