//! One small record that survives `kill -9` and power loss at any instant: a file of two slots.
//!
//! ```text
//! slot 0   offset 0        slot 1   offset SLOT_SIZE
//!   magic       8 bytes    "SECMON\0" and the layout's version
//!   generation  8 bytes    little-endian; one more with each write
//!   length      4 bytes    little-endian; bytes of the payload
//!   checksum   32 bytes    SHA-256 over magic, generation, length and payload
//!   payload     up to PAYLOAD_MAX bytes
//! ```
//!
//! A write goes to the slot that is not the newest, in place, and counts once `fdatasync` has returned. Cut
//! short anywhere, its checksum fails and the other slot stands: a reader finds the old record or the new
//! one. Both slots are written with real bytes when the file is made, so a full disk can't stop a write
//! later. What the payload means is the caller's.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use nix::libc;
use sha2::{Digest, Sha256};

use crate::files::{FileProblem, Privacy, check_owner_and_mode};

/// Bytes of one slot.
pub const SLOT_SIZE: usize = 32 * 1024;
/// How long the lock may be held by somebody who is about to end.
const LOCK_TIME: Duration = Duration::from_millis(500);

/// Bytes of the largest payload.
pub const PAYLOAD_MAX: usize = SLOT_SIZE - HEADER_SIZE;

const HEADER_SIZE: usize = 52;
const MAGIC: [u8; 8] = *b"SECMON\0\x01";
const FILE_SIZE: usize = 2 * SLOT_SIZE;

/// An open state file, locked against a second agent for as long as it is open.
pub struct StateFile {
    file: Flock<File>,
    path: PathBuf,
    /// The generation of the newest slot.
    generation: u64,
    /// The slot that the next write goes to.
    next: Slot,
    buffer: Box<[u8]>,
}

/// What was in the file when it was opened.
#[derive(Debug)]
pub struct Opened {
    /// The file, for writing.
    pub file: StateFile,
    /// The newest payload.
    pub payload: Vec<u8>,
    /// Whether one of the slots was damaged. A write that was cut short leaves that, and it is no loss.
    pub damaged_slot: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    First,
    Second,
}

impl StateFile {
    /// Makes a new state file that holds `payload`. Refuses to touch one that is there.
    ///
    /// The file appears under its name only when it is complete.
    pub fn create(path: &Path, payload: &[u8]) -> Result<(), FileProblem> {
        let problem =
            |e: io::Error| FileProblem::new(path, e.to_string(), "check the directory and the disk");
        if path.symlink_metadata().is_ok() {
            return Err(FileProblem::new(
                path,
                "is there already",
                "leave it: it holds what keeps old envelopes from being played again",
            ));
        }
        let mut image = vec![0_u8; FILE_SIZE];
        let sealed = seal(1, payload).ok_or_else(|| problem(io::ErrorKind::FileTooLarge.into()))?;
        for (to, from) in image.iter_mut().zip(&sealed) {
            *to = *from;
        }
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".new");
        let unfinished = PathBuf::from(unfinished);
        let _leftover_of_an_earlier_try = std::fs::remove_file(&unfinished);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&unfinished)
            .map_err(problem)?;
        file.write_all(&image).and_then(|()| file.sync_all()).map_err(problem)?;
        // A link fails where a rename would replace what somebody else has put there meanwhile.
        std::fs::hard_link(&unfinished, path).map_err(problem)?;
        std::fs::remove_file(&unfinished).map_err(problem)?;
        let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory).and_then(|d| d.sync_all()).map_err(problem)
    }

    /// Opens and locks the file and reads the newest payload.
    pub fn open(path: &Path) -> Result<Opened, FileProblem> {
        let (file, metadata) = open_checked(path, true)?;
        let file = lock(file, path)?;
        let image = read_image(&file, &metadata, path)?;
        let Choice { newest, generation, payload, damaged } =
            choose(&image).ok_or_else(|| corrupt(path, "is corrupt in both its slots"))?;
        let payload = payload.to_vec();
        let file =
            Self { file, path: path.to_owned(), generation, next: newest.other(), buffer: image.into() };
        Ok(Opened { file, payload, damaged_slot: damaged })
    }

    /// The newest payload of a file that another agent may be using.
    pub fn peek(path: &Path) -> Result<Vec<u8>, FileProblem> {
        let (file, metadata) = open_checked(path, false)?;
        let image = read_image(&file, &metadata, path)?;
        let choice = choose(&image).ok_or_else(|| corrupt(path, "is corrupt in both its slots"))?;
        Ok(choice.payload.to_vec())
    }

    /// Replaces the record. When this returns, the new one is on disk.
    ///
    /// After an error the file holds the old record or the new one; the caller must not act on either, but
    /// stop and open the file again.
    pub fn write(&mut self, payload: &[u8]) -> Result<(), FileProblem> {
        let problem = |e: io::Error| FileProblem::new(&self.path, e.to_string(), "check the disk");
        let generation = self.generation.saturating_add(1);
        let length = seal_into(&mut self.buffer, generation, payload)
            .ok_or_else(|| problem(io::ErrorKind::FileTooLarge.into()))?;
        let sealed = self.buffer.get(..length).unwrap_or_default();
        self.file.write_all_at(sealed, self.next.offset()).map_err(problem)?;
        self.file.sync_data().map_err(problem)?;
        self.generation = generation;
        self.next = self.next.other();
        Ok(())
    }
}

impl fmt::Debug for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateFile({}, generation {})", self.path.display(), self.generation)
    }
}

impl Slot {
    const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    const fn offset(self) -> u64 {
        match self {
            Self::First => 0,
            Self::Second => SLOT_SIZE as u64,
        }
    }
}

/// Takes the lock. A process that a killed agent had just forked may still hold it, for as long as it takes to notice
/// that the agent has gone.
fn lock(mut file: File, path: &Path) -> Result<Flock<File>, FileProblem> {
    let given_up = Instant::now() + LOCK_TIME;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(locked),
            Err((unlocked, nix::errno::Errno::EWOULDBLOCK)) if Instant::now() < given_up => {
                file = unlocked;
                std::thread::sleep(LOCK_TIME / 50);
            }
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                return Err(FileProblem::new(path, "is in use by another agent", "stop the other one first"));
            }
            Err((_, e)) => return Err(FileProblem::new(path, e.to_string(), "check the file system")),
        }
    }
}

fn open_checked(path: &Path, for_writing: bool) -> Result<(File, Metadata), FileProblem> {
    let file = OpenOptions::new()
        .read(true)
        .write(for_writing)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(|e| FileProblem::new(path, e.to_string(), remedy_for_open(&e)))?;
    let metadata = file.metadata().map_err(|e| FileProblem::new(path, e.to_string(), "check the disk"))?;
    check_owner_and_mode(path, &metadata, Privacy::Secret)?;
    Ok((file, metadata))
}

fn read_image(file: &File, metadata: &Metadata, path: &Path) -> Result<Vec<u8>, FileProblem> {
    let mut image = vec![0_u8; FILE_SIZE];
    let exact = metadata.len() == u64::try_from(FILE_SIZE).unwrap_or(u64::MAX);
    if !exact || file.read_exact_at(&mut image, 0).is_err() {
        return Err(corrupt(path, "does not have the size of a state file"));
    }
    Ok(image)
}

fn remedy_for_open(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "on a new host run `secmon-agent init`; if this host had one, it is lost and envelopes of the last \
             minutes could be played again: wait ten minutes, then run `secmon-agent init`"
        }
        io::ErrorKind::PermissionDenied => "run as the user that owns it",
        _ => "check the path and the disk",
    }
}

fn corrupt(path: &Path, what: &str) -> FileProblem {
    FileProblem::new(
        path,
        what,
        "keep a copy, look into why, then move it away, wait ten minutes (envelopes of the last minutes could be \
         played again) and run `secmon-agent init`",
    )
}

struct Choice<'a> {
    newest: Slot,
    generation: u64,
    payload: &'a [u8],
    damaged: bool,
}

/// The newest slot whose checksum holds. A slot that was never written is no damage.
fn choose(image: &[u8]) -> Option<Choice<'_>> {
    let (first_bytes, second_bytes) = image.split_at_checked(SLOT_SIZE)?;
    let (first, second) = (unseal(first_bytes), unseal(second_bytes));
    let damaged = |slot: &[u8], read: &Option<_>| read.is_none() && slot.iter().any(|byte| *byte != 0);
    let damaged = damaged(first_bytes, &first) || damaged(second_bytes, &second);
    let (newest, (generation, payload)) = match (first, second) {
        (Some(first), Some(second)) if second.0 > first.0 => (Slot::Second, second),
        (Some(first), _) => (Slot::First, first),
        (None, Some(second)) => (Slot::Second, second),
        (None, None) => return None,
    };
    Some(Choice { newest, generation, payload, damaged })
}

fn unseal(slot: &[u8]) -> Option<(u64, &[u8])> {
    let (magic, rest) = slot.split_first_chunk::<8>()?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<32>()?;
    let payload = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let sound = *magic == MAGIC && *checksum == checksum_of(generation, length, payload);
    sound.then_some((u64::from_le_bytes(*generation), payload))
}

fn seal(generation: u64, payload: &[u8]) -> Option<Vec<u8>> {
    let mut slot = vec![0; SLOT_SIZE];
    let length = seal_into(&mut slot, generation, payload)?;
    slot.truncate(length);
    Some(slot)
}

fn seal_into(slot: &mut [u8], generation: u64, payload: &[u8]) -> Option<usize> {
    if payload.len() > PAYLOAD_MAX {
        return None;
    }
    let generation = generation.to_le_bytes();
    let length = u32::try_from(payload.len()).ok()?.to_le_bytes();
    let checksum = checksum_of(&generation, &length, payload);
    let mut at = 0_usize;
    for part in [MAGIC.as_slice(), &generation, &length, &checksum, payload] {
        let end = at.checked_add(part.len())?;
        slot.get_mut(at..end)?.copy_from_slice(part);
        at = end;
    }
    Some(at)
}

fn checksum_of(generation: &[u8; 8], length: &[u8; 4], payload: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(MAGIC);
    hash.update(generation);
    hash.update(length);
    hash.update(payload);
    hash.finalize().into()
}

#[cfg(test)]
#[path = "state_file_tests.rs"]
mod tests;
