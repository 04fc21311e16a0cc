//! The network process's end of the channel: asks the monitor, and hands each answer to who asked.
//!
//! Every connection has a slot of its own, and at most one question at a time. A token is the slot and a
//! count, so an answer that comes too late for its question finds nobody.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::task::{Poll, Waker};
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
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    link: &'a Link,
    index: usize,
}

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
    Answered(Box<Reply>),
}

impl Link {
    pub(crate) fn new(channel: Channel) -> io::Result<Self> {
        Ok(Self { channel: Async::new(channel)?, slots: RefCell::default() })
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
        let mut bytes = [0_u8; REPLY_SIZE];
        loop {
            match self.channel.read_with(|channel| channel.recv(&mut bytes)).await {
                Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
                Ok(length) => match bytes.get(..length).and_then(Reply::decode) {
                    Some((token, Reply::AreYouThere)) => {
                        let _full_says_enough = self.tell(&Request::HereIAm.encode(token));
                    }
                    Some((token, reply)) => self.hand_over(token, reply),
                    None => {}
                },
                Err(e) => return e,
            }
        }
    }

    fn hand_over(&self, token: Token, reply: Reply) {
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots.iter_mut().enumerate().find(|(i, s)| token == token_of(*i, s.count)) else {
            return;
        };
        if let Asking::Waiting(waker) = &mut slot.1.asking {
            let waker = waker.take();
            slot.1.asking = Asking::Answered(Box::new(reply));
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Seat<'_> {
    /// Asks, and waits for the answer. `None` if there is no room for the question or no answer in time.
    pub(crate) async fn ask(&mut self, request: &Request) -> Option<Reply> {
        let time = match request {
            Request::Execute { .. } => EXECUTE_TIME,
            Request::ReceiptAfter(_) | Request::Health | Request::Ready(_) | Request::HereIAm => ANSWER_TIME,
        };
        self.ask_within(request, time).await
    }

    async fn ask_within(&mut self, request: &Request, time: Duration) -> Option<Reply> {
        let count = self.with_slot(|slot| {
            slot.count = slot.count.wrapping_add(1);
            slot.asking = Asking::Waiting(None);
            slot.count
        })?;
        let question = request.encode(token_of(self.index, count));
        // Not awaited: a full queue is an answer of its own.
        self.link.channel.get_ref().send(&question).ok()?;
        let reply = within(time, async { Ok(self.answer().await) }).await.ok().flatten();
        self.with_slot(|slot| slot.asking = Asking::Nothing);
        reply
    }

    async fn answer(&self) -> Option<Reply> {
        poll_fn(|context| {
            self.with_slot(|slot| match std::mem::take(&mut slot.asking) {
                Asking::Answered(reply) => Poll::Ready(Some(*reply)),
                Asking::Waiting(_) => {
                    slot.asking = Asking::Waiting(Some(context.waker().clone()));
                    Poll::Pending
                }
                Asking::Nothing => Poll::Ready(None),
            })
            .unwrap_or(Poll::Ready(None))
        })
        .await
    }

    fn with_slot<T>(&self, work: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.link.slots.borrow_mut().get_mut(self.index).map(work)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.with_slot(|slot| {
            slot.taken = false;
            slot.asking = Asking::Nothing;
        });
    }
}

/// The low bits are the slot, the others the count.
const fn token_of(index: usize, count: u32) -> Token {
    Token(count.wrapping_mul(CONNECTIONS_MAX as u32).wrapping_add(index as u32))
}

#[cfg(test)]
mod tests {
    use async_io::block_on;
    use futures_lite::future::{or, zip};

    use super::*;

    fn linked() -> (Link, Channel) {
        let (ours, theirs) = Channel::pair().expect("a pair");
        (Link::new(ours).expect("a link"), theirs)
    }

    fn next_question(monitor: &Channel) -> Token {
        let mut bytes = [0; crate::message::REQUEST_SIZE];
        monitor.recv(&mut bytes).expect("a question");
        Request::decode(&bytes).expect("a request").0
    }

    #[test]
    fn each_answer_finds_the_connection_that_asked() {
        let (link, monitor) = linked();
        let (mut one, mut two) = (link.seat().expect("a seat"), link.seat().expect("a seat"));
        let work = std::thread::spawn(move || {
            let (first, second) = (next_question(&monitor), next_question(&monitor));
            // Answered in the other order.
            for (token, reply) in [(second, Reply::Malformed), (first, Reply::Forbidden)] {
                monitor.send(&reply.encode(token)).expect("an answer");
            }
            monitor
        });
        let asked = zip(one.ask(&Request::Health), two.ask(&Request::Health));
        let answers = block_on(or(async { Some(asked.await) }, async {
            link.deliver().await;
            None
        }));
        assert_eq!(answers, Some((Some(Reply::Forbidden), Some(Reply::Malformed))));
        work.join().expect("the monitor");
    }

    #[test]
    fn an_answer_that_is_too_late_does_not_answer_the_next_question() {
        let (link, monitor) = linked();
        let mut seat = link.seat().expect("a seat");
        assert_eq!(block_on(seat.ask_within(&Request::Health, Duration::ZERO)), None);
        let late = next_question(&monitor);
        monitor.send(&Reply::Forbidden.encode(late)).expect("an answer");
        let work = std::thread::spawn(move || {
            let token = next_question(&monitor);
            monitor.send(&Reply::NoReceipt.encode(token)).expect("an answer");
            monitor
        });
        let asked = async { seat.ask(&Request::ReceiptAfter(0)).await };
        let answer = block_on(or(asked, async {
            link.deliver().await;
            None
        }));
        assert_eq!(answer, Some(Reply::NoReceipt));
        work.join().expect("the monitor");
    }

    #[test]
    fn a_full_queue_is_an_answer_and_not_a_wait() {
        let (link, _monitor) = linked();
        let mut seats: Vec<_> = std::iter::from_fn(|| link.seat()).collect();
        assert_eq!(seats.len(), CONNECTIONS_MAX);
        // Nobody takes the questions, so sooner or later one finds no room at once.
        let full = (0..10_000).any(|_| {
            let seat = seats.first_mut().expect("a seat");
            let question = Request::Health.encode(token_of(seat.index, 0));
            link.channel.get_ref().send(&question).is_err()
        });
        assert!(full);
        let seat = seats.first_mut().expect("a seat");
        assert_eq!(block_on(seat.ask_within(&Request::Health, Duration::from_secs(600))), None);
    }

    #[test]
    fn a_seat_is_free_again_when_its_connection_ends() {
        let (link, _monitor) = linked();
        let seats: Vec<_> = std::iter::from_fn(|| link.seat()).collect();
        assert!(link.seat().is_none());
        drop(seats);
        assert!(link.seat().is_some());
    }
}
