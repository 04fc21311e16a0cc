use proptest::prelude::*;

use super::*;

#[test]
fn an_answer_to_another_question_says_nothing() {
    let asked = question(7, [192, 0, 2, 1]);
    let mut answer = asked.clone();
    (answer[2], answer[3]) = (0x81, 0x83);
    assert_eq!(names(&answer, &asked), Some(Names::None));
    for change in [0, 12, 14] {
        let mut other = answer.clone();
        other[change] ^= 1;
        assert_eq!(names(&other, &asked), None, "{change}");
    }
    // A question comes back, a server that couldn't say, and one that cut it short.
    assert_eq!(names(&asked, &asked), None);
    for (flags, code) in [(0x81, 0x82), (0x83, 0x80)] {
        let mut other = answer.clone();
        (other[2], other[3]) = (flags, code);
        assert_eq!(names(&other, &asked), None);
    }
}

#[test]
fn pointers_that_go_round_end() {
    assert_eq!(name(&[0xc0, 0], 0), None);
    assert_eq!(name(&[1, b'a', 0xc0, 0], 0), None);
    assert_eq!(name(&[1, b'a', 0, 1, b'B', 0xc0, 0], 3), Some(("b.a".into(), 7)));
}

#[test]
fn the_first_server_in_the_list_is_asked() {
    let text = b"; comment\nsearch example.org\nnameserver nonsense\nnameserver 2001:db8::53\nnameserver 192.0.2.53\n";
    assert_eq!(nameserver(text), "[2001:db8::53]:53".parse().ok());
    assert_eq!(nameserver(b""), None);
}

proptest! {
    #[test]
    fn any_answer_is_read_or_refused(tail in prop::collection::vec(any::<u8>(), 0..200), flags in any::<[u8; 10]>()) {
        let asked = question(7, [192, 0, 2, 1]);
        let mut answer = asked.clone();
        answer[2..12].copy_from_slice(&flags);
        answer.extend(tail);
        let _whatever = names(&answer, &asked);
    }
}
