//! Questions and answers between many connections and one monitor.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

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

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
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
fn each_end_wakes_the_other() {
    let (link, monitor) = linked();
    let mut seat = link.seat().expect("a seat");
    let woken = || Arc::new(Woken(AtomicBool::new(false)));
    let (asker, deliverer) = (woken(), woken());
    let wakers = [&asker, &deliverer].map(|woken| Waker::from(Arc::clone(woken)));
    let [mut asking, mut delivering] = wakers.each_ref().map(Context::from_waker);
    let (mut ask, mut deliver) = (pin!(seat.ask(&Request::Health)), pin!(link.deliver()));
    assert!(ask.as_mut().poll(&mut asking).is_pending());
    monitor.send(&Reply::Forbidden.encode(next_question(&monitor))).expect("an answer");
    assert!(deliver.as_mut().poll(&mut delivering).is_pending());
    assert!(asker.0.load(Ordering::Relaxed) && !deliverer.0.load(Ordering::Relaxed));
    assert_eq!(ask.as_mut().poll(&mut asking), Poll::Ready(Some(Reply::Forbidden)));
    assert!(deliverer.0.load(Ordering::Relaxed));
}

#[test]
fn an_answer_whose_question_was_given_up_does_not_hold_up_the_others() {
    let (link, monitor) = linked();
    let (mut one, mut two) = (link.seat().expect("a seat"), link.seat().expect("a seat"));
    let mut context = Context::from_waker(Waker::noop());
    let mut deliver = pin!(link.deliver());
    {
        let mut given_up = pin!(one.ask(&Request::Health));
        assert!(given_up.as_mut().poll(&mut context).is_pending());
        monitor.send(&Reply::Malformed.encode(next_question(&monitor))).expect("an answer");
        assert!(deliver.as_mut().poll(&mut context).is_pending());
        assert!(link.tray.borrow().reply.is_some(), "the answer is there, and nobody has taken it");
    }
    let work = std::thread::spawn(move || {
        monitor.send(&Reply::Forbidden.encode(next_question(&monitor))).expect("an answer");
        monitor
    });
    let asked = async { two.ask(&Request::Health).await };
    let answer = block_on(or(asked, async {
        deliver.await;
        None
    }));
    assert_eq!(answer, Some(Reply::Forbidden));
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
