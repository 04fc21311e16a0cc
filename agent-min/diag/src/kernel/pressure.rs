//! Pressure stall information (`/proc/pressure/*`, `cpu.pressure` of a cgroup): for how much of the time something
//! had to wait. In hundredths of a per cent, as precise as the kernel prints it.

use super::fields::{after, decimal, words};

/// Averages of one kind of waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stalled {
    /// Over the last minute.
    pub avg60: u32,
    /// Over the last five minutes.
    pub avg300: u32,
}

/// One file. A line that isn't there (`full` of the processor before Linux 5.13) is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Something waited.
    pub some: Stalled,
    /// Everything waited.
    pub full: Stalled,
}

/// Hundredths in a per cent.
pub const PER_CENT: u32 = 100;

/// Reads a pressure file; `None` if it isn't one.
pub fn pressure(bytes: &[u8]) -> Option<Pressure> {
    let some = stalled(after(bytes, "some ")?)?;
    Some(Pressure { some, full: after(bytes, "full ").and_then(stalled).unwrap_or_default() })
}

/// Whole per cents, for people.
pub fn whole(hundredths: u32) -> u64 {
    u64::from(hundredths.checked_div(PER_CENT).unwrap_or(0))
}

fn stalled(line: &[u8]) -> Option<Stalled> {
    let average = |name: &str| {
        let value = words(line).find_map(|word| word.strip_prefix(name.as_bytes()))?;
        let (units, hundredths) = match value.iter().position(|byte| *byte == b'.') {
            Some(dot) => value.split_at(dot),
            None => (value, &b""[..]),
        };
        let hundredths = decimal(hundredths.get(1..3).unwrap_or(b"0"))?;
        let value = decimal(units)?.checked_mul(u64::from(PER_CENT))?.checked_add(hundredths)?;
        // More than all of the time is no average.
        u32::try_from(value).ok().filter(|value| *value <= 100 * PER_CENT)
    };
    Some(Stalled { avg60: average("avg60=")?, avg300: average("avg300=")? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn averages_are_read_to_the_hundredth() {
        let io = b"some avg10=97.34 avg60=98.23 avg300=82.64 total=9124735008\n\
                   full avg10=0.00 avg60=20.05 avg300=100.00 total=0\n";
        let read = pressure(io).expect("a pressure file");
        assert_eq!(read.some, Stalled { avg60: 9823, avg300: 8264 });
        assert_eq!(read.full, Stalled { avg60: 2005, avg300: 10_000 });
        assert_eq!(whole(read.full.avg60), 20);
    }

    #[test]
    fn an_older_kernel_has_no_full_line_for_the_processor() {
        let read = pressure(b"some avg10=0.00 avg60=1.50 avg300=0.00 total=1\n").expect("a pressure file");
        assert_eq!(read.full, Stalled::default());
        assert_eq!(read.some.avg60, 150);
    }

    #[test]
    fn what_is_no_pressure_file_is_refused() {
        for refused in [&b""[..], b"some", b"some avg60=x avg300=0.00", b"some avg60=100.01 avg300=0.00"] {
            assert_eq!(pressure(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn this_kernels_own_files_are_read() {
        for file in ["cpu", "io", "memory"] {
            match std::fs::read(format!("/proc/pressure/{file}")) {
                Ok(bytes) => assert!(pressure(&bytes).is_some(), "{file}"),
                Err(error) => println!("skipped: /proc/pressure/{file}: {error}"),
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _read = pressure(&bytes);
        }
    }
}
