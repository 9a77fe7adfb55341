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

"""What a repair can do, and what it leaves to people."""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import enum
from typing import Any

from osc_ha_router.diagnosis.rules import words


class Op(enum.StrEnum):
    """One kind of action. The order is that in which they are done."""

    #: SIGCONT to a keepalived that is stopped
    WAKE = 'wake'
    #: end processes that do no good
    END = 'end'
    #: remove addresses and routes from where they must not be
    CLEAN = 'clean'
    #: remove what is left on a node that does not host the router
    EVICT = 'evict'
    #: set a device up
    LINK_UP = 'link-up'
    #: set addresses that the active node lacks
    ADD = 'add'
    #: SIGHUP to keepalived
    RELOAD = 'reload'
    #: set IPv6 forwarding as the L3 agent would
    FORWARD = 'forward'
    #: have the active node tell switches where it is
    ANNOUNCE = 'announce'
    #: give the router back to an L3 agent that a repair has taken it off and
    #: was killed, or refused, before it could give it back
    GIVE = 'give'
    #: take the router off an L3 agent and give it back
    RESEAT = 'reseat'
    #: an update of the router that changes nothing
    PROVOKE = 'provoke'
    #: tell the L3 agent what its node really is
    REPORT = 'report'
    #: bind the router's ports in Neutron to the active node
    REBIND = 'rebind'
    #: until Neutron's agents have done their part
    WAIT = 'wait'


#: lists in the fields of an action, which are joined when two are
_LISTS = ('addresses', 'routes', 'pids', 'devices', 'ports')

Key = tuple[Op, str | None]


@dataclasses.dataclass(frozen=True)
class Action:
    """Something that is going to be done."""

    op: Op
    #: None: not on one node
    host: str | None
    #: of the findings that it cures
    codes: tuple[str, ...]
    #: what exactly, in lists of the node program's shapes
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    #: what can go wrong, or is lost; sentences without final dot
    risks: tuple[str, ...] = ()
    #: what has to come about then, in words
    waits_for: str = ''

    @property
    def key(self) -> Key:
        """Return what tells it from others of a plan."""
        return self.op, self.host

    @property
    def what(self) -> str:
        """Return what is done, in words, without the host."""
        return _WHAT[self.op](self.fields)

    def join(self, other: 'Action') -> 'Action':
        """Return the two in one; they have the same key."""
        fields = dict(self.fields)
        for name, value in other.fields.items():
            if name in _LISTS:
                known = fields.get(name, [])
                fields[name] = [*known, *(x for x in value if x not in known)]
            else:
                fields[name] = value
        return dataclasses.replace(
            self,
            codes=_once(self.codes, other.codes),
            fields=fields,
            risks=_once(self.risks, other.risks),
            waits_for=self.waits_for or other.waits_for,
        )


@dataclasses.dataclass(frozen=True)
class Later:
    """Something that may have to be done when the rest is."""

    op: Op
    host: str | None
    #: in words
    when: str

    @property
    def key(self) -> Key:
        """Return what tells it from others of a plan."""
        return self.op, self.host


@dataclasses.dataclass(frozen=True)
class Refusal:
    """Something that is left to people, and how they do it."""

    code: str
    name: str
    host: str | None
    #: why, a sentence without a final dot
    reason: str
    #: what to do by hand, the least dangerous first
    steps: tuple[str, ...]
    #: whether it may be otherwise in a moment, after something was done
    passing: bool = False


@dataclasses.dataclass(frozen=True)
class Follows:
    """A finding that goes when the others are cured."""

    code: str
    host: str | None


Remedy = Action | Later | Refusal | Follows


def _once(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _places(fields: Mapping[str, Any]) -> str:
    parts = [
        words.some(
            f'{each["address"]} on {each["device"]}'
            for each in fields.get('addresses', ())
        ),
        words.some(
            f'the route to {each["destination"]}'
            for each in fields.get('routes', ())
        ),
    ]
    return ', '.join(part for part in parts if part)


def _pids(fields: Mapping[str, Any]) -> str:
    return ', '.join(str(pid) for pid in fields['pids'])


def _evict(fields: Mapping[str, Any]) -> str:
    name = fields.get('namespace')
    space = f', and remove {name} with its devices' if name else ''
    return (
        f'end what runs of the router{space}; where the L3 agent lives and '
        'believes that it has the router, Neutron is asked to give it to the '
        'agent for a moment and take it off, which has the agent remove it'
    )


_WHAT: dict[Op, Callable[[Mapping[str, Any]], str]] = {
    Op.WAKE: lambda f: f'let keepalived go on (SIGCONT to {_pids(f)})',
    Op.END: lambda f: f'end process {_pids(f)}',
    Op.CLEAN: lambda f: f'remove {_places(f)}',
    Op.EVICT: _evict,
    Op.LINK_UP: lambda f: f'set {", ".join(f["devices"])} up',
    Op.ADD: lambda f: f'set {_places(f)}',
    Op.RELOAD: lambda f: 'have keepalived read its file again (SIGHUP)',
    Op.FORWARD: lambda f: (
        'set IPv6 forwarding on'
        if f['device'] == 'all'
        else f'set IPv6 forwarding off for {f["device"]}'
    ),
    Op.ANNOUNCE: lambda f: 'announce the addresses, so that switches learn',
    Op.GIVE: lambda f: (
        'have Neutron give the router back to the L3 agent, off which a '
        'repair that did not come to its end has taken it'
    ),
    Op.RESEAT: lambda f: (
        'have Neutron take the router off the L3 agent, and give it back'
    ),
    Op.PROVOKE: lambda f: (
        'have Neutron send the router to its L3 agents again (an update that '
        'changes nothing)'
    ),
    Op.REPORT: lambda f: 'tell the L3 agent what the node is',
    Op.REBIND: lambda f: (
        f'have Neutron bind {len(f["ports"])} of the ports to the node'
    ),
    Op.WAIT: lambda f: 'wait',
}
