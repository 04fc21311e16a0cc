//! Days that are made up: a small site with its usual visitors, and floods that last. A recorded flood can't be stopped
//! half-way and is over after a minute; these go on for as long as they are let in.

use std::net::Ipv4Addr;

use secmon_fake_cloudflare::Visit;

use super::{Day, Request};

/// When the days begin.
const BEGIN: u64 = 1_767_225_600;
/// How long they are, when the flood begins and how long it goes on.
const LENGTH_S: u64 = 3_600;
const FLOOD_FROM_S: u64 = 1_237;
const FLOOD_S: u64 = 1_500;
/// Requests that the server can compute in a second.
const CAPACITY: u32 = 10;
const BROWSERS: [&str; 3] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
];

/// Numbers that look random and are the same each time.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// One sort of flood: its name, requests a second, and how each is made from dice.
type Sort = (&'static str, u64, fn(&mut Dice) -> Visit);

const SORTS: [Sort; 5] = [
    ("search flood from 400 addresses", 40, |dice| {
        let word = dice.below(u64::MAX);
        from(dice, 400, Visit::of(&format!("/?s=casino+{word:x}")))
    }),
    ("xmlrpc.php from one address", 25, |dice| from(dice, 1, post("/xmlrpc.php"))),
    ("logins from 150 addresses", 20, |dice| from(dice, 150, post("/wp-login.php"))),
    ("cache busting from 60 addresses", 30, |dice| {
        let digits = 10_000_000_000 + dice.below(80_000_000_000);
        from(dice, 60, Visit::of(&format!("/?{digits}")))
    }),
    ("pages at random from 800 addresses", 60, |dice| {
        let page = dice.below(200);
        from(dice, 800, Visit::of(&format!("/post-{page}/")))
    }),
];

/// A day for each sort of flood.
pub fn floods() -> Vec<Day> {
    let days = SORTS.iter().map(|(name, rate, make)| {
        let mut dice = Dice(7);
        let mut requests = usual(&mut dice);
        for second in FLOOD_FROM_S..FLOOD_FROM_S + FLOOD_S {
            for _ in 0..*rate {
                let visit = make(&mut dice);
                requests.push(request(BEGIN + second, visit, true, true));
            }
        }
        day(name, requests)
    });
    days.collect()
}

/// A day on which a newsletter brings ten times as many people as usual, and the server serves them all.
pub fn crowd() -> Day {
    let mut dice = Dice(11);
    let mut requests = usual(&mut dice);
    for second in FLOOD_FROM_S..FLOOD_FROM_S + FLOOD_S {
        for _ in 0..dice.below(5) {
            requests.extend(visitor(&mut dice, BEGIN + second));
        }
    }
    day("a newsletter's crowd", requests)
}

fn day(name: &str, mut requests: Vec<Request>) -> Day {
    requests.sort_by_key(|request| request.at);
    Day { name: format!("made: {name}"), requests, capacity: Some(CAPACITY) }
}

/// A few people, a crawler and a monitor.
fn usual(dice: &mut Dice) -> Vec<Request> {
    let mut requests = Vec::new();
    for second in 0..LENGTH_S {
        let at = BEGIN + second;
        if dice.below(5) == 0 {
            requests.extend(visitor(dice, at));
        }
        if second % 20 == 0 {
            let page = Visit::of(&format!("/post-{}/", dice.below(200))).from("66.249.66.13");
            let name = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
            let visit = Visit { verified_bot: true, ..page.with_user_agent(name) };
            requests.push(request(at, visit, true, false));
        }
        if second % 60 == 0 {
            let visit = Visit::of("/").from("69.162.124.226").with_user_agent("UptimeRobot/2.0");
            requests.push(request(at, Visit { verified_bot: true, ..visit }, true, false));
        }
    }
    requests
}

/// One person opens a page with what belongs to it; now and then they search or log in.
fn visitor(dice: &mut Dice, at: u64) -> Vec<Request> {
    let page = match dice.below(50) {
        0 => Visit::of("/?s=shoes"),
        1 => post("/wp-login.php"),
        _ => Visit::of(&format!("/post-{}/", dice.below(200))),
    };
    let address = Ipv4Addr::new(84, 100 + dice.below(50) as u8, dice.below(250) as u8, dice.below(250) as u8);
    let browser = BROWSERS[dice.below(3) as usize];
    let of = |visit: Visit| visit.from(&address.to_string()).with_user_agent(browser);
    let mut requests = vec![request(at, of(page), true, false)];
    for asset in ["/style.css", "/app.js", "/logo.png", "/photo.jpg"] {
        requests.push(request(at, of(Visit::of(asset)), false, false));
    }
    requests
}

fn request(at: u64, visit: Visit, is_dynamic: bool, is_flood: bool) -> Request {
    Request { at, visit, line: Vec::new(), is_dynamic, is_flood }
}

fn post(path: &str) -> Visit {
    Visit { method: "POST".to_owned(), ..Visit::of(path) }
}

/// A flood's request from one of so many addresses, each with a browser's name.
fn from(dice: &mut Dice, addresses: u64, visit: Visit) -> Visit {
    let at = dice.below(addresses);
    let address = Ipv4Addr::new(45, 80 + (at % 20) as u8, (at / 20) as u8, 17);
    visit.from(&address.to_string()).with_user_agent(BROWSERS[(at % 3) as usize])
}
