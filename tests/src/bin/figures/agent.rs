//! What the agent serves and weighs, beside `openssl s_server` under the same client.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use secmon_control::config::DataDir;
use secmon_control::fleet::control_tls;

use super::rate;
use super::stage::Stage;

const KEPT: usize = 5000;
const FRESH: usize = 1000;
const PEER_FRESH: usize = 300;

type Tls = StreamOwned<ClientConnection, TcpStream>;

pub(crate) fn measure(stage: &Stage) -> Result<()> {
    println!("\nAgent");
    let mut tls = control_tls(&DataDir::new(stage.path("data")))?;
    tls.resumption = rustls::client::Resumption::disabled();
    let tls = Arc::new(tls);
    let name = "web1.agent.secmon.internal";
    let pid = stage.agent.id();
    println!("memory idle: {}", memory(pid)?);

    let before = cpu(pid)?;
    let start = Instant::now();
    for _ in 0..FRESH {
        let mut stream = connect(&tls, &stage.address, name)?;
        get(&mut stream, "/v1/health")?;
    }
    let fresh = start.elapsed();
    println!(
        "fresh handshake and GET: {:.0}/s, {:.2} ms each, {:.2} ms CPU each",
        rate(FRESH, fresh),
        1000.0 / rate(FRESH, fresh),
        cpu(pid)?.saturating_sub(before).as_secs_f64() * 1000.0 / rate(FRESH, Duration::from_secs(1)),
    );
    println!("memory after {FRESH} requests: {}", memory(pid)?);

    let mut stream = connect(&tls, &stage.address, name)?;
    let start = Instant::now();
    for _ in 0..KEPT {
        get(&mut stream, "/v1/health")?;
    }
    let kept = start.elapsed();
    println!("kept connection GET: {:.0}/s, {:.3} ms each", rate(KEPT, kept), 1000.0 / rate(KEPT, kept));

    let peer = Peer::start(stage)?;
    let start = Instant::now();
    for _ in 0..PEER_FRESH {
        let mut stream = connect(&tls, &peer.address, name)?;
        get(&mut stream, "/health")?;
    }
    let openssl = start.elapsed();
    println!(
        "openssl s_server, fresh handshake and GET: {:.0}/s; the agent is {:.1} x that",
        rate(PEER_FRESH, openssl),
        rate(FRESH, fresh) / rate(PEER_FRESH, openssl),
    );
    Ok(())
}

fn connect(tls: &Arc<ClientConfig>, address: &str, name: &'static str) -> Result<Tls> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let connection = ClientConnection::new(Arc::clone(tls), ServerName::try_from(name)?)?;
    Ok(StreamOwned::new(connection, socket))
}

/// One request; the answer has a length.
fn get(stream: &mut Tls, path: &str) -> Result<()> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: web1\r\n\r\n")?;
    stream.flush()?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = match stream.read(&mut buffer) {
            Ok(read) => read,
            // s_server closes without a close_notify when it has sent everything.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error.into()),
        };
        answer.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let text = String::from_utf8_lossy(&answer);
        ensure!(read > 0 || text.contains(" 200 "), "the answer was cut: {text}");
        if read == 0 {
            return Ok(());
        }
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        ensure!(head.contains(" 200 "), "{head}");
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        if let Some(length) = length
            && body.len() >= length.trim().parse::<usize>()?
        {
            return Ok(());
        }
    }
}

/// The agent's processes: the one that was started, and those that it started.
fn processes(pid: u32) -> Result<Vec<u32>> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let children = children.split_ascii_whitespace().map(str::parse).collect::<Result<Vec<u32>, _>>()?;
    Ok([vec![pid], children].concat())
}

/// RSS and PSS of all of them, in kB.
fn memory(pid: u32) -> Result<String> {
    let (mut rss, mut pss) = (0_u64, 0_u64);
    for pid in processes(pid)? {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).context("smaps_rollup")?;
            Ok::<u64, anyhow::Error>(line.trim().trim_end_matches(" kB").parse()?)
        };
        rss = rss.saturating_add(field("Rss:")?);
        pss = pss.saturating_add(field("Pss:")?);
    }
    Ok(format!("RSS {rss} kB, PSS {pss} kB, all processes"))
}

/// User and system time of all of them; a tick is 10 ms on every Linux that has a USER_HZ of 100.
fn cpu(pid: u32) -> Result<Duration> {
    let mut sum = 0_u64;
    for pid in processes(pid)? {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let fields: Vec<&str> = text.rsplit_once(") ").context("stat")?.1.split(' ').collect();
        let ticks =
            |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
        sum = sum.saturating_add(ticks(11)).saturating_add(ticks(12));
    }
    Ok(Duration::from_millis(sum.saturating_mul(10)))
}

/// `openssl s_server` with the agent's own certificate, asking for ours.
struct Peer {
    process: Child,
    address: String,
}

impl Peer {
    fn start(stage: &Stage) -> Result<Self> {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let bundle = stage.path("bundle");
        std::fs::write(stage.path("health"), "{}")?;
        let process = Command::new("openssl")
            .args([
                "s_server",
                "-accept",
                &address,
                "-tls1_3",
                "-WWW",
                "-quiet",
                "-Verify",
                "1",
                "-verify_return_error",
            ])
            .arg("-cert")
            .arg(bundle.join("agent.pem"))
            .arg("-key")
            .arg(bundle.join("agent.key"))
            .arg("-CAfile")
            .arg(bundle.join("ca.pem"))
            .current_dir(stage.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("openssl")?;
        let deadline = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(&address).is_err() {
            ensure!(Instant::now() < deadline, "openssl s_server doesn't listen");
            std::thread::yield_now();
        }
        Ok(Self { process, address })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It is a child of this process; one that has ended can't be killed, and needn't be.
        let _killed = self.process.kill();
        let _status = self.process.wait();
    }
}
