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

"""The conversation: requests in, replies out, until the input ends."""

import importlib
import os
import sys
import typing

from osc_ha_router.node import ending
from osc_ha_router.node import errand
from osc_ha_router.node import errors
from osc_ha_router.node import lines
from osc_ha_router.node import probe
from osc_ha_router.node import protocol
from osc_ha_router.node import replies as replying

#: An operation takes a request's fields, sends what it has to tell as it
#: learns it, and returns what goes into the closing ``end`` line. It checks
#: every field that it uses, and raises ProgramError. What it changes it
#: changes in an errand, which is undone whatever happens.
Operation = typing.Callable[
    [protocol.Json, replying.Replies, errand.Errands], protocol.Json
]


class Later:
    """An operation whose module is loaded when it is first asked for.

    A check is not to wait for what only a failover needs.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def load(self) -> Operation:
        """The operation itself."""
        module = importlib.import_module(
            '%s.%s' % (__name__.rpartition('.')[0], self._module)
        )
        found = getattr(module, self._name)  # type: Operation
        return found

    def __call__(
        self,
        fields: protocol.Json,
        replies: replying.Replies,
        errands: errand.Errands,
    ) -> protocol.Json:
        return self.load()(fields, replies, errands)


OPERATIONS = {
    'probe': probe.run,
    'begin': Later('change', 'begin'),
    'raise': Later('change', 'promote'),
    'owe': Later('change', 'owe'),
    'quiet': Later('change', 'quiet'),
    'terminate': Later('change', 'terminate'),
    'watch': Later('watch', 'run'),
    'takeover': Later('takeover', 'run'),
    'export': Later('carry', 'export'),
    'import': Later('carry', 'import_'),
    'clean': Later('addresses', 'clean'),
    'add': Later('addresses', 'add'),
    'reload': Later('nudge', 'reload'),
    'link-up': Later('nudge', 'link_up'),
    'forward': Later('nudge', 'forward'),
    'end': Later('ends', 'end'),
    'wake': Later('ends', 'wake'),
    'report': Later('tell', 'run'),
    'evict': Later('evict', 'run'),
    'finish': Later('change', 'finish'),
    'stop': Later('change', 'stop'),
}  # type: typing.Dict[str, Operation]


def serve(stdin: typing.BinaryIO, stdout: typing.BinaryIO) -> None:
    """Answers the requests on ``stdin`` until it ends or nobody listens.

    :param stdin: a binary stream, read line by line
    :param stdout: a binary stream, flushed after each line
    """
    source = lines.Input(stdin)
    errands = errand.Errands()
    try:
        try:
            replying.Replies(stdout).relay(protocol.encode(hello()))
            for line in source:
                replies = replying.Replies(stdout, stdin=source)
                _answer(line, replies, errands)
        finally:
            # whatever has ended the conversation
            errands.close()
    except replying.Gone:
        _silence(stdout)
    except ending.Ended:
        # what there was to do about it is done
        pass


def hello() -> protocol.Json:
    """The first line of every conversation."""
    return {
        'hello': {
            'program': protocol.PROGRAM,
            'protocol': protocol.VERSION,
            'hostname': os.uname().nodename,
            'python': '%d.%d.%d' % sys.version_info[:3],
            'uid': os.geteuid(),
        }
    }


def _answer(
    line: typing.Optional[bytes],
    replies: replying.Replies,
    errands: errand.Errands,
) -> None:
    try:
        if line is None:
            raise errors.BadRequest(
                'a request is at most %d bytes' % protocol.LINE_LIMIT
            )
        fields = protocol.decode(line)
        replies.number = protocol.request_id(fields)
        request = protocol.request(fields)
        operation = OPERATIONS.get(request.op)
        if operation is None:
            raise errors.ProgramError(
                errors.UNKNOWN_OP, 'unknown operation %.60r' % request.op
            )
        replies({'end': operation(request.fields, replies, errands)})
    except replying.Gone:
        raise
    except errors.ProgramError as error:
        replies({'error': {'kind': error.kind, 'message': error.message}})
    except Exception as error:
        # A traceback on the stream would end the conversation for every
        # other router of the host.
        text = '%s: %s' % (type(error).__name__, error)
        replies({'error': {'kind': errors.INTERNAL, 'message': text}})


def _silence(stdout: typing.BinaryIO) -> None:
    """Lets the interpreter flush what nobody reads without complaining."""
    try:
        target = stdout.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
    except (OSError, ValueError):
        return
    os.dup2(null, target)
    os.close(null)
