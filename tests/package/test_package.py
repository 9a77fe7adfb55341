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

"""Sdist and wheel, each installed where nothing else is, and tried there."""

import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile

import testtools

ROOT = pathlib.Path(__file__).parents[2]
CHECK = ('router', 'ha', 'check', '--capture', 'example:incident')


def run(*argv: str | pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Run a program away from the checkout, with nothing of the caller's."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('OS_', 'PYTHON', 'PBR_', 'VIRTUAL_ENV'))
    }
    return subprocess.run(
        argv, capture_output=True, text=True, cwd='/', env=environ, timeout=900
    )


class PackageTest(testtools.TestCase):
    """One distribution after the other: they take minutes to install."""

    folder: pathlib.Path
    sdist: pathlib.Path
    wheel: pathlib.Path

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        # The wheel is made of the sdist, unpacked where there is no .git.
        done = run(
            *(sys.executable, '-m', 'build'),
            *('--outdir', cls.folder, ROOT),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (cls.sdist,) = cls.folder.glob('*.tar.gz')
        (cls.wheel,) = cls.folder.glob('*.whl')

    def ok(self, *argv: str | pathlib.Path, code: int = 0) -> str:
        """Run a program; return what it prints."""
        done = run(*argv)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def environment(self, name: str) -> pathlib.Path:
        """Make an environment that has nothing but pip; return its bin."""
        venv.create(self.folder / name, with_pip=True)
        return self.folder / name / 'bin'

    def install(self, name: str, what: str) -> pathlib.Path:
        """Install into an environment of its own; return its bin."""
        programs = self.environment(name)
        self.ok(
            *(programs / 'python', '-m', 'pip', 'install', '--quiet', what)
        )
        self.ok(programs / 'python', '-m', 'pip', 'check')
        return programs

    def assert_client_works(self, programs: pathlib.Path) -> None:
        out = self.ok(programs / 'openstack', *CHECK, code=5)
        self.assertIn('RHA101', out)
        known = self.ok(programs / 'openstack', 'complete')
        for command in ('check', 'show', 'failover', 'finding_list'):
            self.assertIn(f'cmds_router_ha_{command}=', known)
        out = self.ok(
            *(programs / 'openstack', 'router', 'ha'),
            *('finding', 'show', 'RHA101'),
        )
        self.assertIn('stale-vip-dead-keepalived', out)

    def test_versions(self):
        """pbr's version is in the tarball and from there in the wheel."""
        version = re.fullmatch(
            r'osc_ha_router-(.+)\.tar\.gz', self.sdist.name
        )[1]
        self.assertTrue(
            self.wheel.name.startswith(f'osc_ha_router-{version}-py3-')
        )
        # what pbr says where it knows nothing
        self.assertNotEqual('0.0.0', version)

    def test_all_of_the_package_and_nothing_else(self):
        tracked = subprocess.run(
            ['git', 'ls-files', 'osc_ha_router'],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        names = zipfile.ZipFile(self.wheel).namelist()
        inside = [name for name in names if '.dist-info/' not in name]
        package = {name for name in inside if '.data/' not in name}
        self.assertEqual(set(tracked), package)
        data = {name.partition('/data/')[2] for name in inside} - {''}
        self.assertEqual(
            {
                'share/osc-ha-router/' + str(path.relative_to(ROOT / 'etc'))
                for folder in ('grafana', 'prometheus', 'systemd')
                for path in (ROOT / 'etc' / folder).iterdir()
            },
            data,
        )

    def test_sdist_has_what_packagers_need(self):
        with tarfile.open(self.sdist) as archive:
            names = {name.partition('/')[2] for name in archive.getnames()}
        for name in (
            *('LICENSE', 'README.rst', 'setup.cfg', 'tox.ini', 'PKG-INFO'),
            *('etc/systemd/osc-ha-router-agent.service', 'doc/source/conf.py'),
            'etc/osc-ha-router/osc-ha-router-config-generator.conf',
            'etc/osc-ha-router/osc-ha-router-policy-generator.conf',
            'tests/captures/healthy.json',
        ):
            self.assertIn(name, names)

    def test_man_page_needs_nothing_but_sphinx(self):
        """As the page on installation has it, from the sdist."""
        programs = self.environment('man')
        pip = (programs / 'python', '-m', 'pip', 'install', '--quiet')
        self.ok(*pip, 'sphinx')
        with tarfile.open(self.sdist) as archive:
            archive.extractall(self.folder / 'unpacked', filter='data')
        (source,) = (self.folder / 'unpacked').iterdir()
        built = self.folder / 'man1'
        pages = source / 'doc' / 'source' / 'man'
        self.ok(programs / 'sphinx-build', '-W', '-b', 'man', pages, built)
        text = (built / 'openstack-router-ha.1').read_text()
        self.assertIn('.TH "OPENSTACK-ROUTER-HA" "1"', text)
        self.assertIn('check, move and repair HA routers', text)
        (told,) = (
            line.split()
            for line in (source / 'doc/source/admin/install.rst')
            .read_text()
            .splitlines()
            if line.strip().startswith('sphinx-build ')
        )
        self.assertEqual(
            ['sphinx-build', '-W', '-b', 'man', 'doc/source/man'], told[:-1]
        )

    def test_wheel_is_a_client(self):
        programs = self.install('client', str(self.wheel))
        self.assert_client_works(programs)
        share = programs.parent / 'share' / 'osc-ha-router'
        self.assertEqual(
            {'grafana', 'prometheus', 'systemd'},
            {path.name for path in share.iterdir()},
        )
        # the libraries of the agent are not asked for, which it says
        done = run(programs / 'osc-ha-router-agent', '--help')
        self.assertEqual(1, done.returncode)
        self.assertIn("'osc-ha-router[agent]'", done.stderr)

    def test_sdist_with_the_agent(self):
        programs = self.install('agent', f'{self.sdist}[agent]')
        self.assert_client_works(programs)
        out = self.ok(programs / 'osc-ha-router-agent', '--help')
        self.assertIn('--config-file', out)
        sample = self.ok(
            *(programs / 'oslo-config-generator', '--namespace'),
            'osc_ha_router.agent',
        )
        self.assertIn('[peers]', sample)
        rules = self.ok(
            *(programs / 'oslopolicy-sample-generator', '--namespace'),
            'osc-ha-router',
        )
        self.assertIn('router_ha', rules.replace('-', '_'))
