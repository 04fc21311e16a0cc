//! A network process that was taken over: started by the real monitor in the real one's place, behind the same
//! walls, it does its worst with what it was given. For the tests; not part of the agent.
//!
//! `hostile network MODE EMPTY_DIRECTORY`. What it learns it writes to standard error, which it inherited.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

use secmon_sys::channel::Channel;
use secmon_sys::inherited;
use secmon_sys::sandbox::{Confinement, Identity, Plan, enter};

/// As the agent's README says: token, kind, length, body, zeros.
const REQUEST: usize = 7 + 64 + 512;
const REPLY: usize = 7 + 8 + 64 + 1536;
const SIGN_REQUEST: usize = 5 + 48;
const SIGN_REPLY: usize = 5 + 72;

struct Captive {
    link: Channel,
    handshakes: Channel,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [_role, mode, empty] = arguments.as_slice() else { panic!("hostile network MODE EMPTY_DIRECTORY") };
    let captive = Captive {
        link: Channel::inherited(3).expect("a channel"),
        handshakes: Channel::inherited(4).expect("a channel"),
    };
    let listener = inherited::listener(5).expect("a listener");
    let mut setup = Vec::new();
    inherited::file(6).expect("a pipe").read_to_end(&mut setup).expect("the setup");
    let entered = enter(&Plan {
        identity: Identity { uid: 65_534, gid: 65_534, groups: Vec::new() },
        keep: &[captive.link.as_fd(), captive.handshakes.as_fd(), listener.as_fd()],
        confinement: Confinement::Network { root: Path::new(empty) },
    });
    let strength = entered.expect("walls").seal();
    captive.link.send(&request(0, 4, &strength.to_bytes())).expect("ready");
    match mode.as_str() {
        "garbage" => captive.garbage(),
        "envelopes" => captive.envelopes(),
        "signatures" => captive.signatures(),
        "flood" => captive.flood(),
        "secrets" => say(&format!("setup {}", setup.windows(7).filter(|at| at == b"PRIVATE").count())),
        "deaf" => {}
        "hang-up" => drop(captive),
        "end" => return,
        other => panic!("no mode {other}"),
    }
    say("done");
    // For as long as the monitor lets it live.
    loop {
        std::thread::park();
    }
}

impl Captive {
    /// Every length, every kind, every byte: none is answered but what is a request.
    fn garbage(&self) {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        for round in 0..20_000_u64 {
            let length = 1 + usize::try_from(next() % 2_000).expect("short");
            let mut bytes: Vec<u8> = (0..length).map(|_| next().to_le_bytes()[0]).collect();
            if round % 3 == 0 {
                // Of the right size, with a plausible head.
                bytes.resize(REQUEST, 0);
                bytes[4] = (next() % 8).to_le_bytes()[0];
                bytes[5..7].copy_from_slice(&((next() % 600) as u16).to_le_bytes());
            }
            self.push(&self.link, &bytes);
            bytes.truncate(SIGN_REQUEST);
            self.push(&self.handshakes, &bytes);
            self.drain();
        }
        say(&format!("alive {}", self.is_alive()));
    }

    /// Envelopes that nobody signed, and one that is none.
    fn envelopes(&self) {
        let envelope = br#"{"action":"restart-web","agent_id":"web1","intent":{"hash":"0000000000000000000000000000000000000000000000000000000000000000","seq":1},"nonce":"00112233445566ff","ts":1,"v":1}"#;
        for body in [&envelope[..], b"{}", b"", b"; reboot", &[0xff; 512]] {
            let kind = self.ask(&request(1, 1, &[&[7; 64], body].concat()))[4];
            say(&format!("envelope answered {kind}"));
        }
    }

    /// Whatever it asks to have signed, what is signed is a handshake.
    fn signatures(&self) {
        for (length, what) in [(32, "hash"), (48, "hash"), (0, "nothing"), (31, "short"), (33, "odd")] {
            let mut bytes = [7; SIGN_REQUEST];
            bytes[..4].copy_from_slice(&1_u32.to_le_bytes());
            bytes[4] = length;
            bytes[5 + usize::from(length)..].fill(0);
            self.push(&self.handshakes, &bytes);
            // A question that is surely answered shows that the other was not.
            assert!(self.is_alive());
            self.handshakes.set_nonblocking(true).expect("set");
            let mut reply = [0; SIGN_REPLY];
            let answered = self.handshakes.recv(&mut reply).is_ok();
            say(&format!("signature of {what} {length}: {answered}"));
        }
    }

    /// As fast as it can, without ever reading an answer; then it reads.
    fn flood(&self) {
        self.link.set_nonblocking(true).expect("set");
        let health = request(9, 3, b"");
        let mut sent = 0_u32;
        for _ in 0..300_000 {
            sent += u32::from(self.link.send(&health).is_ok());
        }
        self.link.set_nonblocking(false).expect("set");
        say(&format!("flooded {}", sent > 1_000));
        self.drain();
        say(&format!("alive {}", self.is_alive()));
    }

    fn is_alive(&self) -> bool {
        self.ask(&request(77, 3, b""))[4] == 3
    }

    /// The answer to this very question: others with another token may come before.
    fn ask(&self, question: &[u8; REQUEST]) -> [u8; REPLY] {
        self.link.set_nonblocking(false).expect("set");
        self.link.send(question).expect("sent");
        loop {
            let mut reply = [0; REPLY];
            let length = self.link.recv(&mut reply).expect("an answer");
            assert_eq!(length, REPLY);
            if reply[..4] == question[..4] {
                return reply;
            }
        }
    }

    /// Sends it if it can be sent at all.
    fn push(&self, channel: &Channel, bytes: &[u8]) {
        channel.set_nonblocking(false).expect("set");
        channel.send(bytes).expect("the monitor is there");
    }

    fn drain(&self) {
        for channel in [&self.link, &self.handshakes] {
            channel.set_nonblocking(true).expect("set");
            while channel.recv(&mut [0; REPLY]).is_ok() {}
        }
    }
}

fn request(token: u32, kind: u8, body: &[u8]) -> [u8; REQUEST] {
    let mut out = [0; REQUEST];
    out[..4].copy_from_slice(&token.to_le_bytes());
    out[4] = kind;
    out[5..7].copy_from_slice(&u16::try_from(body.len()).expect("short").to_le_bytes());
    out[7..7 + body.len()].copy_from_slice(body);
    out
}

fn say(line: &str) {
    let line = format!("hostile: {line}\n");
    std::io::stderr().write_all(line.as_bytes()).expect("standard error");
}
