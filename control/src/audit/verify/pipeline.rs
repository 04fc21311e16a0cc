//! Reads a log in chunks of whole lines, lets every core check some, and joins the summaries in order.
//!
//! Chunks go to the workers in turn and their summaries are taken in turn, so order costs nothing. Every
//! channel is bounded: memory depends on the number of cores and the longest line, not on the log.

use std::collections::HashSet;
use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::stretch::{Checker, too_long};
use super::summary::Summary;
use super::{HashText, LINE_MAX};

/// Bytes of a chunk, unless one line is longer.
const CHUNK: usize = 1 << 18;

/// Workers, at most: beyond this the reader is the limit.
const WORKERS_MAX: usize = 32;

/// Chunks that wait in front of a worker.
const QUEUE: usize = 1;

/// What the reader hands to a worker.
enum Chunk {
    Lines(Vec<u8>),
    TooLong { bytes: u64 },
}

/// What a worker hands back; the buffer is used again.
struct Answer {
    summary: Summary,
    buffer: Vec<u8>,
    bytes: u64,
}

/// Sums up everything in `source`. `progress` hears the number of bytes of each finished chunk.
pub(super) fn run(
    source: &mut (dyn Read + Send),
    wanted: &HashSet<HashText>,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Summary> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX);
    thread::scope(|scope| {
        let mut inputs = Vec::with_capacity(workers);
        let mut outputs = Vec::with_capacity(workers);
        for _ in 0..workers {
            let (input, chunks) = sync_channel(QUEUE);
            let (answers, output) = sync_channel(QUEUE);
            scope.spawn(move || work(&chunks, &answers, wanted));
            inputs.push(input);
            outputs.push(output);
        }
        let (give_back, spare) = channel();
        let reader = scope.spawn(move || read(source, &inputs, &spare));
        let summary = join(&outputs, &give_back, progress);
        match reader.join() {
            Ok(outcome) => outcome.map(|()| summary),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn work(chunks: &Receiver<Chunk>, answers: &SyncSender<Answer>, wanted: &HashSet<HashText>) {
    let mut checker = Checker::new(wanted);
    for chunk in chunks {
        let answer = match chunk {
            Chunk::Lines(buffer) => {
                Answer { summary: checker.sum_up(&buffer), bytes: buffer.len() as u64, buffer }
            }
            Chunk::TooLong { bytes } => Answer { summary: too_long(), bytes, buffer: Vec::new() },
        };
        if answers.send(answer).is_err() {
            return;
        }
    }
}

/// The reader deals the chunks in turn, so the first worker that has no more is where the log ends.
fn join(outputs: &[Receiver<Answer>], give_back: &Sender<Vec<u8>>, progress: &mut dyn FnMut(u64)) -> Summary {
    let mut whole = Summary::start();
    for output in outputs.iter().cycle() {
        let Ok(answer) = output.recv() else { break };
        whole.append(answer.summary);
        progress(answer.bytes);
        if answer.buffer.capacity() > 0 && answer.buffer.capacity() <= CHUNK.saturating_mul(2) {
            // The reader may be done already; then nobody needs the buffer.
            let _unused = give_back.send(answer.buffer);
        }
    }
    whole
}

fn read(source: &mut dyn Read, workers: &[SyncSender<Chunk>], spare: &Receiver<Vec<u8>>) -> io::Result<()> {
    let mut turn = workers.iter().cycle();
    let mut deal = |chunk| match turn.next() {
        Some(worker) => worker.send(chunk).is_ok(),
        None => false,
    };
    let mut buffer = Vec::with_capacity(CHUNK);
    loop {
        let more = fill(source, &mut buffer)?;
        let lines = match memchr::memrchr(b'\n', &buffer) {
            _ if !more => buffer.len(),
            Some(newline) => newline.saturating_add(1),
            None if buffer.len() <= LINE_MAX => continue,
            None => {
                let (bytes, rest) = skip_line(source, buffer)?;
                buffer = rest;
                if !deal(Chunk::TooLong { bytes }) {
                    return Ok(());
                }
                continue;
            }
        };
        let mut next = spare.try_recv().unwrap_or_else(|_| Vec::with_capacity(CHUNK));
        next.clear();
        next.extend_from_slice(buffer.get(lines..).unwrap_or_default());
        buffer.truncate(lines);
        let full = std::mem::replace(&mut buffer, next);
        if (!full.is_empty() && !deal(Chunk::Lines(full))) || !more {
            return Ok(());
        }
    }
}

/// Reads until `buffer` has another chunk's worth of bytes; says whether there may be more.
fn fill(source: &mut dyn Read, buffer: &mut Vec<u8>) -> io::Result<bool> {
    // A line that is longer than a chunk doubles what is asked for, so that it is looked at a few times only.
    let wanted = if buffer.len() < CHUNK { CHUNK } else { buffer.len().saturating_mul(2).min(LINE_MAX + 1) };
    let missing = wanted.saturating_sub(buffer.len()).max(1) as u64;
    let read = source.take(missing).read_to_end(buffer)?;
    Ok(read as u64 == missing)
}

/// Reads to the end of a line that is too long. Returns its length and what was read of the next one.
fn skip_line(source: &mut dyn Read, mut buffer: Vec<u8>) -> io::Result<(u64, Vec<u8>)> {
    let mut skipped = buffer.len() as u64;
    buffer = vec![0; CHUNK];
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => return Ok((skipped, Vec::new())),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let block = buffer.get(..read).unwrap_or_default();
        if let Some(newline) = memchr::memchr(b'\n', block) {
            skipped = skipped.saturating_add(newline as u64).saturating_add(1);
            return Ok((skipped, block.get(newline.saturating_add(1)..).unwrap_or_default().to_vec()));
        }
        skipped = skipped.saturating_add(read as u64);
    }
}
