//! Keys, certificates and signatures by the openssl program, which shares no code with what is tested.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{set_mode, text};

/// A certificate authority: `<dir>/<name>.pem` and `.key`.
#[derive(Debug)]
pub struct Issuer {
    base: PathBuf,
}

/// What a certificate says.
#[derive(Debug)]
pub struct Purpose {
    /// The subject's common name, which nothing should go by.
    pub common_name: String,
    /// The DNS names; none leaves the extension out.
    pub names: Vec<String>,
    /// `serverAuth`, `clientAuth`, or both.
    pub usage: &'static str,
    /// Days until it expires; negative for one that has.
    pub days: i32,
}

impl Purpose {
    /// For a server of this name.
    pub fn server(name: &str) -> Self {
        Self { common_name: name.to_owned(), names: vec![name.to_owned()], usage: "serverAuth", days: 90 }
    }

    /// For a client of this name.
    pub fn client(name: &str) -> Self {
        Self { usage: "clientAuth", ..Self::server(name) }
    }
}

impl Issuer {
    /// A new authority with a P-256 key.
    pub fn new(dir: &Path, name: &str) -> Self {
        let issuer = Self::existing(dir, name);
        let config = dir.join("openssl.cnf");
        fs::write(&config, "[req]\ndistinguished_name=dn\n[dn]\n").expect("a written file");
        new_key(&issuer.base.with_extension("key"));
        openssl(
            Command::new("openssl")
                .args([
                    "req",
                    "-x509",
                    "-new",
                    "-days",
                    "90",
                    "-subj",
                    &format!("/CN=test {name}"),
                    "-config",
                ])
                .arg(config)
                .args(["-addext", "basicConstraints=critical,CA:TRUE"])
                .args(["-addext", "keyUsage=critical,keyCertSign,cRLSign", "-key"])
                .arg(issuer.base.with_extension("key"))
                .arg("-out")
                .arg(issuer.certificate()),
            b"",
        );
        issuer
    }

    /// The authority whose files are there already.
    pub fn existing(dir: &Path, name: &str) -> Self {
        Self { base: dir.join(name) }
    }

    /// Its certificate.
    pub fn certificate(&self) -> PathBuf {
        self.base.with_extension("pem")
    }

    /// Writes `<dir>/<name>.pem` and `<dir>/<name>.key`, and returns their path without extension.
    pub fn issue(&self, dir: &Path, name: &str, purpose: Purpose) -> PathBuf {
        let base = dir.join(name);
        new_key(&base.with_extension("key"));
        let mut extensions =
            format!("basicConstraints=critical,CA:FALSE\nextendedKeyUsage={}\n", purpose.usage);
        if !purpose.names.is_empty() {
            let names: Vec<String> = purpose.names.iter().map(|name| format!("DNS:{name}")).collect();
            extensions.push_str(&format!("subjectAltName={}\n", names.join(",")));
        }
        let request = openssl(
            Command::new("openssl")
                .args(["req", "-new", "-subj", &format!("/CN={}", purpose.common_name), "-config"])
                .arg(self.base.with_file_name("openssl.cnf"))
                .arg("-key")
                .arg(base.with_extension("key")),
            b"",
        );
        let extension_file = self.base.with_file_name(format!("{name}.ext"));
        fs::write(&extension_file, extensions).expect("a written file");
        openssl(
            Command::new("openssl")
                .args(["x509", "-req", "-days", &purpose.days.to_string(), "-CA"])
                .arg(self.certificate())
                .arg("-CAkey")
                .arg(self.base.with_extension("key"))
                .arg("-extfile")
                .arg(extension_file)
                .arg("-out")
                .arg(base.with_extension("pem")),
            &request,
        );
        base
    }
}

fn new_key(path: &Path) {
    openssl(
        Command::new("openssl")
            .args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"])
            .arg(path),
        b"",
    );
    set_mode(path, 0o600);
}

/// A new Ed25519 key pair: PKCS#8 PEM and SubjectPublicKeyInfo PEM.
pub fn ed25519(private: &Path, public: &Path) {
    openssl(Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(private), b"");
    set_mode(private, 0o600);
    openssl(
        Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(private).arg("-out").arg(public),
        b"",
    );
}

/// The hex Ed25519 signature of `message`.
pub fn sign(key: &Path, message: &[u8]) -> String {
    let file = temporary(message);
    let signature = openssl(
        Command::new("openssl")
            .args(["pkeyutl", "-sign", "-rawin", "-inkey"])
            .arg(key)
            .arg("-in")
            .arg(file.path()),
        b"",
    );
    signature.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `signature` (hex) is an Ed25519 signature of `message` by the key of `public`.
pub fn verify(public: &Path, message: &[u8], signature: &str) -> bool {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    let Some(signature) = signature.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>() else {
        return false;
    };
    let (message, signature) = (temporary(message), temporary(&signature));
    let verdict = Command::new("openssl")
        .args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey"])
        .arg(public)
        .arg("-in")
        .arg(message.path())
        .arg("-sigfile")
        .arg(signature.path())
        .output();
    verdict.expect("openssl runs").status.success()
}

/// The hex HMAC-SHA256 of `message`.
pub(super) fn hmac_sha256(secret: &str, message: &[u8]) -> String {
    let digest = openssl(
        Command::new("openssl")
            .args(["dgst", "-sha256", "-r", "-mac", "HMAC", "-macopt"])
            .arg(format!("key:{secret}")),
        message,
    );
    text(&digest).split(' ').next().unwrap_or_default().to_owned()
}

/// The hex SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = openssl(Command::new("openssl").args(["dgst", "-sha256", "-r"]), bytes);
    text(&digest).split(' ').next().unwrap_or_default().to_owned()
}

fn temporary(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("a written file");
    file
}

fn openssl(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl runs");
    child.stdin.take().expect("a piped stdin").write_all(input).expect("openssl reads its input");
    let output = child.wait_with_output().expect("openssl ends");
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    output.stdout
}
