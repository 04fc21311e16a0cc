//! Running a program, and talking to another process of the agent, leaves the heap alone.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use secmon_sys::channel::Channel;
use secmon_sys::process::ProcessMark;
use secmon_sys::role;
use secmon_sys::spawn::{Command, Orphan};
use secmon_sys::wait::{Alone, OUTPUT_KEPT};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands every call to the system's allocator as it came, and counts in a cell that needs no heap.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the promises of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn running_a_program_allocates_nothing() {
    let command = Command::new(Path::new("/bin/sh"), ["-c", "echo a line; exit 3"]).expect("a command");
    let mut output = [0; OUTPUT_KEPT];
    for orphan in [Orphan::Ends, Orphan::GoesOn] {
        let count = allocations(|| {
            let recorded = command.spawn_recorded(orphan, |pid| ProcessMark::of(pid).map(|_| ()).ok_or(()));
            let child = recorded.expect("recorded").expect("a child");
            let until = Instant::now() + Duration::from_secs(20);
            let ended = child.wait(until, &mut Alone, &mut output);
            assert_eq!((ended.exit, ended.output), (Some(3), b"a line\n".as_slice()));
        });
        assert_eq!(count, 0, "{orphan:?}");
    }
    assert_eq!(allocations(|| drop(Box::new(1))), 1);
}

#[test]
fn starting_a_role_and_its_channel_allocate_nothing() {
    let count = allocations(|| {
        let (ours, theirs) = Channel::pair().expect("a pair");
        let mut process = role::start(c"/bin/true", c"x", &[]).expect("a process");
        assert_eq!(process.wait(), role::End::Status(0));
        theirs.send(b"message").expect("sent");
        assert_eq!(ours.recv(&mut [0; 16]).expect("a message"), 7);
    });
    assert_eq!(count, 0);
}
