//! From the message to the envelope, without and with the network, against this disk's fdatasync.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use secmon_control::approval::{
    Approval, ChatId, Claimed, Form, Inbound, Operator, PlainText, Senders, Transport, Via,
};
use secmon_control::audit::{AuditLog, Create, Record};
use secmon_control::config::{DataDir, Secret};
use secmon_control::dispatch::{Agents, Recorded, Routed, now};
use secmon_control::fleet::control_tls;
use secmon_control::fleet::keys::SigningKey;
use secmon_control::policy::Policy;
use secmon_control::store::Store;

use super::stage::Stage;
use super::{percentile, report};

const ROUNDS: u64 = 1000;
const OPERATOR: Operator = Operator(1001);

pub(crate) fn measure(stage: &Stage) -> Result<()> {
    println!("\nApprovals ({ROUNDS} of each)");
    let mut syncs = fdatasyncs(stage)?;
    let sync = percentile(&mut syncs, 50);
    report("fdatasync of 256 appended bytes", &mut syncs, ("fdatasync", sync));
    let data = DataDir::new(stage.path("data"));
    let store = Arc::new(Store::open(&data.database())?);
    let audit = AuditLog::open(&data.audit_log(), Create::Never)?.log;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut claims = Vec::new();
        let mut local = Vec::new();
        for round in 0..ROUNDS {
            let start = Instant::now();
            let claimed = claim(&store, round)?;
            claims.push(start.elapsed());
            // The same record size and the same append as an intent's.
            let record = Record::new(now(), "measured")
                .with("client", claimed.client().as_str())
                .with("nonce", claimed.nonce().hex().as_str())
                .with("filler", "x".repeat(250));
            audit.append(record).await?;
            local.push(start.elapsed());
        }
        report("all gates and the claim", &mut claims, ("fdatasync", sync));
        report("message to intent on disk, no network", &mut local, ("fdatasync", sync));
        for (what, fresh) in
            [("message to envelope, kept connection", false), ("message to envelope, fresh handshake", true)]
        {
            let mut samples = envelopes(&data, &store, &audit, fresh).await?;
            report(what, &mut samples, ("fdatasync", sync));
        }
        Ok(())
    })
}

/// Everything but the sending: gates, claim, manifest from the agent and its check, intent, envelope.
async fn envelopes(data: &DataDir, store: &Store, audit: &AuditLog, fresh: bool) -> Result<Vec<Duration>> {
    let tls = control_tls(data)?;
    let key = SigningKey::read(&data.dispatch_key())?;
    let secret = manifest_secret(data)?;
    let mut agents = Agents::new(tls.clone());
    let mut samples = Vec::new();
    for round in 0..ROUNDS {
        if fresh {
            agents = Agents::new(tls.clone());
        }
        let start = Instant::now();
        let claimed = claim(store, (1 + u64::from(fresh)) * 1_000_000 + round)?;
        let refused = |rejected: secmon_control::approval::Rejected| anyhow!("{}", rejected.reason.explain());
        let routed = Routed::route(claimed, store, &agents, &secret).await.map_err(refused)?;
        let recorded = Recorded::record(routed, audit, &key).await.map_err(refused)?;
        samples.push(start.elapsed());
        drop(recorded);
    }
    Ok(samples)
}

fn claim(store: &Store, nonce: u64) -> Result<Claimed> {
    let refused = |rejected: secmon_control::approval::Rejected| anyhow!("{}", rejected.reason.explain());
    let inbound = Inbound {
        sender: OPERATOR,
        chat: ChatId(OPERATOR.0),
        private: true,
        transport: Transport::Console,
        form: Form::Plain,
        via: Via::Line,
        answers: None,
        text: format!("APPROVE: restart-web acme nonce={nonce:016x} ts={}", now()),
    };
    let known = Senders::new([OPERATOR], []).admit(inbound).map_err(|stranger| anyhow!("{stranger:?}"))?;
    let text = known.plain().map(PlainText::compose).map_err(refused)?;
    let approval = Approval::parse(text, |client| store.client_exists(client)).map_err(refused)?;
    let authorized =
        approval.fresh(now()).and_then(|fresh| fresh.authorize(Policy::default())).map_err(refused)?;
    authorized.claim(None, store, now()).map_err(refused)
}

fn manifest_secret(data: &DataDir) -> Result<Secret> {
    let text = std::fs::read_to_string(data.env_file())?;
    let line = text.lines().find_map(|line| line.strip_prefix("SECMON_MANIFEST_SECRET="));
    Ok(Secret::new(line.context("no manifest secret")?.trim_matches('"').to_owned()))
}

fn fdatasyncs(stage: &Stage) -> Result<Vec<Duration>> {
    let mut file = File::create(stage.path("fdatasync"))?;
    let mut samples = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        file.write_all(&[b'x'; 256])?;
        file.sync_data()?;
        samples.push(start.elapsed());
    }
    Ok(samples)
}
