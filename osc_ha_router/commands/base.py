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

"""What the commands share: settings, options, and how they end."""

import argparse
from collections.abc import Callable
import logging
import sys
from typing import Any
from typing import TYPE_CHECKING

from osc_ha_router import capture
from osc_ha_router import config
from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router.backends import registry
from osc_ha_router.diagnosis import catalogue

if TYPE_CHECKING:
    # brings openstacksdk, which a capture does not need
    from osc_ha_router import cloud

LOG = logging.getLogger(__name__)


def seconds(value: str) -> float:
    """Parse a number of seconds, zero or more."""
    number = float(value)
    if not 0 <= number <= 86400:
        raise argparse.ArgumentTypeError(f'{value} is not 0 to 86400 seconds')
    return number


def bound(value: str) -> float:
    """Parse a bound in seconds, above zero."""
    number = seconds(value)
    if not number:
        raise argparse.ArgumentTypeError('a bound must be above 0 seconds')
    return number


def listening(value: str) -> float:
    """Parse a time to listen, which the node program bounds as well."""
    number = seconds(value)
    if number > 60:
        raise argparse.ArgumentTypeError(f'{value} is not 0 to 60 seconds')
    return number


def code(value: str) -> str:
    """Parse the code or name of a finding."""
    entry = catalogue.by_code(value)
    if entry is None:
        raise argparse.ArgumentTypeError(
            f'{value!r} is no finding; see "openstack router ha finding list"'
        )
    return entry.code


def add_reach_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that reaches for nodes."""
    parser.add_argument(
        '--backend',
        metavar='<name>',
        help='How to look at the nodes (default: ssh)',
    )
    parser.add_argument(
        '--timeout',
        metavar='<seconds>',
        type=bound,
        help='Bound for everything (default: 120)',
    )
    parser.add_argument(
        '--probe-timeout',
        metavar='<seconds>',
        type=bound,
        help='Bound for one node (default: 15)',
    )


def add_look_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that only looks at routers."""
    add_reach_options(parser)
    parser.add_argument(
        '--listen',
        metavar='<seconds>',
        type=listening,
        default=0.0,
        help='Listen for VRRP advertisements on each node this long first',
    )
    parser.add_argument(
        '--recheck',
        metavar='<seconds>',
        type=seconds,
        default=10.0,
        help='Look again after this time before reporting what may be a '
        'change under way; 0: do not (default: 10)',
    )
    parser.add_argument(
        '--ignore',
        metavar='<code>',
        type=code,
        action='append',
        default=[],
        help='Show this finding but do not count it (repeat for several)',
    )
    parser.add_argument(
        '--save',
        metavar='<file>',
        help='Save what was seen as a capture, which holds names and '
        'addresses of the cloud but no credentials',
    )
    parser.add_argument(
        '--capture',
        metavar='<file>',
        help='Judge a saved capture instead of a cloud, or example:<name> '
        'for one that is shipped; no credentials needed',
    )


class Reach:
    """A mixin for commands that reach for the cloud and its nodes."""

    app: Any
    auth_required: bool

    def settings(self, parsed_args: argparse.Namespace) -> config.Settings:
        """Return the settings, the command's own options first.

        :raises ConfigError: for a value that cannot be used
        """
        options = {
            setting.name: getattr(
                self.app.options, 'os_router_ha_' + setting.name, None
            )
            for setting in config.fields()
        }
        for name in ('backend', 'timeout', 'probe_timeout'):
            if getattr(parsed_args, name) is not None:
                options[name] = getattr(parsed_args, name)
        configuration = self.app.client_manager.get_configuration()
        return config.load(options, configuration.get('router_ha'))

    def cloud(self, timeout: float) -> engine.Source:
        """Sign on, and return what Neutron says."""
        self.auth_required = True
        self.app.prepare_to_run_command(self)
        source: cloud.Cloud = self.app.client_manager.router_ha
        source.bound(timeout)
        return source


class Look(Reach):
    """A mixin for commands that look at routers.

    Such a command needs a cloud only without ``--capture``, which is known
    after parsing, so it signs on by itself.
    """

    auth_required = False

    def answer(
        self, parsed_args: argparse.Namespace, question: engine.Question
    ) -> engine.Answer:
        """Gather and judge, and save the look if that was asked for.

        :raises Error: see ``osc_ha_router.errors``
        """
        if parsed_args.capture is not None:
            captured = capture.load(parsed_args.capture)
            machine = engine.Engine(
                capture.CapturedCloud(captured),
                capture.CapturedNodes(captured),
            )
            # a capture does not change however long one waits
            answer = machine.check(question, recheck=False)
        else:
            settings = self.settings(parsed_args)
            machine = engine.Engine(
                self.cloud(settings.timeout),
                registry.load(settings),
                notify=notify,
            )
            answer = machine.check(question)
        if parsed_args.save is not None:
            capture.save(answer.look, parsed_args.save)
        return answer

    def question(
        self, parsed_args: argparse.Namespace, names: tuple[str, ...]
    ) -> engine.Question:
        """Return what the common options ask."""
        settings = self.settings(parsed_args)
        return engine.Question(
            names=names,
            ignore=frozenset(parsed_args.ignore),
            listen=parsed_args.listen,
            recheck=parsed_args.recheck,
            timeout=settings.timeout,
        )


def notify(message: str) -> None:
    """Tell a person at a terminal what takes time."""
    if sys.stderr.isatty():
        sys.stderr.write(message + '\n')
    else:
        LOG.info(message)


def guarded(run: Callable[[], int]) -> int:
    """Run a command, turning our own errors into message and exit code."""
    try:
        return run()
    except errors.Error as exc:
        LOG.error(str(exc))
        return exc.exit_code
