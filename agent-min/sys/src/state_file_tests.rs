//! What the state file promises, with writes cut short at every byte.

use proptest::prelude::*;

use super::*;

fn created(payload: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("state");
    StateFile::create(&path, payload).expect("a new state file");
    (dir, path)
}

fn payload_of(path: &Path) -> Vec<u8> {
    StateFile::open(path).expect("a state file").payload
}

#[test]
fn each_write_is_what_the_next_open_reads() {
    let (_dir, path) = created(b"zero");
    assert_eq!(payload_of(&path), b"zero");
    for round in 0..5_u8 {
        let mut opened = StateFile::open(&path).expect("a state file");
        assert!(!opened.damaged_slot);
        opened.file.write(&[round; 100]).expect("a write");
        opened.file.write(&[round, round]).expect("a write");
        drop(opened);
        assert_eq!(payload_of(&path), [round, round]);
    }
}

#[test]
fn a_write_cut_short_at_any_byte_leaves_the_old_or_the_new_record() {
    let old = vec![7_u8; 300];
    let new = vec![9_u8; 280];
    let (_dir, path) = created(b"first");
    StateFile::open(&path).expect("a state file").file.write(&old).expect("a write");
    let before = std::fs::read(&path).expect("the image");
    StateFile::open(&path).expect("a state file").file.write(&new).expect("a write");
    let after = std::fs::read(&path).expect("the image");
    let changed = SLOT_SIZE.min(HEADER_SIZE + new.len());
    let mut seen_old = 0;
    for cut in 0..=changed {
        let mut image = before.clone();
        image[..cut].copy_from_slice(&after[..cut]);
        let choice = choose(&image).expect("one slot stands");
        if cut == changed {
            assert_eq!(choice.payload, new);
        } else if choice.payload == old {
            seen_old += 1;
        } else {
            assert_eq!(choice.payload, new, "cut at {cut}");
        }
    }
    assert!(seen_old >= changed - 1, "a cut write must not count: {seen_old} of {changed}");
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_fresh_start() {
    let (_dir, path) = created(b"payload");
    let sound = std::fs::read(&path).expect("the image");
    for damaged in
        [vec![], vec![0; FILE_SIZE], sound[..FILE_SIZE - 1].to_vec(), [sound.as_slice(), b"x"].concat()]
    {
        std::fs::write(&path, &damaged).expect("a write");
        let problem = StateFile::open(&path).expect_err("a damaged file");
        assert!(problem.remedy.contains("secmon-agent init"), "{problem}");
    }
    std::fs::write(&path, &sound).expect("a write");
    assert_eq!(payload_of(&path), b"payload");
}

#[test]
fn a_lost_file_is_an_error_that_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let problem = StateFile::open(&dir.path().join("state")).expect_err("no file");
    assert!(problem.remedy.contains("secmon-agent init"), "{problem}");
}

#[test]
fn making_a_state_file_never_replaces_one() {
    let (_dir, path) = created(b"payload");
    assert!(StateFile::create(&path, b"other").is_err());
    assert_eq!(payload_of(&path), b"payload");
}

#[test]
fn two_agents_cannot_share_a_state_file() {
    let (_dir, path) = created(b"payload");
    let first = StateFile::open(&path).expect("a state file");
    let problem = StateFile::open(&path).expect_err("a locked file");
    assert!(problem.what.contains("another agent"), "{problem}");
    drop(first);
    assert!(StateFile::open(&path).is_ok());
}

#[test]
fn a_state_file_that_others_can_read_or_that_is_a_link_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, path) = created(b"payload");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    assert!(StateFile::open(&link).is_err());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    assert!(StateFile::open(&path).is_err());
}

#[test]
fn the_file_is_preallocated_and_never_grows() {
    use std::os::unix::fs::MetadataExt;
    let (_dir, path) = created(b"payload");
    let blocks = std::fs::metadata(&path).expect("metadata").blocks();
    assert!(blocks.saturating_mul(512) >= FILE_SIZE as u64, "{blocks} blocks are a sparse file");
    let mut opened = StateFile::open(&path).expect("a state file");
    opened.file.write(&vec![1; PAYLOAD_MAX]).expect("the largest payload");
    opened.file.write(&vec![2; PAYLOAD_MAX]).expect("the largest payload");
    assert!(opened.file.write(&vec![3; PAYLOAD_MAX + 1]).is_err());
    drop(opened);
    assert_eq!(std::fs::metadata(&path).expect("metadata").len(), FILE_SIZE as u64);
    assert_eq!(payload_of(&path), vec![2; PAYLOAD_MAX]);
}

proptest! {
    #[test]
    fn a_flipped_bit_never_reads_as_a_record_that_was_not_written(
        at in 0..HEADER_SIZE + 7, bit in 0..8_u32, second in any::<bool>(),
    ) {
        let mut image = seal(1, b"older..").expect("a slot");
        image.resize(SLOT_SIZE, 0);
        image.extend(seal(2, b"newer..").expect("a slot"));
        image.resize(FILE_SIZE, 0);
        let at = if second { SLOT_SIZE + at } else { at };
        image[at] ^= 1 << bit;
        let choice = choose(&image).expect("one slot stands");
        prop_assert!(choice.damaged);
        prop_assert_eq!(choice.payload, if second { b"older.." } else { b"newer.." });
    }

    #[test]
    fn no_image_can_panic_the_reader(image in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = choose(&image);
        let mut long = image;
        long.resize(FILE_SIZE, 0);
        let _ = choose(&long);
    }
}
