//! `secmon manifest`.

use std::fs;

use crate::place::{Place, openssl, text};

#[test]
fn an_edited_manifest_is_found_out_property_by_property() {
    let place = Place::ready();
    let bundle = place.add_agent();
    let manifest = fs::read_to_string(bundle.join("capabilities.manifest.json")).expect("a manifest");
    let file = place.path("m.json");
    let verify = |content: &str| {
        fs::write(&file, content).expect("a file");
        let ran = place.run(&["manifest", "verify", "m.json"]);
        let marks: Vec<String> = ran.out.lines().map(|line| line[..4].trim().to_owned()).collect();
        (ran.code, marks.join(" "), ran.out)
    };
    let (code, marks, shown) = verify(&manifest);
    assert_eq!((code, marks.as_str()), (Some(0), "ok ok ok ok"), "{shown}");
    for (from, to, marks) in [
        ("nginx", "caddy", "ok ok FAIL FAIL"),
        ("nginx", "sshd", "ok FAIL FAIL FAIL"),
        (",", ", ", "FAIL ok ok ok"),
        ("\"signature\":\"", "\"signature\":\"x", "ok FAIL FAIL ok"),
    ] {
        let (code, found, shown) = verify(&manifest.replace(from, to));
        assert_eq!((code, found.as_str()), (Some(1), marks), "{shown}");
    }
    let (code, marks, _) = verify("hunter2");
    assert_eq!((code, marks.as_str()), (Some(1), "FAIL"));
}

#[test]
fn a_document_of_another_schema_is_signed_and_verified_by_its_hmac_alone() {
    let place = Place::ready();
    let secret = "0123456789abcdef0123456789abcdef";
    let variables = [("SECMON_MANIFEST_SECRET", secret)];
    fs::write(place.path("body.json"), "{ \"client\": \"acme\",\n \"actions\": [\"restart_nginx\"] }")
        .expect("a file");
    let signed = place.run_with(&["manifest", "sign", "body.json"], &variables).succeeded();
    assert!(signed.err.contains("HMAC alone"), "{}", signed.err);
    fs::write(place.path("canonical"), r#"{"actions":["restart_nginx"],"client":"acme"}"#).expect("a file");
    let mac = openssl(&["dgst", "-sha256", "-hmac", secret, "-r", text(&place.path("canonical"))]);
    let mac = mac.split(' ').next().expect("a digest");
    assert_eq!(
        signed.out,
        format!("{{\"actions\":[\"restart_nginx\"],\"client\":\"acme\",\"signature\":\"{mac}\"}}\n")
    );
    fs::write(place.path("m.json"), signed.out.replace(',', ",\n")).expect("a file");
    let verified = place.run_with(&["manifest", "verify", "m.json"], &variables).succeeded();
    assert!(verified.out.contains("ok    HMAC: "), "{}", verified.out);
    assert_eq!(place.run(&["manifest", "verify", "m.json"]).code, Some(1));
}

#[test]
fn a_newer_manifest_is_recorded_and_an_older_one_is_not() {
    let place = Place::ready();
    let bundle = place.add_agent();
    let manifest = fs::read_to_string(bundle.join("capabilities.manifest.json")).expect("a manifest");
    let sign = |from: &str, to: &str, more: &[&str]| {
        fs::write(place.path("body.json"), manifest.replace(from, to)).expect("a file");
        place.run(&[&["manifest", "sign", "body.json"][..], more].concat())
    };
    sign("\"seq\":1", "\"seq\":2", &["--record", "--out", "m2.json"]).succeeded();
    place.run(&["manifest", "verify", "m2.json"]).succeeded();
    sign("\"seq\":1", "\"seq\":3", &["--out", "m2.json"]).refused(&["m2.json is there already"]);
    sign("\"seq\":1", "\"seq\":1", &["--record"]).refused(&["the manifest's seq is 1", "has 2"]);
    sign("nginx", "sshd", &[])
        .refused(&["not a manifest that an agent takes: the field unit has a bad value"]);
    sign("\"web1\"", "\"web9\"", &["--record"]).refused(&["there is no agent web9"]);
}
