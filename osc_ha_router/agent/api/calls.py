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

"""From an HTTP request to a call: who, what, whether it is allowed."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import dataclasses
import functools
import json
import re
from typing import Any
from typing import NoReturn

import flask
import jsonschema
from jsonschema import protocols
from jsonschema import validators
from oslo_context import context
from oslo_policy import policy

from osc_ha_router import text
from osc_ha_router.agent import policies
from osc_ha_router.agent import services as parts
from osc_ha_router.agent import tokens
from osc_ha_router.agent.api import bodies
from osc_ha_router.agent.api import gates
from osc_ha_router.agent.api import operations
from osc_ha_router.agent.api import problems

#: characters of what was wrong that are said
_SAID = 200
#: lists and objects within each other, more than any request has
_DEPTH = 32


@dataclasses.dataclass(frozen=True)
class House:
    """What is the same for all calls."""

    services: parts.Services
    enforcer: policy.Enforcer
    #: checks, for which other agents are asked
    checks: gates.Gate
    #: other calls for which they are asked
    front: gates.Gate
    #: calls for which many nodes are asked
    wide: gates.Gate


@dataclasses.dataclass(frozen=True)
class Call:
    """One request that is allowed and well formed."""

    house: House
    #: the caller
    who: context.RequestContext
    body: Mapping[str, Any]
    #: host and id of the path, where it has them
    path: Mapping[str, str]
    #: whether no other agent is to be asked
    direct: bool
    #: what is let go when the answer is sent
    held: contextlib.ExitStack

    @property
    def services(self) -> parts.Services:
        """Return the parts that do the work."""
        return self.house.services

    @property
    def owner(self) -> str:
        """Return whose the conversations are that this call begins."""
        return str(self.who.user_id)

    @property
    def here(self) -> bool:
        """Return whether the path's host is this one.

        :raises Problem: 421, it is not and no other is to be asked; 404, it
            is none of the nodes
        """
        if self.path['host'] == self.services.host:
            return True
        if self.direct:
            raise problems.Problem(
                421,
                f'This is the agent of {self.services.host}, and not of '
                f'{self.path["host"]}: correct the address, or the option '
                '"host" of the agent.',
            )
        if not self.services.knows(self.path['host']):
            raise problems.not_found('host')
        return False


def caller(environ: Mapping[str, Any]) -> context.RequestContext:
    """Return who calls.

    :raises Problem: 401, the request did not come through the layer of
        tokens
    """
    if not environ.get(tokens.PASSED):
        raise problems.Problem(401, 'A token of Keystone is needed.')
    return context.RequestContext.from_environ(dict(environ))


def allow(house: House, rule: str, who: context.RequestContext) -> None:
    """Refuse what the policy does not allow.

    Whose a router is only the ``Checker`` can say, so checks are judged
    there.

    :param rule: its name
    :raises Problem: 403
    """
    if rule != policies.CHECK and not policies.allows(
        house.enforcer, rule, who
    ):
        raise problems.Problem(
            403,
            f'The policy {rule} does not allow this: use a role that it '
            'names, or ask the operator of the cloud.',
        )


def direct(operation: operations.Operation, args: Any) -> bool:
    """Return whether no other agent is to be asked.

    :param args: of the query
    :raises Problem: 400, also for what means nothing: a misspelt ``direct``
        must not pass for none
    """
    known = {'direct'} if operation.hosts else set()
    for name in args:
        if name not in known:
            said = text.one_line(name)[:_SAID]
            raise problems.Problem(
                400, f'The address takes no {said!r} behind its question mark.'
            )
    given = args.getlist('direct')
    if given in ([], ['false']):
        return False
    if given == ['true']:
        return True
    raise problems.Problem(400, 'direct is either true or false, once.')


def path(given: Mapping[str, str]) -> dict[str, str]:
    """Return the parts of the path that vary, checked.

    :raises Problem: 404, there can be nothing of that name
    """
    for name, schema in (('host', bodies.HOST), ('id', bodies.UUID)):
        if name in given and not _validator(json.dumps(schema)).is_valid(
            given[name]
        ):
            what = {'host': 'host', 'id': 'conversation'}[name]
            raise problems.not_found(what)
    return dict(given)


def body(operation: operations.Operation) -> dict[str, Any]:
    """Return the request's body, checked and with its defaults.

    :raises Problem: 400, 413 or 415
    """
    if operation.body is None:
        return {}
    request = flask.request
    request.max_content_length = operation.limit
    data = request.get_data(cache=False)
    if not data and operation.optional:
        return bodies.defaults(dict(operation.body), {})
    if request.mimetype != operations.JSON:
        raise problems.Problem(
            415, 'Send JSON, with "Content-Type: application/json".'
        )
    found = _parse(data)
    validator = _validator(json.dumps(operation.body))
    try:
        error = jsonschema.exceptions.best_match(validator.iter_errors(found))
    except RecursionError:
        raise _too_deep() from None
    if error is not None:
        where = '.'.join(str(part) for part in error.absolute_path)
        said = text.one_line(error.message)[:_SAID]
        raise problems.Problem(
            400, f'The body is not as described: {where or "it"}: {said}'
        )
    return bodies.defaults(dict(operation.body), found)


@functools.cache
def _validator(schema: str) -> protocols.Validator:
    found: protocols.Validator = _Validator(json.loads(schema))
    return found


def _pattern(
    validator: Any, pattern: str, instance: Any, schema: Any
) -> Iterator[jsonschema.ValidationError]:
    # $ is the end; in Python it is also before a line feed at the end
    whole = pattern.replace('$', r'\Z')
    if isinstance(instance, str) and not re.search(whole, instance):
        yield jsonschema.ValidationError(
            f'{instance!r} does not match {pattern!r}'
        )


_Validator: Any = validators.extend(  # type: ignore[no-untyped-call]
    validators.Draft202012Validator, {'pattern': _pattern}
)


def _parse(data: bytes) -> Any:
    try:
        found = json.loads(data.decode('utf-8'), parse_constant=_no_number)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as exc:
        said = text.one_line(str(exc))[:_SAID]
        raise problems.Problem(400, f'The body is not JSON: {said}') from None
    level = [found]
    for _ in range(_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
    if level:
        # whatever looks into it goes as deep, and the stack has an end
        raise _too_deep()
    return found


def _inside(outer: Any) -> Iterable[Any]:
    if isinstance(outer, dict):
        return outer.values()
    return outer if isinstance(outer, list) else ()


def _too_deep() -> problems.Problem:
    return problems.Problem(
        400, f'The body has more than {_DEPTH} levels of lists and objects.'
    )


def _no_number(word: str) -> NoReturn:
    raise ValueError(f'{word} is not a number of JSON')
