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

"""The program osc-ha-router-agent, from its start to its end.

In this order, each step for a reason: what only root can read is read; the
keeper is started, before there is any thread; the rights of root are given
away; only then anything talks to the network.
"""

from collections.abc import Sequence
import contextlib
import os
import signal
import sys
import threading
from typing import NoReturn

from oslo_config import cfg
from oslo_log import log as logging

from osc_ha_router import errors
from osc_ha_router.agent import application
from osc_ha_router.agent import assembly
from osc_ha_router.agent import keeper as keepers
from osc_ha_router.agent import policies
from osc_ha_router.agent import privileges
from osc_ha_router.agent import server
from osc_ha_router.agent import slow
from osc_ha_router.agent import startup

LOG = logging.getLogger(__name__)

#: seconds for threads and node programs to end when nothing is under way
_END = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to end; does not return if something hangs then.

    :return: 0 after SIGTERM, 1 if it could not start or could not go on
    """
    try:
        conf = startup.configuration(
            sys.argv[1:] if arguments is None else arguments
        )
        startup.check(conf)
        secrets = startup.secrets(conf)
        startup.raise_limits(conf.agent.connections)
        keeper = keepers.start(conf.agent.processes)
        privileges.drop(conf.agent.user, conf.agent.group)
        # files of logs are opened by the user who writes them from now on
        logging.setup(conf, 'osc-ha-router-agent')
        agent = Agent(conf, secrets, keeper)
        agent.prepare()
    except (
        errors.ConfigError,
        keepers.Gone,
        privileges.Refused,
        logging.LogConfigError,
        OSError,
    ) as exc:
        print(f'osc-ha-router-agent: {exc}', file=sys.stderr)
        return 1
    code = agent.run()
    _leave(code)


class Agent:
    """The web process.

    :param conf: the configuration
    :param secrets: read before
    :param keeper: started before
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        secrets: startup.Secrets,
        keeper: keepers.Keeper,
    ) -> None:
        self._conf = conf
        self._keeper = keeper
        enforcer = policies.enforcer(conf)
        self._parts = assembly.build(
            conf, keeper, enforcer, secrets.credentials
        )
        self._server = server.Server(
            (str(conf.agent.listen_address), conf.agent.listen_port),
            application.build(self._parts.services, conf, enforcer),
            threads=conf.agent.threads,
            tls=secrets.tls,
            limit=conf.agent.connections,
            waits=slow.Slow(
                conf.agent.slow_threads, conf.agent.slow_threads_per_address
            ),
            request_timeout=conf.agent.request_timeout,
        )
        self._ended = threading.Event()
        self._code = 0

    def prepare(self) -> None:
        """Open the port.

        :raises OSError: it cannot be had
        """
        self._server.prepare()

    def run(self) -> int:
        """Serve until told to end, and come to an end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._ended.set())
        # which nodes there are is good to know before Neutron is down
        learn = self._parts.claims.learn
        for work in (self._serve, self._watch, learn):
            threading.Thread(
                target=work, name=work.__name__, daemon=True
            ).start()
        self._parts.sweep.start()
        LOG.info(
            'The agent of %s answers on %s port %d',
            self._conf.agent.host,
            *self._server.bind_addr[:2],
        )
        # in slices, so that a signal is noticed at once everywhere
        while not self._ended.wait(1.0):
            pass
        self._finish()
        return self._code

    def _serve(self) -> None:
        try:
            self._server.serve()
        except BaseException:
            LOG.exception('The web server failed')
        if not self._ended.is_set():
            self._fail('The web server has ended')

    def _watch(self) -> None:
        """Wait for the end of the keeper, without which nothing works."""
        with contextlib.suppress(ChildProcessError):
            # gone, and whoever ended it took note of that
            os.waitid(os.P_PID, self._keeper.pid, os.WEXITED | os.WNOWAIT)
        if not self._ended.is_set():
            self._fail('The privileged process has ended')

    def _fail(self, what: str) -> None:
        LOG.error('%s, so the agent ends', what)
        self._code = 1
        self._ended.set()

    def _finish(self) -> None:
        seconds = 0.0 if self._code else self._conf.agent.shutdown_timeout
        LOG.info('The agent ends; what is under way has %g s', seconds)
        if not self._server.drain(seconds):
            LOG.warning('Not all that was under way has come to its end')
        # with them goes what they have begun to change on the node
        self._parts.conversations.close_all()
        for work in (self._parts.sweep.stop, self._server.stop):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            thread.join(_END)
        if not self._keeper.wait(_END):
            LOG.warning('The privileged process is still at work')


def _leave(code: int) -> NoReturn:
    """End the process, also if a thread hangs on somebody else's answer."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == '__main__':
    sys.exit(main())
