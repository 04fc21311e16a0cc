//! The network process's end of the channel: asks the monitor, and hands each answer to who asked.
//!
//! Every connection has a slot of its own, and at most one question at a time. A token is the slot and a
//! count, so an answer that comes too late for its question finds nobody. One answer at a time is kept, until who
//! asked has taken it; the others wait in the channel.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_io::Async;
use secmon_sys::channel::Channel;

use super::deadline::within;
use super::limits::{ANSWER_TIME, CONNECTIONS_MAX, EXECUTE_TIME};
use crate::message::{REPLY_SIZE, Reply, Request, Token};

/// The link, shared by all connections of the one network thread.
#[derive(Debug)]
pub(crate) struct Link {
    channel: Async<Channel>,
    slots: RefCell<[Slot; CONNECTIONS_MAX]>,
    tray: RefCell<Tray>,
}

/// Where an answer lies until it is taken.
#[derive(Debug, Default)]
struct Tray {
    reply: Option<Reply>,
    /// Waits until there is nothing.
    deliverer: Option<Waker>,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    link: &'a Link,
    index: usize,
}

/// A question under way. Once it is dropped, its answer is nobody's.
#[derive(Debug)]
struct Question<'s>(&'s Seat<'s>);

#[derive(Debug, Default)]
struct Slot {
    taken: bool,
    /// Counts the questions of this slot.
    count: u32,
    asking: Asking,
}

#[derive(Debug, Default)]
enum Asking {
    #[default]
    Nothing,
    Waiting(Option<Waker>),
    /// The answer in the tray is this one's.
    Answered,
}

impl Link {
    pub(crate) fn new(channel: Channel) -> io::Result<Self> {
        Ok(Self { channel: Async::new(channel)?, slots: RefCell::default(), tray: RefCell::default() })
    }

    /// A place for one more connection; `None` if all are taken.
    pub(crate) fn seat(&self) -> Option<Seat<'_>> {
        let mut slots = self.slots.borrow_mut();
        let (index, slot) = slots.iter_mut().enumerate().find(|(_, slot)| !slot.taken)?;
        slot.taken = true;
        Some(Seat { link: self, index })
    }

    /// Tells the monitor something that has no answer.
    pub(crate) fn tell(&self, message: &[u8]) -> io::Result<()> {
        self.channel.get_ref().send(message)
    }

    /// Hands out answers for as long as the monitor is there.
    pub(crate) async fn deliver(&self) -> io::Error {
        loop {
            match self.channel.read_with(receive).await {
                Ok(Some((token, Reply::AreYouThere))) => {
                    let _full_says_enough = self.tell(&Request::HereIAm.encode(token));
                }
                Ok(Some((token, reply))) => self.lay_out(token, reply),
                Ok(None) => {}
                Err(e) => return e,
            }
            self.taken().await;
        }
    }

    /// Puts the answer into the tray, if anybody waits for it.
    fn lay_out(&self, token: Token, reply: Reply) {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.iter_mut().enumerate().find(|(i, slot)| token == token_of(*i, slot.count));
        let Some((_, Slot { asking, .. })) = slot else { return };
        if let Asking::Waiting(waker) = asking {
            let waker = waker.take();
            *asking = Asking::Answered;
            self.tray.borrow_mut().reply = Some(reply);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Waits until the tray is empty.
    async fn taken(&self) {
        poll_fn(|context| {
            let mut tray = self.tray.borrow_mut();
            if tray.reply.is_none() {
                return Poll::Ready(());
            }
            tray.deliverer = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Empties the tray, for the next answer.
    fn clear(&self) -> Option<Reply> {
        let mut tray = self.tray.borrow_mut();
        if let Some(deliverer) = tray.deliverer.take() {
            deliverer.wake();
        }
        tray.reply.take()
    }
}

/// The next answer; `None` for what is none.
fn receive(channel: &Channel) -> io::Result<Option<(Token, Reply)>> {
    let mut bytes = [0_u8; REPLY_SIZE];
    match channel.recv(&mut bytes)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        length => Ok(bytes.get(..length).and_then(Reply::decode)),
    }
}

impl Seat<'_> {
    /// Asks, and waits for the answer. `None` if there is no room for the question or no answer in time.
    pub(crate) async fn ask(&mut self, request: &Request) -> Option<Reply> {
        let time = match request {
            Request::Execute { .. } => EXECUTE_TIME,
            Request::ReceiptAfter(_)
            | Request::Health
            | Request::Ready(_)
            | Request::HereIAm
            | Request::Diagnose(_) => ANSWER_TIME,
        };
        self.ask_within(request, time).await
    }

    async fn ask_within(&mut self, request: &Request, time: Duration) -> Option<Reply> {
        let count = self.with_slot(|slot| {
            slot.count = slot.count.wrapping_add(1);
            slot.asking = Asking::Waiting(None);
            slot.count
        })?;
        let answer = Question(self);
        let question = request.encode(token_of(self.index, count));
        // Not awaited: a full queue is an answer of its own.
        self.link.channel.get_ref().send(&question).ok()?;
        within(time, async { io::Result::Ok(answer.await) }).await.ok().flatten()
    }

    fn with_slot<T>(&self, work: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.link.slots.borrow_mut().get_mut(self.index).map(work)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.with_slot(|slot| slot.taken = false);
    }
}

impl Question<'_> {
    /// Asks no more; with the answer, if it is there.
    fn end(&self) -> Option<Reply> {
        match self.0.with_slot(|slot| std::mem::take(&mut slot.asking))? {
            Asking::Answered => self.0.link.clear(),
            Asking::Nothing | Asking::Waiting(_) => None,
        }
    }
}

impl Future for Question<'_> {
    type Output = Option<Reply>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Reply>> {
        let waiting = self.0.with_slot(|slot| match &mut slot.asking {
            Asking::Waiting(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            Asking::Nothing | Asking::Answered => Poll::Ready(()),
        });
        if waiting == Some(Poll::Pending) { Poll::Pending } else { Poll::Ready(self.end()) }
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        let _nobodys = self.end();
    }
}

/// The low bits are the slot, the others the count.
const fn token_of(index: usize, count: u32) -> Token {
    Token(count.wrapping_mul(CONNECTIONS_MAX as u32).wrapping_add(index as u32))
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
