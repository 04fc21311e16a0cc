use rcgen::CertificateParams;

use super::super::testing::{Authority, Fake, NOW, noted, params, self_signed, sentences, sites, skips};
use super::*;

const NAME: &str = "acme.de";
const FILE: &str = "/etc/ssl/acme.pem";

struct Pki {
    root: Authority,
    between: Authority,
}

fn pki() -> Pki {
    let root = Authority::new("Root X1", NOW + 3_650 * DAY, None);
    let between = Authority::new("R3", NOW + 365 * DAY, Some(&root));
    Pki { root, between }
}

impl Pki {
    fn leaf(&self, params: &CertificateParams) -> Vec<Vec<u8>> {
        vec![self.between.sign(params), self.between.der.clone()]
    }
}

/// A certificate of `days` days with so many hours left.
fn with_left(days: u64, hours: u64) -> CertificateParams {
    params(&[NAME], NOW + hours * 3_600 - days * DAY, NOW + hours * 3_600)
}

fn shows(chain: Vec<Vec<u8>>) -> Fake {
    Fake { certificates: Box::new(move |_, _| Ok(chain.clone())), ..Fake::default() }
}

fn found(host: &Fake, stack: &Stack) -> Vec<String> {
    sentences(&noted(|notes| check(host, stack, notes)))
}

fn found_for(chain: Vec<Vec<u8>>) -> Vec<String> {
    found(&shows(chain), &sites(&[NAME]))
}

#[test]
fn a_sound_chain_is_no_finding() {
    let pki = pki();
    let notes = noted(|notes| check(&shows(pki.leaf(&with_left(90, 24 * 60))), &sites(&[NAME]), notes));
    assert_eq!(sentences(&notes), [""; 0]);
    assert_eq!(skips(&notes), [""; 0]);
    assert_eq!(notes.what_was_checked(), [Check::Certificates]);
}

#[test]
fn a_renewal_is_late_by_its_share_of_the_lifetime() {
    let pki = pki();
    let warning = |days| {
        vec![format!(
            "tls-expiring warning: The certificate of acme.de expires in {days} d: its renewal is late"
        )]
    };
    let critical = |days| {
        vec![format!(
            "tls-expiring critical: The certificate of acme.de expires in {days} d: its renewal is late"
        )]
    };
    for (days, hours, wanted) in [
        (90, 20 * 24, vec![]),
        (90, 19 * 24, warning(19)),
        (90, 7 * 24 + 12, warning(7)),
        (90, 6 * 24, critical(6)),
        (45, 10 * 24, vec![]),
        (45, 9 * 24, warning(9)),
        (45, 87, warning(3)),
        (45, 86, critical(3)),
        (6, 33, vec![]),
        (6, 30, warning(1)),
        (6, 11, critical(0)),
        // Fifteen years, as Cloudflare's authority gives for origins.
        (5_475, 21 * 24, vec![]),
        (5_475, 19 * 24, warning(19)),
        (5_475, 6 * 24, critical(6)),
    ] {
        assert_eq!(found_for(pki.leaf(&with_left(days, hours))), wanted, "{days} d, {hours} h left");
    }
}

#[test]
fn the_manifest_says_in_days_when_a_renewal_is_late() {
    let pki = pki();
    let of = |limit: u32, days: u64, left: u64| {
        let thresholds = crate::tuning::Thresholds::default().with(Threshold::TlsExpiry, limit);
        let stack = Stack { thresholds, ..sites(&[NAME]) };
        found(&shows(pki.leaf(&with_left(days, left * 24))), &stack).len()
    };
    assert_eq!((of(30, 90, 29), of(30, 90, 30)), (1, 0));
    assert_eq!((of(5, 90, 4), of(5, 90, 6)), (1, 0), "less than usual");
    assert_eq!((of(4, 6, 3), of(4, 6, 5)), (1, 0), "whatever the lifetime");
}

#[test]
fn an_expired_certificate_is_said_to_be() {
    let pki = pki();
    let expired = params(&[NAME], NOW - 90 * DAY, NOW - 3 * DAY - 1);
    let line = |severity| vec![format!("tls-expired {severity}: The certificate of acme.de expired 3 d ago")];
    assert_eq!(found_for(pki.leaf(&expired)), line("critical"));
    assert_eq!(found_for(vec![self_signed(&expired)]), line("warning"));
    let until_now = params(&[NAME], NOW - 90 * DAY, NOW);
    assert!(found_for(pki.leaf(&until_now))[0].starts_with("tls-expiring critical"));
}

#[test]
fn a_certificate_from_the_future_means_a_clock_from_the_past() {
    let pki = pki();
    let tomorrow = params(&[NAME], NOW + DAY, NOW + 91 * DAY);
    assert_eq!(found_for(pki.leaf(&tomorrow)), ["clock-skew critical: The clock is wrong by 24 h"]);
    let just_now = params(&[NAME], NOW + 60, NOW + 91 * DAY);
    assert_eq!(found_for(pki.leaf(&just_now)), [""; 0]);
}

#[test]
fn a_certificate_is_for_the_host_that_shows_it() {
    let pki = pki();
    let other = params(&["other.de", "*.acme.de"], NOW - DAY, NOW + 89 * DAY);
    let line = "tls-wrong-san critical: The certificate shown for acme.de is for other.de";
    assert_eq!(found_for(pki.leaf(&other)), [line]);
    assert_eq!(found(&shows(pki.leaf(&other)), &sites(&["www.acme.de"])), [""; 0]);
    assert_eq!(found(&shows(pki.leaf(&other)), &sites(&["192.0.2.7"])), [""; 0]);
    // Debian's own snake oil, behind Cloudflare's ordinary mode: worth knowing.
    let snake_oil = self_signed(&params(&["debian"], NOW - DAY, NOW + 3_650 * DAY));
    assert_eq!(
        found_for(vec![snake_oil]),
        ["tls-wrong-san info: The certificate shown for acme.de is for debian"]
    );
}

#[test]
fn a_leaf_needs_its_issuer_beside_it() {
    let pki = pki();
    let leaf = pki.between.sign(&with_left(90, 24 * 60));
    let line = "tls-chain-incomplete warning: acme.de does not send its intermediate certificate";
    assert_eq!(found_for(vec![leaf.clone()]), [line]);
    // An authority, but another one.
    let other = Authority::new("R3", NOW + DAY, Some(&pki.root));
    assert_eq!(found_for(vec![leaf.clone(), other.der]), [line]);
    // In whichever order, and whatever else there is.
    assert_eq!(found_for(vec![leaf, pki.root.der, pki.between.der]), [""; 0]);
    assert_eq!(found_for(vec![self_signed(&with_left(90, 24 * 60))]), [""; 0]);
    let cloudflare = Authority::new("CloudFlare Origin SSL Certificate Authority", NOW + DAY, None);
    assert_eq!(found_for(vec![cloudflare.sign(&with_left(5_475, 24 * 5_000))]), [""; 0]);
}

#[test]
fn an_expired_intermediate_counts_unless_there_is_a_valid_one() {
    let root = Authority::new("Root X1", NOW + 3_650 * DAY, None);
    let expired = Authority::new("R3", NOW - DAY, Some(&root));
    let leaf = expired.sign(&with_left(90, 24 * 60));
    let line = "tls-intermediate-expired critical: acme.de: the intermediate certificate R3 has expired";
    assert_eq!(found_for(vec![leaf.clone(), expired.der.clone()]), [line]);
    let valid = expired.until("R3", NOW + DAY);
    assert_eq!(found_for(vec![leaf, expired.der, valid]), [""; 0]);
    // Above the leaf's issuer, an expired alternative is no harm: clients know the root.
    let old_root = Authority::new("Old Root", NOW - DAY, None);
    let pki = pki();
    let mut chain = pki.leaf(&with_left(90, 24 * 60));
    chain.push(old_root.der);
    assert_eq!(found_for(chain), [""; 0]);
}

fn pem(der: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = b"-----BEGIN CERTIFICATE-----\n".to_vec();
    for three in der.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..=three.len() {
            text.push(DIGITS[usize::try_from(bits >> (18 - 6 * at) & 63).expect("6 bits")]);
        }
    }
    text.extend(b"\n-----END CERTIFICATE-----\n");
    text
}

/// A host that shows `shown` and has `file`, changed `age` seconds ago.
fn beside(shown: &[Vec<u8>], file: Result<&[u8], Denied>, age: u64) -> (Fake, Stack) {
    let mut host = shows(shown.to_vec());
    host.files.insert(FILE, (file.map(pem), NOW - age));
    let mut stack = sites(&[NAME]);
    stack.sites[0].certificates = vec![FILE.to_owned()];
    (host, stack)
}

#[test]
fn a_renewed_certificate_must_be_shown_within_an_hour() {
    let pki = pki();
    let old = pki.leaf(&with_left(90, 24 * 30));
    let new = pki.between.sign(&with_left(90, 24 * 89));
    let line = "tls-not-reloaded warning: acme.de: a new certificate is on the disk, but not loaded";
    let (host, stack) = beside(&old, Ok(&new), 3_601);
    let notes = noted(|notes| check(&host, &stack, notes));
    assert_eq!(sentences(&notes), [line]);
    assert_eq!(notes.findings()[0].action, Some(ActionId::RestartWeb));
    assert_eq!(notes.findings()[0].since, Some(NOW - 3_601));
    let (host, stack) = beside(&old, Ok(&new), 3_600);
    assert_eq!(found(&host, &stack), [""; 0]);
    let (host, stack) = beside(&old, Ok(&old[0]), 99_999);
    assert_eq!(found(&host, &stack), [""; 0]);
    // What is older, or for somebody else, is not what should be shown.
    let older = pki.between.sign(&with_left(90, 24 * 10));
    let others = pki.between.sign(&params(&["other.de"], NOW - DAY, NOW + 89 * DAY));
    for file in [older, others] {
        let (host, stack) = beside(&old, Ok(&file), 99_999);
        assert_eq!(found(&host, &stack), [""; 0]);
    }
    // The one that is shown has expired: now it is urgent.
    let expired = pki.leaf(&params(&[NAME], NOW - 90 * DAY, NOW - DAY));
    let (host, stack) = beside(&expired, Ok(&new), 3_601);
    assert!(found(&host, &stack).contains(&line.replace("warning", "critical")));
}

#[test]
fn one_of_two_kinds_of_certificate_is_shown() {
    let pki = pki();
    let ecdsa = pki.leaf(&with_left(90, 24 * 30));
    let (mut host, mut stack) = beside(&ecdsa, Ok(&pki.between.sign(&with_left(90, 24 * 89))), 99_999);
    host.files.insert("/etc/ssl/ecdsa.pem", (Ok(pem(&ecdsa[0])), NOW));
    stack.sites[0].certificates.push("/etc/ssl/ecdsa.pem".to_owned());
    assert_eq!(found(&host, &stack), [""; 0]);
}

#[test]
fn a_file_that_is_not_for_us_is_said_not_to_be_compared() {
    let pki = pki();
    let (host, stack) = beside(&pki.leaf(&with_left(90, 24 * 30)), Err(Denied::Permission), 0);
    let notes = noted(|notes| check(&host, &stack, notes));
    assert_eq!(skips(&notes), ["certificates permission /etc/ssl/acme.pem"]);
    let mut many = stack;
    many.sites[0].certificates =
        vec![FILE.to_owned(), FILE.replace("acme", "other"), FILE.replace("acme", "b")];
    let notes = noted(|notes| check(&host, &many, notes));
    assert_eq!(
        skips(&notes),
        ["certificates permission /etc/ssl/acme.pem", "certificates absent /etc/ssl/other.pem"]
    );
}

#[test]
fn sites_that_share_a_certificate_share_its_findings() {
    let pki = pki();
    let shared = params(&["acme.de", "acme.at"], NOW - 90 * DAY, NOW - DAY);
    let lines = found(&shows(pki.leaf(&shared)), &sites(&["acme.de", "acme.at", "acme.ch"]));
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("tls-expired critical: The certificate of acme.de"));
    assert_eq!(lines[1], "tls-wrong-san critical: The certificate shown for acme.ch is for acme.de");
}

#[test]
fn who_does_not_answer_or_speaks_nonsense_is_not_checked() {
    let nonsense = noted(|notes| check(&shows(vec![vec![1, 2, 3]]), &sites(&[NAME]), notes));
    assert_eq!(skips(&nonsense), ["certificates failed acme.de"]);
    let refused = noted(|notes| check(&Fake::default(), &sites(&[NAME]), notes));
    assert_eq!(skips(&refused), ["certificates failed acme.de"]);
    assert_eq!(sentences(&refused), [""; 0]);
    let old = Fake { certificates: Box::new(|_, _| Err(Denied::Unsupported)), ..Fake::default() };
    let old = noted(|notes| check(&old, &sites(&[NAME]), notes));
    assert_eq!(skips(&old), ["certificates unsupported acme.de: TLS 1.2 only"]);
    // A site without TLS has nothing to show.
    let mut stack = sites(&[NAME]);
    stack.sites[0].listens.retain(|listen| !listen.tls);
    let nothing = noted(|notes| check(&Fake::default(), &stack, notes));
    assert_eq!(skips(&nothing), [""; 0]);
}

#[test]
fn a_site_without_a_name_has_a_certificate_too() {
    let pki = pki();
    let expired = pki.leaf(&params(&[NAME], NOW - 90 * DAY, NOW - DAY));
    let line = "tls-expired critical: The certificate of localhost expired 1 d ago";
    assert_eq!(found(&shows(expired.clone()), &sites(&[""])), [line]);
    let rejects = Fake { certificates: Box::new(|_, _| Err(Denied::Failed)), ..Fake::default() };
    assert_eq!(skips(&noted(|notes| check(&rejects, &sites(&[""]), notes))), [""; 0]);
    assert_eq!(
        skips(&noted(|notes| check(&rejects, &sites(&[NAME]), notes))),
        ["certificates failed acme.de"]
    );
    // Shared with a site that has one, it is called by that.
    let line = "tls-expired critical: The certificate of acme.de expired 1 d ago";
    assert_eq!(found(&shows(expired), &sites(&["", NAME])), [line]);
}
