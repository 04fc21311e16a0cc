//! Visits, and how they stand in a log.

use secmon_fake_cloudflare::Visit;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A visit with what is known of it beforehand.
#[derive(Clone, Debug)]
pub struct Request {
    /// Seconds since the epoch.
    pub at: u64,
    /// As the edge sees it.
    pub visit: Visit,
    /// As the recorded log has it.
    pub line: Vec<u8>,
    /// Whether the server has to compute an answer.
    pub is_dynamic: bool,
    /// Whether it belongs to a flood, by who made the log and not by what is tested.
    pub is_flood: bool,
}

impl Request {
    /// The line that nginx writes with this answer.
    pub(super) fn written(&self, status: u16) -> Vec<u8> {
        let Visit { ip, method, user_agent, .. } = &self.visit;
        let target = match self.visit.query.as_str() {
            "" => self.visit.path.clone(),
            query => format!("{}?{query}", self.visit.path),
        };
        let time = written_time(self.at);
        format!(r#"{ip} - - [{time}] "{method} {target} HTTP/1.1" {status} 512 "-" "{user_agent}""#)
            .into_bytes()
    }
}

/// The visits of a log in the servers' usual format. Lines of no such form are kept at the time of the one before.
pub(super) fn recorded(log: &[u8], is_flood: impl Fn(&Visit) -> bool) -> Vec<Request> {
    let mut at = 0;
    let lines = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let requests = lines.map(|line| {
        let visit = match read(&String::from_utf8_lossy(line)) {
            Some((time, visit)) => {
                at = time;
                visit
            }
            None => Visit::default(),
        };
        let is_flood = is_flood(&visit);
        Request { at, visit, line: line.to_vec(), is_dynamic: true, is_flood }
    });
    requests.collect()
}

fn read(line: &str) -> Option<(u64, Visit)> {
    let (address, rest) = line.split_once(' ')?;
    let (_, rest) = rest.split_once('[')?;
    let (time, rest) = rest.split_once("] \"")?;
    let mut quoted = rest.split('"');
    let mut words = quoted.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (_answer, _referer, _space) = (quoted.next()?, quoted.next()?, quoted.next()?);
    let ip = address.parse().ok()?;
    let user_agent = quoted.next()?;
    let known =
        [("Googlebot", "66.249."), ("bingbot", "157.55."), ("bingbot", "40.77."), ("bingbot", "207.46.")];
    let verified_bot =
        known.iter().any(|(name, network)| user_agent.contains(name) && address.starts_with(network));
    let visit = Visit { ip, method: method.to_owned(), verified_bot, ..Visit::of(target) };
    Some((read_time(time)?, visit.with_user_agent(user_agent)))
}

/// Seconds since the epoch of `22/Nov/2026:01:33:36 +0000`.
fn read_time(text: &str) -> Option<u64> {
    let (time, zone) = text.split_once(' ')?;
    let mut parts = time.split(['/', ':']);
    let day: u64 = parts.next()?.parse().ok()?;
    let month = parts.next()?;
    let month = MONTHS.iter().position(|name| *name == month)?;
    let year: u64 = parts.next()?.parse().ok()?;
    let mut seconds = (days_before(year, month) + day - 1) * 86_400;
    for length in [3_600, 60, 1] {
        seconds += length * parts.next()?.parse::<u64>().ok()?;
    }
    let (sign, zone) = zone.split_at_checked(1)?;
    let (hours, minutes) = zone.split_at_checked(2)?;
    let ahead = hours.parse::<u64>().ok()? * 3_600 + minutes.parse::<u64>().ok()? * 60;
    Some(if sign == "-" { seconds + ahead } else { seconds - ahead })
}

fn written_time(at: u64) -> String {
    let days = at / 86_400;
    let year = (1970..).find(|year| days_before(year + 1, 0) > days).unwrap_or(1970);
    let month = (0..12).rfind(|month| days_before(year, *month) <= days).unwrap_or(0);
    let day = days - days_before(year, month) + 1;
    let (hour, minute, second) = (at / 3_600 % 24, at / 60 % 60, at % 60);
    format!("{day:02}/{}/{year}:{hour:02}:{minute:02}:{second:02} +0000", MONTHS[month])
}

/// Days from the epoch to the first of a month.
fn days_before(year: u64, month: usize) -> u64 {
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let years: u64 = (1970..year).map(|year| 365 + u64::from(is_leap(year))).sum();
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    years + lengths.iter().take(month).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (at, text) in
            [(1_795_311_216, "22/Nov/2026:01:33:36 +0000"), (951_782_400, "29/Feb/2000:00:00:00 +0000")]
        {
            assert_eq!((read_time(text), written_time(at).as_str()), (Some(at), text));
        }
        assert_eq!(read_time("22/Nov/2026:04:33:36 +0300"), Some(1_795_311_216));
    }

    #[test]
    fn a_line_is_read_with_what_the_edge_needs() {
        let line = br#"66.249.66.1 - - [22/Nov/2026:01:33:36 +0000] "GET /a?s=b HTTP/1.1" 200 5 "-" "Googlebot/2.1""#;
        let requests = recorded(line, |visit| visit.query == "s=b");
        let request = &requests[0];
        assert_eq!((request.at, request.visit.path.as_str(), request.is_flood), (1_795_311_216, "/a", true));
        assert!(request.visit.verified_bot);
    }
}
