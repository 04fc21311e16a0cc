//! OpenSSL as the judge of keys, certificates and signatures: no code here made it.

use std::fs;
use std::process::Command;

use crate::place::{Place, openssl, text};

#[test]
fn openssl_accepts_the_certificates_for_their_purpose_and_no_other() {
    let place = Place::ready();
    let bundle = place.add_agent();
    let ca = place.data().join("ca.pem");
    let (control, agent) = (place.data().join("control.pem"), bundle.join("agent.pem"));
    for (certificate, good, bad, name, usage) in [
        (&control, "sslclient", "sslserver", "control.secmon.internal", "TLS Web Client Authentication"),
        (&agent, "sslserver", "sslclient", "web1.agent.secmon.internal", "TLS Web Server Authentication"),
    ] {
        let verify = |purpose: &str, host: &str| {
            let arguments = ["verify", "-x509_strict", "-CAfile", text(&ca), "-purpose", purpose];
            let more = ["-verify_hostname", host, text(certificate)];
            let output = Command::new("openssl").args(arguments).args(more).output().expect("openssl runs");
            output.status.success()
        };
        assert!(verify(good, name), "{name}");
        assert!(!verify(bad, name), "{name}");
        assert!(!verify(good, "web2.agent.secmon.internal"), "{name}");
        let shown = openssl(&["x509", "-in", text(certificate), "-noout", "-text"]);
        for expected in [
            &format!("DNS:{name}"),
            usage,
            "CA:FALSE",
            "Digital Signature",
            "prime256v1",
            "ecdsa-with-SHA256",
        ] {
            assert!(shown.contains(expected), "{expected} in {shown}");
        }
    }
    let shown = openssl(&["x509", "-in", text(&ca), "-noout", "-text"]);
    for expected in ["CA:TRUE, pathlen:0", "Certificate Sign", "prime256v1"] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
    for (certificate, key) in
        [(&control, place.data().join("control.key")), (&agent, bundle.join("agent.key"))]
    {
        let of_key = openssl(&["pkey", "-in", text(&key), "-pubout"]);
        assert_eq!(openssl(&["x509", "-in", text(certificate), "-noout", "-pubkey"]), of_key);
    }
}

#[test]
fn openssl_reads_the_ed25519_keys_and_verifies_the_manifests_signature() {
    let place = Place::ready();
    let bundle = place.add_agent();
    let public = bundle.join("dispatch.pub");
    assert_eq!(
        openssl(&["pkey", "-in", text(&place.data().join("dispatch.key")), "-pubout"]),
        fs::read_to_string(&public).expect("a key")
    );
    assert!(
        openssl(&["pkey", "-in", text(&bundle.join("receipt.key")), "-noout", "-text"]).contains("ED25519")
    );

    let manifest = fs::read_to_string(bundle.join("capabilities.manifest.json")).expect("a manifest");
    let (body, control) = without_field(&manifest, "control_signature");
    let (body, _) = without_field(&body, "signature");
    let control: Vec<u8> = control
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex"))
        .collect();
    let (message, signature) = (place.path("message"), place.path("signature"));
    fs::write(&message, &body).expect("a file");
    fs::write(&signature, control).expect("a file");
    let verify = || {
        let arguments =
            ["pkeyutl", "-verify", "-pubin", "-inkey", text(&public), "-rawin", "-in", text(&message)];
        let output = Command::new("openssl").args(arguments).args(["-sigfile", text(&signature)]).output();
        output.expect("openssl runs").status.success()
    };
    assert!(verify());
    fs::write(&message, body.replace("nginx", "caddy")).expect("a file");
    assert!(!verify());
}

/// Canonical JSON without one field of text, and that text.
fn without_field(json: &str, name: &str) -> (String, String) {
    let start = json.find(&format!("\"{name}\":\"")).expect("the field");
    let value = start + name.len() + 4;
    let end = value + json[value..].find('"').expect("the end");
    (format!("{}{}", &json[..start], &json[end + 2..]), json[value..end].to_owned())
}
