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

"""Views of thousands of routers in little memory.

A view takes some 25 KiB as objects and one as compressed JSON, and a verdict
needs those of one router at a time. So they are unpacked one by one, when
they are asked for, and not kept.
"""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import json
import re
from typing import overload
from typing import TypeAlias
import zlib

import msgspec

from osc_ha_router import codec
from osc_ha_router.model import view

#: the fastest; more would save little
_LEVEL = 1

#: JSON, either a whole or a part of a larger one, which it keeps in memory
_Text: TypeAlias = bytes | msgspec.Raw

#: for what is known to be right, and safe to print
_DECODER = msgspec.json.Decoder(view.NodeView)

#: as many views of one host are kept as they are
_FEW = 64


class Packed(Sequence[view.NodeView]):
    """Views, each made anew whenever it is asked for.

    Equal to a tuple of the same views. What was packed unread may turn out
    to be no view, which raises ``codec.DecodeError`` then.
    """

    def __init__(
        self, ids: list[str], texts: list[_Text], *, compressed: bool
    ) -> None:
        #: the router of each view
        self.ids = ids
        self.texts = texts
        self.compressed = compressed

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, index: int) -> view.NodeView: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[view.NodeView, ...]: ...

    def __getitem__(
        self, index: int | slice
    ) -> view.NodeView | tuple[view.NodeView, ...]:
        if isinstance(index, slice):
            return tuple(map(self._unpacked, self.texts[index]))
        return self._unpacked(self.texts[index])

    def __iter__(self) -> Iterator[view.NodeView]:
        return map(self._unpacked, self.texts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (Packed, tuple)):
            return NotImplemented
        return tuple(self) == tuple(other)

    def __repr__(self) -> str:
        return repr(tuple(self))

    def only(self, routers: Collection[str]) -> Sequence[view.NodeView]:
        """Return the views of these routers, without unpacking others."""
        found = [i for i, id_ in enumerate(self.ids) if id_ in routers]
        if len(found) <= _FEW:
            return tuple(self[i] for i in found)
        return Packed(
            [self.ids[i] for i in found],
            [self.texts[i] for i in found],
            compressed=self.compressed,
        )

    def _unpacked(self, text: _Text) -> view.NodeView:
        if self.compressed:
            text = zlib.decompress(text)
        try:
            return _DECODER.decode(text)
        except (msgspec.DecodeError, RecursionError):
            # of a large capture; says what is wrong with it
            return codec.loads(view.NodeView, text)


class Packer:
    """Takes views as they come, and packs them when they are many.

    :param compress: false: take the space, save the time
    """

    def __init__(self, *, compress: bool = True) -> None:
        self._compress = compress
        self._ids: list[str] = []
        self._texts: list[_Text] = []
        self._few: list[view.NodeView] = []

    def add(self, shown: view.NodeView, text: _Text | None = None) -> None:
        """Take one more.

        :param text: the same in JSON, with nothing in it to be cleaned
        """
        if text is None:
            text = codec.dumps(shown)
        self._ids.append(shown.router_id)
        self._texts.append(
            zlib.compress(text, _LEVEL) if self._compress else text
        )
        if len(self._ids) <= _FEW:
            self._few.append(shown)

    def take(self, views: Packed, places: Iterable[int]) -> None:
        """Take some that are packed already, and in the same way."""
        for place in places:
            self._ids.append(views.ids[place])
            self._texts.append(views.texts[place])
            if len(self._ids) <= _FEW:
                self._few.append(views[place])

    def views(self) -> Sequence[view.NodeView]:
        """Return what was taken so far, whatever another thread adds."""
        texts = list(self._texts)
        if len(texts) <= _FEW:
            return tuple(self._few[: len(texts)])
        ids = self._ids[: len(texts)]
        return Packed(ids, texts, compressed=self._compress)


def ids(views: Sequence[view.NodeView]) -> Sequence[str]:
    """Return the router of each view, without unpacking any."""
    if isinstance(views, Packed):
        return views.ids
    return [shown.router_id for shown in views]


def texts(views: Sequence[view.NodeView]) -> Iterator[bytes]:
    """Yield each view in JSON, one at a time.

    :raises codec.DecodeError: for what was packed unread and is no view
    """
    if isinstance(views, Packed) and views.compressed:
        # what was compressed was a view before
        yield from map(zlib.decompress, views.texts)
    else:
        yield from map(codec.dumps, views)


def only(
    views: Sequence[view.NodeView], routers: Collection[str]
) -> Sequence[view.NodeView]:
    """Return the views of these routers, in the same order.

    :param routers: one in which a router is found at once, such as a set
    """
    if isinstance(views, Packed):
        return views.only(routers)
    return tuple(shown for shown in views if shown.router_id in routers)


def replaced(
    views: Sequence[view.NodeView],
    old: Collection[str],
    new: Sequence[view.NodeView],
) -> Sequence[view.NodeView]:
    """Return views with others in the place of those of some routers.

    :param old: ids of these routers
    """
    if not isinstance(views, Packed):
        return (*(v for v in views if v.router_id not in old), *new)
    kept = [n for n, id_ in enumerate(views.ids) if id_ not in old]
    packer = Packer(compress=views.compressed)
    packer.take(views, kept)
    for shown in new:
        packer.add(shown)
    return packer.views()


def host(data: bytes, *, compress: bool = True) -> view.HostView:
    """Return what ``codec.decode`` makes of a host, with its views packed.

    :param data: JSON in UTF-8
    :param compress: see ``Packer``
    :raises DecodeError: naming the place and what is wrong with it
    """
    if codec.plain(data):
        with contextlib.suppress(msgspec.DecodeError, RecursionError):
            unread = msgspec.json.decode(data, type=Unread)
            return unread.read(compress=compress)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise codec.DecodeError(f'HostView: {exc}') from None
    return codec.decode(view.HostView, found)


class Unread(msgspec.Struct):
    """A ``HostView`` with its views as they came; see there."""

    host: str
    failure: view.Failure | None = None
    views: list[msgspec.Raw] = []
    residents: tuple[view.Resident, ...] | None = None
    hostname: str | None = None
    seconds: float | None = None

    def read(self, *, compress: bool) -> view.HostView:
        """Return the host.

        :param compress: see ``Packer``
        :raises msgspec.DecodeError: for what is no view
        """
        packer = Packer(compress=compress)
        for text in self.views:
            packer.add(_DECODER.decode(text), text)
        return self._with(packer.views())

    def lazily(self) -> view.HostView:
        """Return the host; what is no view is found out when it is used.

        :raises msgspec.DecodeError: for what is not about a router
        """
        if len(self.views) <= _FEW:
            return self.read(compress=False)
        ids = [_router_id(text) for text in self.views]
        return self._with(Packed(ids, list(self.views), compressed=False))

    def _with(self, views: Sequence[view.NodeView]) -> view.HostView:
        return view.HostView(
            **{**msgspec.structs.asdict(self), 'views': views}
        )


class _About(msgspec.Struct):
    """No more of a view than which router it is of."""

    router_id: str


_ABOUT = msgspec.json.Decoder(_About)
#: how a view begins that was written by this program or the one on the nodes
_BEGINS = re.compile(rb'\{"router_id": ?"([0-9a-f-]{36})", ?"namespace"')


def _router_id(text: msgspec.Raw) -> str:
    """Return which router a view is of, if possible by its first bytes."""
    begins = _BEGINS.match(text)
    if begins is not None:
        return begins[1].decode()
    return _ABOUT.decode(text).router_id
