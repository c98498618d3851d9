//! A bus that remembers what goes out over it.

use futures_util::future::BoxFuture;
use tokio::{sync::watch, time::Instant};

use crate::{
    bus::{
        Bus, BusError, Counts, Deliveries, Delivery, Message, Sending, State, Target, Topology, memory::MemoryBus,
        packing,
    },
    protocol::{Envelope, Kind},
};

/// A bus in memory, and the commands and queries that were sent over it.
pub(super) struct Recording {
    bus: MemoryBus,
    calls: watch::Sender<Vec<Envelope>>,
}

impl Recording {
    pub(super) fn new(bus: MemoryBus) -> Self {
        Self { bus, calls: watch::Sender::new(Vec::new()) }
    }

    /// What was sent so far, and whenever more is.
    pub(super) fn calls(&self) -> watch::Receiver<Vec<Envelope>> {
        self.calls.subscribe()
    }
}

impl Bus for Recording {
    fn declare<'a>(&'a self, topology: &'a Topology) -> BoxFuture<'a, Result<(), BusError>> {
        self.bus.declare(topology)
    }

    fn send<'a>(
        &'a self,
        target: &'a Target,
        message: Message,
        sending: Sending,
    ) -> BoxFuture<'a, Result<(), BusError>> {
        self.bus.send(target, message, sending)
    }

    fn request<'a>(
        &'a self,
        target: &'a Target,
        message: Message,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Message, BusError>> {
        // The largest kind: what is too large for its own was refused before.
        let body = packing::unpack(Kind::Event, &message).ok();
        let envelope = body.and_then(|body| Envelope::read(&body).ok());
        self.calls.send_modify(|calls| calls.extend(envelope));
        self.bus.request(target, message, deadline)
    }

    fn consume<'a>(&'a self, queue: &'a str, prefetch: u16) -> BoxFuture<'a, Result<Deliveries, BusError>> {
        self.bus.consume(queue, prefetch)
    }

    fn fetch<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<Option<Delivery>, BusError>> {
        self.bus.fetch(queue)
    }

    fn inspect<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<Option<Counts>, BusError>> {
        self.bus.inspect(queue)
    }

    fn purge<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<u32, BusError>> {
        self.bus.purge(queue)
    }

    fn state(&self) -> watch::Receiver<State> {
        self.bus.state()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.bus.close()
    }
}
