use proptest::prelude::*;
use x509_parser::prelude::*;

use super::super::testing::{Authority, NOW, params, self_signed};
use super::*;

/// Everything that we read, as another reader sees it.
fn agree(der: &[u8]) -> Certificate<'_> {
    let ours = Certificate::read(der).expect("a certificate");
    let (_, theirs) = X509Certificate::from_der(der).expect("a certificate");
    assert_eq!(ours.serial, theirs.raw_serial());
    assert_eq!(ours.is_self_signed(), theirs.issuer().as_raw() == theirs.subject().as_raw());
    assert_eq!(
        i64::try_from(ours.not_before).expect("small"),
        theirs.validity().not_before.timestamp().max(0)
    );
    assert_eq!(i64::try_from(ours.not_after).expect("small"), theirs.validity().not_after.timestamp().max(0));
    assert_eq!(ours.ca, theirs.is_ca());
    let common_name = theirs.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    assert_eq!(ours.common_name(), common_name);
    let san = theirs.subject_alternative_name().expect("one or none");
    let names: Vec<_> = san.iter().flat_map(|san| &san.value.general_names).collect();
    let names: Vec<_> = names
        .into_iter()
        .filter_map(|name| if let GeneralName::DNSName(name) = name { Some(*name) } else { None })
        .collect();
    assert_eq!(ours.names().collect::<Vec<_>>(), names);
    let key = |found: fn(&ParsedExtension<'_>) -> Option<Vec<u8>>| {
        theirs.extensions().iter().find_map(|extension| found(extension.parsed_extension()))
    };
    let subject_key = key(|parsed| match parsed {
        ParsedExtension::SubjectKeyIdentifier(key) => Some(key.0.to_vec()),
        _ => None,
    });
    assert_eq!(ours.subject_key.map(<[u8]>::to_vec), subject_key);
    let authority_key = key(|parsed| match parsed {
        ParsedExtension::AuthorityKeyIdentifier(key) => key.key_identifier.as_ref().map(|key| key.0.to_vec()),
        _ => None,
    });
    assert_eq!(ours.authority_key.map(<[u8]>::to_vec), authority_key);
    ours
}

#[test]
fn certificates_are_read_as_another_reader_reads_them() {
    let root = Authority::new("Root X1", NOW + 86_400_000, None);
    let between = Authority::new("Between R3", NOW + 86_400, Some(&root));
    let mut with_address = params(&["acme.de", "*.acme.de", "192.0.2.1"], 86_400, 5_000_000_000);
    with_address.distinguished_name.push(rcgen::DnType::CommonName, "Acme \u{fc}");
    let leaf = between.sign(&with_address);
    assert!(agree(&root.der).is_self_signed());
    assert!(agree(&between.der).ca);
    let leaf = agree(&leaf);
    assert_eq!(leaf.names().collect::<Vec<_>>(), ["acme.de", "*.acme.de"]);
    assert!(leaf.is_issued_by(&agree(&between.der)));
    assert!(!leaf.is_issued_by(&agree(&root.der)));
    // An authority of the same name with another key did not issue it.
    let double = Authority::new("Between R3", NOW + 86_400, Some(&root));
    assert!(!leaf.is_issued_by(&agree(&double.der)));
}

#[test]
fn certificates_of_openssl_are_read_as_well() {
    let old = params(&["acme.de"], 0, 2_524_607_999);
    agree(&self_signed(&old));
    for (arguments, names) in [
        // Version 1: without extensions; RSA; a name of several parts.
        (&["-subj", "/C=DE/O=Acme GmbH/CN=acme.de", "-x509v1"][..], &[][..]),
        (
            &["-subj", "/CN=acme.de", "-addext", "subjectAltName=DNS:acme.de,DNS:www.acme.de"],
            &["acme.de", "www.acme.de"],
        ),
    ] {
        let Some(pem) = openssl(arguments) else {
            println!("skipped: this machine's openssl(1) doesn't make such a certificate");
            continue;
        };
        let der = super::super::pem::first(&pem).expect("a certificate");
        assert_eq!(agree(&der).names().collect::<Vec<_>>(), names);
    }
}

fn openssl(arguments: &[&str]) -> Option<Vec<u8>> {
    let mut command = std::process::Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90", "-keyout", "/dev/null"]);
    let output = command.args(arguments).output().ok()?;
    output.status.success().then_some(output.stdout)
}

#[test]
fn a_star_stands_for_one_label() {
    let der = self_signed(&params(&["acme.de", "*.shop.de"], NOW, NOW + 1));
    let certificate = Certificate::read(&der).expect("a certificate");
    for (host, covered) in [
        ("acme.de", true),
        ("ACME.de", true),
        ("www.acme.de", false),
        ("a.shop.de", true),
        ("a.b.shop.de", false),
        ("shop.de", false),
        (".shop.de", false),
        ("evilshop.de", false),
        ("", false),
    ] {
        assert_eq!(certificate.covers(host), covered, "{host}");
    }
}

#[test]
fn cloudflares_own_authority_is_known() {
    let origin = Authority::new("CloudFlare Origin SSL Certificate Authority", NOW, None);
    let other = Authority::new("Origin R1", NOW, None);
    let leaf = params(&["acme.de"], NOW, NOW + 1);
    assert!(Certificate::read(&origin.sign(&leaf)).expect("one").is_cloudflare_origin());
    assert!(!Certificate::read(&other.sign(&leaf)).expect("one").is_cloudflare_origin());
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _any = Certificate::read(&bytes);
    }

    #[test]
    fn a_certificate_may_be_damaged_anywhere(at in 0_usize..600, byte: u8, cut in 0_usize..2_000) {
        static DER: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let der = DER.get_or_init(|| self_signed(&params(&["acme.de", "*.acme.de"], NOW, NOW + 1)));
        let mut der = der.clone();
        if let Some(damaged) = der.get_mut(at) {
            *damaged = byte;
        }
        der.truncate(cut);
        if let Some(certificate) = Certificate::read(&der) {
            let _any = (certificate.covers("www.acme.de"), certificate.common_name(), certificate.is_cloudflare_origin());
        }
    }
}
