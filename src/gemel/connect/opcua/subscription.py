"""A subscription: made, published, acknowledged when durable, and taken up again after a break.

Source: OPC UA 1.05 part 4, 5.13 (monitored items), 5.14 (subscriptions, publish, republish).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from asyncua import ua
from asyncua.ua.ua_binary import struct_from_binary

from gemel.connect.delivery import Delivery
from gemel.connect.opcua.session import KEPT, PATIENCE
from gemel.connect.opcua.settings import LinkSettings
from gemel.connect.opcua.space import Space, in_parts
from gemel.connect.opcua.values import (
    Item,
    Unsupported,
    has_overflowed,
    nanoseconds,
    sample_of,
)
from gemel.core.access import Principal
from gemel.core.clock import SECOND, Clock
from gemel.core.message import Sample, Samples
from gemel.core.ports import Intake
from gemel.core.quality import Quality

ASKED = 2
"""Publish requests that the server has at hand: one to answer while the other's answer travels."""
KEEP_ALIVE = 3.0
"""Seconds after which a server with nothing to say says so."""
MOST_MISSED = 1_000
"""Publications asked for again, one by one."""
GONE = "is not there any more: BadNodeIdUnknown"
UNKNOWN_NODE = ua.StatusCodes.BadNodeIdUnknown
LAST_NUMBER = 2**32 - 1


class Silent(Exception):
    """The server has said nothing for longer than it promised to."""


class Subscription:
    """What is subscribed to on a server, over all its connections."""

    def __init__(
        self,
        settings: LinkSettings,
        intake: Intake,
        who: Principal,
        clock: Clock,
        tell: Callable[[str, str], None],
    ) -> None:
        self._settings = settings
        self._intake = intake
        self._who = who
        self._clock = clock
        self._tell = tell
        self.items: list[Item] = []
        self.delivery = Delivery(intake, tell, self._mended)
        self.skew = 0.0
        """Seconds that the server's clock is ahead of ours."""
        self.is_running = False
        self.waiting = 0
        """Writes and calls without an answer yet: some servers say nothing else meanwhile."""
        self._service: Any = None
        self._id = 0
        self._next = 1
        """The number of the publication that is to come."""
        self._patience = 0.0
        self._asked = ASKED
        self._heard = 0
        """When the server last said anything, ns."""
        self._since = 0
        """When it last did so before this subscription was made."""
        self._returning: set[int] = set()
        """Items whose next value tells whether something was missed."""
        self._acks: list[ua.SubscriptionAcknowledgement] = []

    # ---- begin, resume ---------------------------------------------------------------------

    async def begin(self, service: Any, items: list[Item]) -> None:
        """Makes the subscription anew; what changed since it was last had is told as a gap."""
        self._service, self._since = service, self._heard
        before = {one.node: one for one in self.items}
        for item in items:
            old = before.get(item.node)
            item.last = old.last if old else self._intake.heard(item.topic)
            item.times = old.times if old else item.times
        self.items = []
        self._acks.clear()
        request = ua.CreateSubscriptionRequest()
        wanted = request.Parameters
        interval = max(self._settings.publishing, 0.01)
        wanted.RequestedPublishingInterval = interval * 1000
        wanted.RequestedMaxKeepAliveCount = max(1, round(KEEP_ALIVE / interval))
        wanted.RequestedLifetimeCount = max(
            round(KEPT / interval), 3 * wanted.RequestedMaxKeepAliveCount
        )
        wanted.MaxNotificationsPerPublish = 10_000
        wanted.PublishingEnabled = True
        data = await service._send_request(request)  # its own way begins to publish by itself
        response = struct_from_binary(ua.CreateSubscriptionResponse, data)
        response.ResponseHeader.ServiceResult.check()
        made = response.Parameters
        self._id, self._next = made.SubscriptionId, 1
        beats = made.RevisedPublishingInterval / 1000 * made.RevisedMaxKeepAliveCount
        self._patience = 2 * beats + 1.0
        await self.watch(items)

    async def watch(self, items: Sequence[Item]) -> None:
        """Has the server watch further variables."""
        first = len(self.items)
        self.items += items
        places = range(first, len(self.items))
        self._returning |= {place for place in places if self.items[place].last}
        await self._watch(places)

    async def _watch(self, places: Sequence[int]) -> None:
        results = await in_parts(self._watch_some, places)
        for place, result in zip(places, results, strict=True):
            item, status = self.items[place], result.StatusCode
            is_good = status.is_good()
            item.number = result.MonitoredItemId if is_good else 0
            item.status = "" if is_good else f"is not watched: {status.name}"

    async def _watch_some(self, places: Sequence[int]) -> Any:
        request = ua.CreateMonitoredItemsParameters()
        request.SubscriptionId = self._id
        request.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.ItemsToCreate = [self._wanted(place) for place in places]
        return await self._service.create_monitored_items(request)

    def _wanted(self, place: int) -> ua.MonitoredItemCreateRequest:
        found = ua.MonitoredItemCreateRequest()
        found.ItemToMonitor.NodeId = self.items[place].node
        found.ItemToMonitor.AttributeId = ua.AttributeIds.Value
        found.MonitoringMode = ua.MonitoringMode.Reporting
        found.RequestedParameters.ClientHandle = place
        found.RequestedParameters.SamplingInterval = self._settings.sampling * 1000
        found.RequestedParameters.QueueSize = self._settings.queue
        found.RequestedParameters.DiscardOldest = True
        return found

    async def mend(self) -> None:
        """Has the server watch anew what it did not know of; asks whether it knows the rest."""
        await self._ask_for_gone()
        places = [place for place, item in enumerate(self.items) if item.status]
        if not places:
            return
        old = [self.items[place].number for place in places if self.items[place].number]
        await in_parts(self._leave_some, old)
        await self._watch(places)

    async def _leave_some(self, numbers: Sequence[int]) -> Any:
        gone = ua.DeleteMonitoredItemsParameters()
        gone.SubscriptionId, gone.MonitoredItemIds = self._id, list(numbers)
        return await self._service.delete_monitored_items(gone)

    async def _ask_for_gone(self) -> None:
        """Not every server says by itself that a node is deleted."""
        items = [one for one in self.items if not one.status]
        answers = await Space(self._service).read(
            [one.node for one in items], ua.AttributeIds.NodeClass
        )
        received = self._clock()
        for item, answer in zip(items, answers, strict=True):
            if answer.StatusCode is not None and answer.StatusCode.value == UNKNOWN_NODE:
                item.status = GONE
                nothing = Sample(item.name, None, received, Quality.BAD)
                self.delivery.deliver([Samples(item.topic, [nothing], received, self._who)])

    async def resume(self, service: Any, *, is_same_session: bool) -> bool:
        """Takes the subscription up on a new connection; False if the server has it no more."""
        self._service = service
        if not self._id:
            return False
        if not is_same_session and not await self._transfer():
            self.forget()
            return False
        try:
            while await self._again(self._next):
                pass
        except ua.UaStatusCodeError as error:
            if error.code in (
                ua.StatusCodes.BadSubscriptionIdInvalid,
                ua.StatusCodes.BadNoSubscription,
            ):
                self.forget()
                return False
        return True

    async def _transfer(self) -> bool:
        wanted = ua.TransferSubscriptionsParameters()
        wanted.SubscriptionIds = [self._id]
        wanted.SendInitialValues = False
        try:
            [result] = await self._service.transfer_subscriptions(wanted)
        except ua.UaError:
            return False
        return bool(result.StatusCode.is_good())

    def forget(self) -> None:
        """The subscription is over: the next one is made anew."""
        self._id = 0

    # ---- publications ----------------------------------------------------------------------

    async def run(self) -> None:
        """Takes publications until something breaks, and raises what it was."""
        loop = asyncio.get_running_loop()
        asked: deque[asyncio.Task[Any]] = deque()
        self.is_running = True
        try:
            while True:
                while len(asked) < self._asked:
                    acks, self._acks = self._acks, []
                    asked.append(loop.create_task(self._service.publish(acks)))
                done, _ = await asyncio.wait({asked[0]}, timeout=self._patience)
                if not done and self.waiting:
                    continue
                if not done:
                    raise Silent(f"the server said nothing for {self._patience:.0f} s")
                try:
                    response = asked.popleft().result()
                except ua.uaerrors.BadTooManyPublishRequests:
                    self._asked = max(1, self._asked - 1)
                except ua.uaerrors.BadTimeout:
                    continue  # the request was too old for the server: it gets another
                else:
                    await self._published(response.Parameters)
        finally:
            self.is_running = False
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _published(self, found: ua.PublishResult) -> None:
        if found.SubscriptionId != self._id:
            return  # of one that was given up
        before, self._heard = self._heard, self._clock()
        message = found.NotificationMessage
        if not message.NotificationData:
            return
        missed = message.SequenceNumber - self._next
        if missed > 0:
            for number in range(self._next, self._next + min(missed, MOST_MISSED)):
                if not await self._was_had_again(number):
                    topics = {item.topic for item in self.items}
                    self._intake.missed(topics, before, self._heard, "disconnected")
                    break
        await self._take(message)

    async def _was_had_again(self, number: int) -> bool:
        try:
            return await self._again(number)
        except ua.UaStatusCodeError:
            return False

    async def _again(self, number: int) -> bool:
        """Asks for a publication that was missed; False if the server has it not (any more)."""
        try:
            message = await self._service.republish(self._id, number)
        except ua.UaStatusCodeError as error:
            if error.code == ua.StatusCodes.BadMessageNotAvailable:
                return False
            raise
        if message.SequenceNumber != number or not message.NotificationData:
            return False
        await self._take(message)
        return True

    async def _take(self, message: ua.NotificationMessage) -> None:
        self._next = message.SequenceNumber % LAST_NUMBER + 1
        received = self._clock()
        self._look_at_clock(message, received)
        doubt = self._doubt()
        groups: dict[str, list[Sample]] = {}
        for data in message.NotificationData:
            if isinstance(data, ua.DataChangeNotification):
                self._rows(data.MonitoredItems or (), received, doubt, groups)
            elif isinstance(data, ua.StatusChangeNotification):
                self.forget()
                raise ua.UaStatusCodeError(data.Status.value)
        number = ua.SubscriptionAcknowledgement(self._id, message.SequenceNumber)
        who = self._who
        samples = [Samples(*one, received, who) for one in groups.items()]
        self.delivery.deliver(samples, lambda: self._is_durable(number))
        await self.delivery.room()

    def _look_at_clock(self, message: ua.NotificationMessage, received: int) -> None:
        if message.PublishTime is not None:
            self.skew = (nanoseconds(message.PublishTime) - received) / SECOND

    def _doubt(self) -> int:
        """The quality of good values, by how far the server's clock is off."""
        is_off = abs(self.skew) > self._settings.skew and self._settings.timestamps != "received"
        return Quality.CLOCK_SUSPECT if is_off else Quality.GOOD

    def _rows(
        self,
        found: Sequence[ua.MonitoredItemNotification],
        received: int,
        doubt: int,
        groups: dict[str, list[Sample]],
    ) -> None:
        """Values as samples, by topic.

        Cost: about 5 us a value, beside 10 us for the library to read it.
        """
        prefer, returning = self._settings.timestamps, self._returning
        for one in found:
            place = one.ClientHandle
            if place >= len(self.items):
                continue
            item, value = self.items[place], one.Value
            status = value.StatusCode.value if value.StatusCode is not None else 0
            if status:
                self._look_at(item, status, received)
            elif item.status:
                item.status = ""
            try:
                sample = sample_of(item, value, prefer, received, doubt)
            except Unsupported as error:
                item.unsupported = str(error)
                continue
            if returning and place in returning:
                returning.discard(place)
                if sample.time > item.last:
                    since = self._since or self._intake.heard(item.topic) or received
                    self._intake.missed([item.topic], since, received, "disconnected")
            item.last = max(item.last, sample.time)
            groups.setdefault(item.topic, []).append(sample)

    async def read_now(self, node: ua.NodeId) -> bool:
        """Reads a variable beside its publications; whether its value is taken in and durable."""
        item = next((one for one in self.items if one.node == node), None)
        if item is None:
            return False
        wanted = [ua.ReadValueId(node, ua.AttributeIds.Value)]
        both = ua.TimestampsToReturn.Both
        durable = asyncio.Event()
        try:
            async with asyncio.timeout(PATIENCE):
                [found] = await self._service.read(ua.ReadParameters(0, both, wanted))
                received = self._clock()
                row = sample_of(item, found, self._settings.timestamps, received, self._doubt())
                item.last = max(item.last, row.time)
                samples = Samples(item.topic, [row], received, self._who)
                self.delivery.deliver([samples], durable.set)
                await durable.wait()
        except (ua.UaError, OSError, TimeoutError, Unsupported):
            return False
        return True

    def _look_at(self, item: Item, status: int, received: int) -> None:
        """What a status says beside the quality of the value."""
        if has_overflowed(status):
            since = item.last or received
            self._intake.missed([item.topic], min(since, received), received, "overflow")
        if status & 0xFFFF0000 == UNKNOWN_NODE:
            item.status = GONE

    # ---- durable ---------------------------------------------------------------------------

    def _is_durable(self, number: ua.SubscriptionAcknowledgement) -> None:
        """The server need not keep this publication any more."""
        if number.SubscriptionId == self._id:
            self._acks.append(number)

    def _mended(self) -> None:
        if self.is_running:
            self._tell("connected", "")

    async def settle(self, seconds: float) -> None:
        """Waits for what was taken to be durable; what is not by then is not acknowledged."""
        await self.delivery.settle(seconds)
