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


"""Both processes of the agent, each with its own rights."""

import json
import os
import pathlib
import pwd
import signal
import stat
import subprocess
import sys
import time
import uuid

import fixtures

from osc_ha_router import codec
from osc_ha_router.model import view
from tests.functional.agent import web
from tests.functional.node import errands
from tests.functional.node import spaces
from tests.lab import processes

ROOT = pathlib.Path(__file__).parents[3]


class Process(fixtures.Fixture):
    """The web process, and what it says."""

    def _setUp(self):
        folder = self.useFixture(fixtures.TempDir()).path
        self.log = pathlib.Path(folder) / 'stderr'
        with self.log.open('wb') as stderr:
            self.process = subprocess.Popen(
                [sys.executable, '-m', 'tests.functional.agent.web'],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=ROOT,
                start_new_session=True,
            )
        self.addCleanup(self.process.stdin.close)
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.keeper = self.hear()['keeper']

    def hear(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.log.read_text())
        return json.loads(line)

    def do(self, name, *arguments):
        line = json.dumps([name, arguments]) + '\n'
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        return self.hear()

    def programs(self):
        """Pids of the node programs."""
        return processes.children(self.keeper)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def said(self):
        return self.log.read_text()


class AgentTest(errands.ErrandTest):
    """A router with a live keepalived, and the two processes."""

    def setUp(self):
        super().setUp()
        self.agent = self.useFixture(Process())

    def promote_through(self, seconds=60):
        """Begin to change the router; return conversation and program."""
        before = set(self.agent.programs())
        id_ = self.agent.do('open')
        (program,) = set(self.agent.programs()) - before
        begun = self.ask(id_, 'begin', by='somebody', seconds=seconds)
        self.ask(
            *(id_, 'raise'),
            priority=200,
            preempt=True,
            sha256=begun['sha256'],
        )
        self.assertNotEqual(self.before, self.router.conf.read_bytes())
        return id_, program

    def ask(self, id_, op, **fields):
        last = self.agent.do('ask', id_, op, {'router': self.uuid, **fields})
        self.assertEqual(['end'], list(last))
        return last['end']

    def gone(self, *pids):
        for pid in pids:
            self.assert_gone(pid)


class RightsTest(AgentTest):
    def test_look_without_rights(self):
        """The web process has none, and knows what root can see."""
        self.assertTrue(spaces.eventually(self.router.active))
        found = codec.decode(
            view.HostView, self.agent.do('look', self.uuid, 1.5)
        )
        self.assertIsNone(found.failure)
        self.assertEqual(os.uname().nodename, found.hostname)
        (seen,) = found.views
        self.assertEqual((), seen.problems)
        self.assertEqual(self.router.name, seen.namespace)
        self.assertEqual(self.started, [each.pid for each in seen.processes])
        self.assertEqual(1, len(seen.listening.adverts))
        self.assertIn(self.uuid, {each.router_id for each in found.residents})
        spaces.eventually(lambda: not self.agent.programs(), 2)
        self.assertEqual([], self.agent.programs())

    def test_many_at_once(self):
        """More than node programs may run; each is told of its own."""
        ids = [
            self.uuid if number % 4 == 0 else str(uuid.uuid4())
            for number in range(200)
        ]
        began = time.monotonic()
        found = self.agent.do('storm', *ids)
        self.assertLess(time.monotonic() - began, 10)
        for id_, host in zip(ids, found, strict=True):
            self.assertIsNone(host['failure'])
            (seen,) = host['views']
            self.assertEqual(id_, seen['router_id'])
            self.assertEqual(
                self.router.name if id_ == self.uuid else None,
                seen['namespace'],
            )

    def test_what_is_left(self):
        status = self.agent.do('status')
        entry = pwd.getpwnam(web.USER)
        self.assertEqual([entry.pw_uid] * 4, ids(status['Uid']))
        self.assertEqual([entry.pw_gid] * 4, ids(status['Gid']))
        self.assertEqual([entry.pw_gid], ids(status['Groups']))
        for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'):
            self.assertEqual(0, int(status[name], 16), name)
        self.assertEqual('1', status['NoNewPrivs'])
        # and the keeper has them all
        with open(f'/proc/{self.agent.keeper}/status') as stream:
            self.assertIn('Uid:\t0\t0\t0\t0\n', stream.readlines())

    def test_attacks(self):
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        folder.chmod(0o755)
        secret = folder / 'secret'
        secret.write_text('x')
        secret.chmod(0o600)
        # otherwise it would be the folders that keep them away
        for parent in self.router.conf.parents:
            if not stat.S_IMODE(parent.stat().st_mode) & 0o005 == 0o005:
                self.assertNotEqual('/', str(parent))
                parent.chmod(0o755)
        os.chown(self.router.conf, 0, 0)
        self.router.conf.chmod(0o644)
        self.promote(self.talk())
        came = self.agent.do(
            'attack',
            f'/run/netns/{self.router.name}',
            str(secret),
            str(self.router.conf),
        )
        self.assertEqual(dict.fromkeys(came, 'PermissionError'), came)
        self.assertEqual(15, len(came))

    def test_nothing_of_root_is_open(self):
        """But for the socket to the keeper, and what it was started with."""
        pid = self.agent.process.pid
        found = {
            os.readlink(f'/proc/{pid}/fd/{name}').partition(':')[0]
            for name in os.listdir(f'/proc/{pid}/fd')
            if int(name) > 2
        }
        self.assertEqual({'socket'}, found)


def ids(text):
    return [int(each) for each in text.split()]


class CourseTest(AgentTest):
    """A change through the agent is one like any other."""

    def test_course(self):
        id_, program = self.promote_through()
        (guardian,) = processes.children(program)
        with open(f'/proc/{guardian}/comm') as stream:
            self.assertEqual('osc-ha-guardian\n', stream.read())
        self.assertEqual(200, self.priority())
        self.ask(id_, 'quiet')
        self.ask(id_, 'finish')
        self.assert_as_before(0)
        self.gone(guardian)
        self.agent.do('close', id_)
        self.gone(program)
        self.assertEqual('', self.agent.said())

    def test_who_holds_it(self):
        self.promote_through()
        self.assertEqual('locked', self.begin(self.talk())['kind'])
        other = self.agent.do('open')
        refused = self.agent.do(
            'ask',
            other,
            'begin',
            {'router': self.uuid, 'by': 'me', 'seconds': 5},
        )
        self.assertEqual('locked', refused['error']['kind'])
        self.assertIn('somebody', refused['error']['message'])
        self.agent.kill()
        self.assert_as_before()

    def test_closed(self):
        id_, program = self.promote_through()
        self.agent.do('close', id_)
        self.assert_as_before(0)
        self.gone(program)

    def test_closed_while_it_waits(self):
        self.assertTrue(spaces.eventually(self.router.active))
        id_, program = self.promote_through()
        self.agent.do(
            'wait', id_, 'watch', {'router': self.uuid, 'timeout': 60}
        )
        time.sleep(0.3)
        self.agent.do('close', id_)
        self.assert_as_before(0.2)
        self.gone(program)

    def test_deadline(self):
        _, program = self.promote_through(seconds=1)
        self.gone(program)
        self.assert_as_before(0.2)


class KillTest(AgentTest):
    """Whoever is killed, the node is as it was found."""

    def test_web_process(self):
        _, program = self.promote_through()
        guardian, *_ = processes.children(program)
        self.agent.kill()
        self.assert_as_before()
        self.gone(program, guardian, self.agent.keeper)
        self.assertEqual('', self.agent.said())

    def test_web_process_while_it_waits(self):
        self.assertTrue(spaces.eventually(self.router.active))
        id_, program = self.promote_through()
        self.agent.do(
            'wait', id_, 'watch', {'router': self.uuid, 'timeout': 60}
        )
        time.sleep(0.3)
        self.agent.kill()
        self.assert_as_before()
        self.gone(program, self.agent.keeper)

    def test_web_process_in_the_middle_of_looks(self):
        self.promote_through()
        for _ in range(3):
            id_ = self.agent.do('open')
            self.agent.do(
                *('wait', id_, 'probe'),
                {'routers': [self.uuid], 'listen': 1.5},
            )
        programs = self.agent.programs()
        self.assertEqual(4, len(programs))
        self.agent.kill()
        self.assert_as_before()
        spaces.eventually(
            lambda: not os.path.exists(f'/proc/{self.agent.keeper}'), 5
        )
        self.gone(*programs, self.agent.keeper)

    def test_node_program(self):
        """Only its own conversation ends."""
        _, program = self.promote_through()
        other = self.agent.do('open')
        (guardian,) = processes.children(program)
        os.kill(program, signal.SIGKILL)
        self.assert_as_before()
        self.gone(guardian, program)
        last = self.agent.do('ask', other, 'probe', {'routers': [self.uuid]})
        self.assertIn('end', last)
        self.assertIn(
            f'node program {program} ended by signal 9', self.agent.said()
        )

    def test_node_program_and_guardian(self):
        """Whoever looks next undoes it, through the agent as well."""
        _, program = self.promote_through()
        (guardian,) = processes.children(program)
        os.kill(guardian, signal.SIGKILL)
        os.kill(program, signal.SIGKILL)
        self.gone(guardian, program)
        self.assertNotEqual(self.before, self.router.conf.read_bytes())
        found = self.agent.do('look', self.uuid)
        self.assertEqual('undone', found['views'][0]['errand']['state'])
        self.assert_as_before(0)

    def test_keeper(self):
        """What is under way goes on to its end."""
        id_, program = self.promote_through()
        os.kill(self.agent.keeper, signal.SIGKILL)
        self.ask(id_, 'finish')
        self.assert_as_before(0)
        found = self.agent.do('look', self.uuid)
        self.assertEqual('keeper-gone', found['failure']['kind'])
        self.agent.do('close', id_)
        self.gone(program)

    def test_everything(self):
        """Only the guardian is left."""
        _, program = self.promote_through()
        for pid in (self.agent.keeper, program, self.agent.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.assert_as_before()

    def test_service_is_stopped(self):
        """SIGTERM for each process, as systemd does it."""
        _, program = self.promote_through()
        (guardian,) = processes.children(program)
        for pid in (
            self.agent.process.pid,
            self.agent.keeper,
            program,
            guardian,
        ):
            os.kill(pid, signal.SIGTERM)
        self.assert_as_before()
        self.gone(program, guardian, self.agent.keeper)

    def test_web_process_ends_by_itself(self):
        _, program = self.promote_through()
        self.agent.process.stdin.close()
        self.assertIs(True, self.agent.hear())
        self.assertEqual(0, self.agent.process.wait(5))
        # it has waited for this
        self.assert_as_before(0)
        self.assertFalse(os.path.exists(f'/proc/{program}'))
        self.assertFalse(os.path.exists(f'/proc/{self.agent.keeper}'))
