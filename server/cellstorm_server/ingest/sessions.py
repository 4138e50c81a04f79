"""All sessions of this gateway: at most one per acquisition, at most so many in all."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cellstorm.acquisitions import State
from cellstorm.errors import Busy, SessionReplaced, WrongState
from cellstorm.gaps import LinkGap
from cellstorm.settings import Settings
from cellstorm.store import Store
from cellstorm_server.feeder import Feeder
from cellstorm_server.ingest.peer import Peer
from cellstorm_server.ingest.session import Ending, Intake, Session
from cellstorm_server.library import Library
from cellstorm_server.locks import Locks

_REPLACED_REMEMBERED: Final = 1000


class Sessions:
    """Opens and ends them."""

    def __init__(self, store: Store, feeder: Feeder, library: Library, settings: Settings) -> None:
        self._store = store
        self._feeder = feeder
        self._library = library
        self._settings = settings
        self._by_id: dict[str, Session] = {}
        self._opening = Locks(asyncio.Lock)
        self._coming: set[str] = set()  # acquisitions whose session is being opened
        self._replaced: OrderedDict[str, str] = OrderedDict()

    async def open(self, acquisition_id: str, offer: str, client: str) -> tuple[str, str]:
        """A session's id and the answer to the offer that came from the address `client`.

        A phone that publishes again (after a lost link, say) replaces its old session and continues the same image.

        Raises
        ------
        Busy, StorageFull
            If there is no place for another phone.
        WrongState
            If the acquisition takes no more frames.
        InvalidOffer
            If the offer cannot be answered.
        """
        async with self._opening.of(acquisition_id):
            with self._place(acquisition_id):
                return await self._open(acquisition_id, offer, client)

    async def tell_gap(self, acquisition_id: str, session_id: str, told: LinkGap) -> None:
        """What a phone has missed before its session; to be told before its first frame.

        Raises
        ------
        WrongState
            If frames have come already, or the session is over.
        """
        session = self._by_id.get(session_id)
        if session is None or session.acquisition_id != acquisition_id or session.is_over:
            raise WrongState("the session is over; publish again, then tell of the gap")
        await session.tell_gap(told)

    async def close(self, acquisition_id: str, session_id: str) -> None:
        """End a session of an acquisition; all that came is kept when this returns. One that is over is no error.

        Raises
        ------
        SessionReplaced
            If another phone has taken its place, so that two phones do not drive each other out in turn.
        """
        if self._replaced.get(session_id) == acquisition_id:
            raise SessionReplaced("another phone films this acquisition now; stop it there to film with this one again")
        session = self._by_id.get(session_id)
        if session is not None and session.acquisition_id == acquisition_id and not session.is_over:
            await session.end("closed")

    async def close_acquisition(self, acquisition_id: str) -> None:
        """End the acquisition's session, if it has one."""
        await self._end_of(acquisition_id, "closed")

    async def shutdown(self) -> None:
        """End all; their phones may publish again to whoever comes next."""
        await asyncio.gather(*(session.end("shutting_down") for session in self.active))

    @property
    def active(self) -> list[Session]:
        """Sessions that are not over."""
        return [session for session in self._by_id.values() if not session.is_over]

    async def _open(self, acquisition_id: str, offer: str, client: str) -> tuple[str, str]:
        await self._check_open(acquisition_id)
        peer = Peer(self._settings)
        try:
            answer = await peer.answer(offer, client)
            await self._end_of(acquisition_id, "replaced")
            await asyncio.to_thread(self._store.set_fields, acquisition_id, live=1)
            session_id = secrets.token_urlsafe(12)
            intake = Intake(acquisition_id, session_id, self._store, self._feeder, self._library)
        except BaseException:
            await peer.close()
            raise
        session = Session(session_id, acquisition_id, peer, intake, self._store, self._settings)
        self._by_id[session.id] = session
        session.when_over(self._by_id.pop)  # its connection and its buffers go with it
        return session.id, answer

    async def _end_of(self, acquisition_id: str, ending: Ending) -> None:
        for session in self.active:
            if session.acquisition_id == acquisition_id:
                await session.end(ending)
                if ending == "replaced":
                    self._remember_replaced(session)

    def _remember_replaced(self, session: Session) -> None:
        self._replaced[session.id] = session.acquisition_id
        while len(self._replaced) > _REPLACED_REMEMBERED:
            self._replaced.popitem(last=False)

    @contextmanager
    def _place(self, acquisition_id: str) -> Iterator[None]:
        """A place for its session, for as long as the context lasts; then the session itself takes one."""
        others = {session.acquisition_id for session in self.active} | self._coming
        if len(others - {acquisition_id}) >= self._settings.max_sessions:
            raise Busy("all places for phones are taken; try again when another phone has stopped")
        self._coming.add(acquisition_id)
        try:
            yield
        finally:
            self._coming.discard(acquisition_id)

    async def _check_open(self, acquisition_id: str) -> None:
        await asyncio.to_thread(self._library.check_room)
        acquisition = await asyncio.to_thread(self._store.get, acquisition_id)
        is_upload = await asyncio.to_thread(self._library.upload(acquisition_id).exists)
        if acquisition.state not in (State.WAITING, State.RECEIVING) or is_upload:
            raise WrongState(f"the acquisition is {acquisition.state} and takes no more video; start a new acquisition")
