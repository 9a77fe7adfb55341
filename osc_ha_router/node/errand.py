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

"""Changes under way on this node, each of one router, and their undoing.

An errand begins with the router's lock and ends with everything as it was
found. Whatever an operation changes for a while is written down first;
leaving the conversation in any way undoes all errands.
"""

import binascii
import contextlib
import os
import time
import typing

from osc_ha_router.node import blocks
from osc_ha_router.node import daemon
from osc_ha_router.node import ending
from osc_ha_router.node import errors
from osc_ha_router.node import files
from osc_ha_router.node import folder as folders
from osc_ha_router.node import guardian
from osc_ha_router.node import hold
from osc_ha_router.node import journal as journals
from osc_ha_router.node import keepalived
from osc_ha_router.node import namespaces
from osc_ha_router.node import place
from osc_ha_router.node import protocol
from osc_ha_router.node import recovery
from osc_ha_router.node import undo

#: seconds after the end of a killed program until the programs that it had
#: started have ended, too
_AFTERMATH = 0.5


class Errand:
    """The changes of one router that one conversation has under way.

    :param by: who wants it, for those who are refused meanwhile
    :param seconds: whatever is left then is undone
    :param trap: for the signals that end the program
    :param bare: whether a keepalived.conf that cannot be read will do
    :raises ProgramError: ``locked``, ``absent``, ``unfit``, ``left``,
        ``no-rights``
    """

    def __init__(
        self,
        router_id: str,
        by: str,
        seconds: float,
        trap: ending.Trap,
        bare: bool = False,
    ) -> None:
        self.router_id = router_id
        #: on the monotonic clock
        self.deadline = time.monotonic() + seconds
        self._trap = trap
        with contextlib.ExitStack() as stack:
            #: enters namespaces
            self.traveller = stack.enter_context(namespaces.Traveller())
            found = place.find(self.traveller, router_id)
            #: the one that holds the ha- device
            self.namespace = found.namespace
            #: of keepalived.conf
            self.conf_path = found.conf_path
            #: the one with keepalived.conf
            self.folder = _open(os.path.dirname(found.conf_path))
            stack.callback(self.folder.close)
            since = recovery.now()
            self._lock = hold.take(router_id, by, since, found.conf_path)
            stack.callback(self._lock.close)
            stack.callback(self._lock.remove)
            before = recovery.first(
                self.traveller,
                router_id,
                found.folders + recovery.noted(self._lock.before),
            )
            #: what a predecessor who was killed had left, in sentences
            self.undone = before.sentences
            self._journal = journals.Journal(
                router_id,
                self.namespace.name,
                by,
                since,
                binascii.hexlify(os.urandom(16)).decode(),
            )
            self._journal.seconds = seconds
            # not ours to forget
            self._journal.owed = before.owed
            if not bare:
                self.raw()
            self._found = self._digest()
            self._guardian = guardian.Guardian(
                seconds,
                [
                    self.folder.descriptor,
                    self._lock.descriptor,
                    self.traveller.descriptor,
                ],
                self._rescue,
            )
            stack.callback(self._guardian.dismiss)
            self._stack = stack.pop_all()

    @contextlib.contextmanager
    def inside(self) -> typing.Iterator[None]:
        """Runs its body inside the router's namespace.

        :raises ProgramError: ``absent``, it has gone
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self.traveller.inside(self.namespace))
                if namespaces.current() != self.namespace.inode:
                    raise namespaces.Stale(
                        '%s is another one now' % self.namespace.name
                    )
            except namespaces.Stale as error:
                raise errors.ProgramError(errors.ABSENT, str(error)) from None
            yield

    def raw(self) -> bytes:
        """The bytes of keepalived.conf.

        :raises ProgramError: ``absent``, ``unfit``
        """
        try:
            data = self.folder.conf()
        except (files.Unfit, OSError) as error:
            raise errors.ProgramError(errors.UNFIT, str(error)) from None
        if data is None:
            raise errors.ProgramError(
                errors.ABSENT, '%s has gone' % self.conf_path
            )
        return data

    def conf(self) -> protocol.Json:
        """What keepalived.conf says now, as ``keepalived.parse`` has it.

        :raises ProgramError: ``absent``, ``unfit``
        """
        try:
            return keepalived.parse(self.raw().decode('utf-8', 'replace'))
        except blocks.ConfError as error:
            raise errors.ProgramError(
                errors.UNFIT, '%s: %s' % (self.conf_path, error)
            ) from None

    def families(self) -> typing.List[daemon.Family]:
        """The router's live keepalived processes."""
        return daemon.find(self.traveller, self.namespace.name, self.folder)

    def keepalived(self) -> typing.Tuple[int, int]:
        """Pids of the live keepalived parent and its VRRP child.

        :raises ProgramError: ``no-keepalived``
        """
        for family in self.families():
            if family.child is not None:
                return family.parent, family.child
        raise errors.ProgramError(
            errors.NO_KEEPALIVED,
            'no keepalived with a VRRP process runs with %s in %s'
            % (self.conf_path, self.namespace.name),
        )

    def owe(self, host: typing.Optional[str]) -> None:
        """Writes down for good what is owed, as ``journals.owe``."""
        with self._trap.held():
            journals.owe(self.folder, self._journal, host)

    def record(self, step: protocol.Json) -> None:
        """Writes down a change before it is made.

        :param step: ``{'kind': 'quiet'}``, the rule in ip6tables; that of
            keepalived.conf is written down by ``write``
        """
        if step != {'kind': 'quiet'}:
            raise ValueError('nobody could undo %.60r' % (step,))
        with self._trap.held():
            self._journal.quiet = True
            self._save()

    def write(self, expected: bytes, data: bytes) -> None:
        """Rewrites keepalived.conf and has keepalived read it.

        :param expected: what is in it
        :raises ProgramError: ``changed``, ``no-keepalived``; then what was
            done is undone with the errand
        """
        with self._trap.held():
            before = self._journal.file
            self._journal.file = journals.changed(before, expected, data)
            self._save()
            if not self.folder.replace(expected, data):
                self._journal.file = before
                self._save()
                raise errors.ProgramError(
                    errors.CHANGED,
                    '%s was rewritten just now' % self.conf_path,
                )
            told = daemon.reload(
                self.traveller, self.namespace.name, self.folder
            )
        if not told:
            raise errors.ProgramError(
                errors.NO_KEEPALIVED, 'keepalived has just ended'
            )

    def unchanged(self) -> bool:
        """Whether keepalived.conf still is what was last written here.

        True as well if nothing was written and it is as it was found.
        """
        current = self._digest()
        change = self._journal.file
        expected = change.written[-1] if change else self._found
        return current is not None and current == expected

    def restore(self) -> str:
        """Puts keepalived.conf back now, and has keepalived read it.

        :returns: ``restored``; ``kept``: somebody has rewritten it, that
            version stays; ``nothing``: there was nothing to put back
        :raises ProgramError: ``left``
        """
        with self._trap.held():
            try:
                result = undo.file(self.traveller, self.folder, self._journal)
            except (OSError, files.Unfit) as error:
                raise errors.ProgramError(
                    errors.LEFT,
                    '%s is left changed: %s' % (self.conf_path, error),
                ) from None
            self._save()
        return result

    def undo(self) -> typing.List[str]:
        """Undoes what is left to undo; the lock stays.

        :returns: a sentence for each thing undone
        :raises ProgramError: ``left``; whoever comes next tries again
        """
        with self._trap.held():
            try:
                return undo.everything(
                    self.traveller, self.folder, self._journal
                )
            except undo.Trouble as error:
                raise errors.ProgramError(errors.LEFT, str(error)) from None

    def end(self) -> typing.List[str]:
        """Undoes what is left, ends the guardian and gives the lock back.

        :returns: as ``undo``
        :raises ProgramError: as ``undo``; the lock is gone all the same
        """
        with self._trap.held(), self._stack:
            return self.undo()

    def _save(self) -> None:
        journals.save(self.folder, self._journal)

    def _digest(self) -> typing.Optional[str]:
        """SHA-256 of keepalived.conf; None: it cannot be read."""
        try:
            return journals.digest(self.raw())
        except errors.ProgramError:
            return None

    def _rescue(self) -> None:
        """What the guardian does, long after it was forked.

        What has happened since then only the journal knows.
        """
        try:
            self.folder.tidy()
            journal = journals.load(self.folder, self.router_id)
            if journal is None or journal.token != self._journal.token:
                return
            undo.file(self.traveller, self.folder, journal)
            if journal.quiet:
                time.sleep(_AFTERMATH)
            undo.everything(self.traveller, self.folder, journal)
        finally:
            self._lock.remove()


#: what a conversation has begun
Held = typing.Union[Errand, hold.Hold]


class Errands:
    """The errands of one conversation."""

    def __init__(self) -> None:
        self._under_way = {}  # type: typing.Dict[str, Held]
        self._trap = ending.Trap()

    def begin(
        self, router_id: str, by: str, seconds: float, bare: bool = False
    ) -> Held:
        """Takes a router's lock.

        From now on a signal that ends the program first undoes everything,
        and so does the passing of the time.

        :param bare: whether the lock alone will do where there is no
            namespace or no keepalived.conf, and a file that cannot be used
        :raises ProgramError: as ``Errand``
        """
        self._trap.arm()
        with self._trap.held():
            try:
                begun = self._take(router_id, by, seconds, bare)
                self._under_way[router_id] = begun
            finally:
                self._set_clock()
        return begun

    def of(self, router_id: str) -> Errand:
        """The errand of a router.

        :raises ProgramError: ``no-errand``, and ``absent`` where the lock
            alone was taken
        """
        found = self.held(router_id)
        if isinstance(found, hold.Hold):
            raise errors.ProgramError(
                errors.ABSENT,
                'router %s has no namespace with an ha- device, or no '
                'keepalived.conf, here' % router_id,
            )
        return found

    def held(self, router_id: str) -> Held:
        """The errand of a router, or its lock without more.

        :raises ProgramError: ``no-errand``
        """
        found = self._under_way.get(router_id)
        if found is None:
            raise errors.ProgramError(
                errors.NO_ERRAND,
                'no change of router %s has begun' % router_id,
            )
        return found

    def end(self, router_id: str) -> typing.List[str]:
        """Undoes what is left of one of them, which gives its lock back.

        :returns: a sentence for each thing undone
        :raises ProgramError: ``no-errand``, ``left``
        """
        with self._trap.held():
            ended = self.held(router_id)
            del self._under_way[router_id]
            try:
                return ended.end()
            finally:
                self._set_clock()

    def close(self) -> None:
        """Undoes whatever is left of all of them, the last one first."""
        with self._trap.held():
            for router_id in reversed(list(self._under_way)):
                try:
                    self.end(router_id)
                except (errors.ProgramError, OSError):
                    # Nobody is there to be told. What is left is in the
                    # journal, for whoever looks next.
                    continue

    def _take(
        self, router_id: str, by: str, seconds: float, bare: bool
    ) -> Held:
        try:
            return Errand(router_id, by, seconds, self._trap, bare)
        except errors.ProgramError as error:
            if not bare or error.kind != errors.ABSENT:
                raise
        return hold.Hold(router_id, by, seconds)

    def _set_clock(self) -> None:
        """Without errands, signals and time are what they always are."""
        if not self._under_way:
            self._trap.disarm()
            return
        first = min(each.deadline for each in self._under_way.values())
        self._trap.alarm(first - time.monotonic())


def _open(path: str) -> folders.Folder:
    try:
        return folders.Folder(path)
    except OSError as error:
        raise errors.ProgramError(errors.ABSENT, str(error)) from None
