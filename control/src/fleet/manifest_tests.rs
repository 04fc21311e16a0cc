use super::*;
use crate::config::Secret;

const BODY: &str = r#"{
  "v": 1, "seq": 3, "agent_id": "web1", "client_id": "acme", "issued": 1767225600, "diagnostics": ["disk"],
  "operations": [{"action": "restart-web", "unit": "nginx", "min_interval_s": 60}]
}"#;

fn secret(fill: &str) -> Secret {
    Secret::new(fill.repeat(32))
}

fn key() -> SigningKey {
    SigningKey::generate().expect("a key").0
}

/// Signs what isn't an agent's manifest.
fn signed(document: &str) -> Result<Vec<u8>, SignError> {
    match sign(document.as_bytes(), || unreachable!("the dispatch key is for agents"), &secret("s"))? {
        Signed::Other(bytes) => Ok(bytes),
        Signed::Agent(_) => panic!("an agent's manifest"),
    }
}

fn agents(document: &str, key: SigningKey) -> Vec<u8> {
    match sign(document.as_bytes(), || Ok(key), &secret("s")).expect("signed") {
        Signed::Agent(manifest) => canonical(&manifest).expect("bytes"),
        Signed::Other(_) => panic!("another schema"),
    }
}

/// The names of what fails.
fn failing(document: &[u8], secret: &Secret, public: Option<&PublicKey>) -> Vec<&'static str> {
    let properties = verify(document, secret, public).properties;
    properties.into_iter().filter(|p| matches!(p.verdict, Verdict::Fails(_))).map(|p| p.name).collect()
}

#[test]
fn a_signed_manifest_verifies_and_each_edit_is_named() {
    let key = key();
    let public = key.public();
    let manifest = agents(BODY, key);
    let text = String::from_utf8(manifest.clone()).expect("text");
    let none: [&str; 0] = [];
    assert_eq!(failing(&manifest, &secret("s"), Some(&public)), none);
    assert_eq!(failing(format!("{text}\n").as_bytes(), &secret("s"), Some(&public)), none);

    let edit = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        failing(text.replace(from, to).as_bytes(), &secret("s"), Some(&public))
    };
    assert_eq!(edit("nginx", "caddy"), ["HMAC", "control signature"]);
    assert_eq!(edit("nginx", "sshd"), ["schema", "HMAC", "control signature"]);
    assert_eq!(edit("\"seq\":3", "\"seq\": 3"), ["canonical form"]);
    assert_eq!(edit("\"v\":1", "\"v\":1,\"w\":1"), ["schema", "HMAC", "control signature"]);
    assert_eq!(edit("\"seq\":3", "\"seq\":3,\"seq\":3"), ["canonical form"]);
    assert_eq!(edit("\"signature\":\"", "\"signature\":\"0"), ["schema", "HMAC"]);
    assert_eq!(failing(&manifest, &secret("t"), Some(&public)), ["HMAC"]);
    assert_eq!(failing(&manifest, &secret("s"), Some(&[0; 32])), ["control signature"]);
    assert_eq!(failing(&manifest, &secret("s"), None), ["control signature"]);
}

#[test]
fn signing_again_replaces_both_signatures() {
    let (first, second) = (key(), key());
    let public = second.public();
    let manifest = agents(BODY, first);
    let again = agents(std::str::from_utf8(&manifest).expect("text"), second);
    assert_ne!(manifest, again);
    assert!(verify(&again, &secret("s"), Some(&public)).holds());
}

#[test]
fn a_document_of_another_schema_gets_and_keeps_its_hmac() {
    let document = r#"{"version": "1.2", "client": "acme", "actions": ["restart_nginx", "ü"]}"#;
    let bytes = signed(document).expect("signed");
    let none: [&str; 0] = [];
    assert_eq!(failing(&bytes, &secret("s"), None), none);
    let pretty = String::from_utf8(bytes).expect("text").replace(',', ",\n  ");
    assert_eq!(failing(pretty.as_bytes(), &secret("s"), None), none);
    assert_eq!(failing(pretty.replace("acme", "acne").as_bytes(), &secret("s"), None), ["HMAC"]);
    assert_eq!(failing(b"{\"a\":1}", &secret("s"), None), ["HMAC"]);
}

#[test]
fn what_an_agent_would_refuse_is_not_signed() {
    for (from, to, reason) in [
        ("\"nginx\"", "\"sshd\"", "the field unit has a bad value"),
        ("60", "1", "the field min_interval_s has a bad value"),
        ("\"v\": 1", "\"v\": 2", "an unknown message version"),
        ("\"v\": 1", "\"v\": 1, \"w\": 1", "an unknown field"),
    ] {
        let error = signed(&BODY.replace(from, to)).expect_err(reason).to_string();
        assert_eq!(error, format!("not a manifest that an agent takes: {reason}"));
    }
    for bad in ["", "[1]", "{\"a\":1.5}", "{\"a\":1,\"a\":2}"] {
        assert!(matches!(signed(bad), Err(SignError::Json(_))), "{bad}");
    }
}
