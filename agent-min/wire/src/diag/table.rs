//! The catalogue: every finding there is, at one glance.
//!
//! Each row is a finding's name and area, its sentence with the names of its facts in braces, the findings that
//! explain it (so that it is a symptom where one of them is there; `flood-*` stands for a family), and the
//! operations that must not run while it holds, with the reason.

use crate::Area;
use crate::OperationId::{self, RestartDb, RestartPhp, RestartWeb};

macro_rules! closed_list {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($variant),+ }

        impl $name {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The entry with this name.
            pub fn new(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|entry| entry.as_str() == text)
            }

            /// The name as it stands in messages.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(super) use closed_list;

closed_list! {
    /// Why a restart would not help, or would harm.
    WhyNot {
        Configuration = "configuration",
        Corrupt = "corrupt",
        Disk = "disk",
        Flood = "flood",
        Memory = "memory",
        Provider = "provider",
        ReadOnly = "read-only",
        Recovering = "recovering",
    }
}

impl WhyNot {
    /// For people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Configuration => "it would not come up with this configuration",
            Self::Corrupt => "it could make the damage worse",
            Self::Disk => "a restart frees no space, and what restarts may not come up",
            Self::Flood => "the requests would fill it again at once",
            Self::Memory => "memory would run out again",
            Self::Provider => "the machine itself is too slow now",
            Self::ReadOnly => "nothing can be written, so what restarts may not come up",
            Self::Recovering => "what repairs itself must not be interrupted",
        }
    }
}

/// One row.
#[derive(Debug)]
pub struct Entry {
    /// Where it belongs.
    pub area: Area,
    /// How it reads.
    pub sentence: &'static str,
    /// Names, or families ending in `*`, of the findings that explain it.
    pub explained_by: &'static [&'static str],
    /// What must not run while it holds.
    pub forbids: &'static [OperationId],
    /// Why a restart doesn't help against it.
    pub why: Option<WhyNot>,
}

macro_rules! catalogue {
    ($($variant:ident = $name:literal, $area:ident: $sentence:literal,
        explained_by [$($by:literal),*], forbids [$($op:ident),*], why $why:expr;)+) => {
        closed_list! {
            /// A finding. Names sort as variants do.
            FindingId { $($variant = $name),+ }
        }

        use WhyNot::*;

        static ENTRIES: &[Entry] = &[$(Entry {
            area: Area::$area,
            sentence: $sentence,
            explained_by: &[$($by),*],
            forbids: &[$($op),*],
            why: $why,
        }),+];
    };
}

catalogue! {
    BenignSurge = "benign-surge", Flood: "Many visitors ({rate}/min); they look real",
        explained_by [], forbids [], why None;
    ClockSkew = "clock-skew", Net: "The clock is wrong by {seconds}",
        explained_by [], forbids [], why None;
    CpuSaturated = "cpu-saturated", System: "The processor is full: {percent} % of the time something waits for it",
        explained_by ["flood-*", "cpu-steal"], forbids [], why None;
    CpuSteal = "cpu-steal", System: "The provider takes {percent} % of the processor away",
        explained_by [], forbids [], why Some(Provider);
    CpuThrottled = "cpu-throttled", System: "{unit} is slowed down by its processor quota ({percent} %)",
        explained_by ["flood-*"], forbids [], why None;
    CrawlAi = "crawl-ai", Flood: "{user_agent} makes {percent} % of PHP's load",
        explained_by [], forbids [RestartPhp], why Some(Flood);
    DbAuthFail = "db-auth-fail", Db: "{name} refuses the password of {what}",
        explained_by [], forbids [], why None;
    DbConnNearLimit = "db-conn-near-limit", Db: "{busy} of {limit} database connections are in use",
        explained_by ["db-too-many-conn", "db-lock-wait", "db-running-pile", "php-queue", "flood-*"], forbids [], why None;
    DbCorrupt = "db-corrupt", Db: "{name} reports damaged data: a backup is needed",
        explained_by [], forbids [RestartDb], why Some(Corrupt);
    DbCrashRestart = "db-crash-restart", Db: "{name} restarted by itself",
        explained_by ["db-oom-killed", "mem-oom", "disk-full", "db-corrupt"], forbids [], why None;
    DbDiskFull = "db-disk-full", Db: "{name} cannot write: the disk is full",
        explained_by ["disk-full", "disk-inodes", "disk-tmp-full"], forbids [RestartDb], why Some(Disk);
    DbDown = "db-down", Db: "{name} is not running",
        explained_by ["db-oom-killed", "db-disk-full", "db-corrupt", "db-recovering", "disk-full", "disk-inodes", "disk-readonly", "mem-oom", "sys-crash-loop"], forbids [], why None;
    DbHostBlocked = "db-host-blocked", Db: "{name} refuses this host after too many broken connections",
        explained_by [], forbids [], why None;
    DbHung = "db-hung", Db: "{name} takes connections and does not answer",
        explained_by ["disk-io-stall", "disk-full", "disk-readonly", "mem-psi", "mem-swap-thrash", "db-recovering", "db-disk-full"], forbids [], why None;
    DbLockWait = "db-lock-wait", Db: "{count} database queries wait for locks",
        explained_by ["disk-io-stall", "disk-full"], forbids [], why None;
    DbOomKilled = "db-oom-killed", Db: "{name} was killed because memory ran out",
        explained_by ["mem-oom"], forbids [RestartDb], why Some(Memory);
    DbRecovering = "db-recovering", Db: "{name} repairs itself after a crash: wait",
        explained_by [], forbids [RestartDb], why Some(Recovering);
    DbRunningPile = "db-running-pile", Db: "{count} database queries run at once",
        explained_by ["db-lock-wait", "disk-io-stall", "flood-*"], forbids [], why None;
    DbSlowRate = "db-slow-rate", Db: "{count} slow database queries in 10 s",
        explained_by ["disk-io-stall", "cpu-steal", "mem-swap-thrash", "flood-*"], forbids [], why None;
    DbTmpDisk = "db-tmp-disk", Db: "{percent} % of temporary tables go to the disk ({rate} a second)",
        explained_by [], forbids [], why None;
    DbTooManyConn = "db-too-many-conn", Db: "{name} refuses connections: all are in use",
        explained_by ["db-lock-wait", "db-running-pile", "db-hung", "disk-io-stall"], forbids [], why None;
    DiskExt4Errors = "disk-ext4-errors", Disk: "{count} file system [errors|error] on {name}",
        explained_by [], forbids [], why None;
    DiskFillEta = "disk-fill-eta", Disk: "{file} will be full in about {hours} h",
        explained_by ["disk-full"], forbids [], why None;
    DiskFull = "disk-full", Disk: "{file} has {free} left ({percent} %)",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Disk);
    DiskInodes = "disk-inodes", Disk: "{file} has {count} inodes left ({percent} %)",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Disk);
    DiskIoStall = "disk-io-stall", Disk: "The disk is the bottleneck: {percent} % of the time everything waits for it",
        explained_by ["mem-swap-thrash"], forbids [], why Some(Provider);
    DiskLogGrowth = "disk-log-growth", Disk: "{file} is {size} and grows",
        explained_by [], forbids [], why None;
    DiskReadonly = "disk-readonly", Disk: "{file} can no longer be written to",
        explained_by ["disk-ext4-errors"], forbids [RestartWeb, RestartPhp, RestartDb], why Some(ReadOnly);
    DiskTmpFull = "disk-tmp-full", Disk: "{file} is full: uploads and sessions fail",
        explained_by ["disk-full"], forbids [RestartPhp], why Some(Disk);
    DnsBroken = "dns-broken", Net: "The name server {address} does not answer",
        explained_by [], forbids [], why None;
    DnsSiteWrong = "dns-site-wrong", Net: "The name {host} {what}",
        explained_by ["dns-broken"], forbids [], why None;
    FakeBot = "fake-bot", Flood: "{address} pretends to be {what}: {rate}/min",
        explained_by [], forbids [], why None;
    Flood404Dyn = "flood-404-dyn", Flood: "Missing pages cost PHP's time: {rate}/min",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Flood);
    FloodAjax = "flood-ajax", Flood: "admin-ajax.php is flooded: {rate}/min from {sources} [addresses|address]",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Flood);
    FloodCachebust = "flood-cachebust", Flood: "{path} is flooded with random queries: {rate}/min",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Flood);
    FloodDirect = "flood-direct", Flood: "{address} attacks past Cloudflare: {rate}/min",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Flood);
    FloodDistributed = "flood-distributed", Flood: "Distributed flood: {rate}/min from {sources} [addresses|address], no single source",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Flood);
    FloodFacet = "flood-facet", Flood: "Shop filters are crawled: {rate}/min from {sources} [addresses|address]",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Flood);
    FloodLogin = "flood-login", Flood: "Passwords are being tried: {rate}/min from {sources} [addresses|address]",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Flood);
    FloodLoginSlow = "flood-login-slow", Flood: "Passwords are being tried slowly: {sources} [addresses|address], {count} tries in an hour",
        explained_by [], forbids [], why None;
    FloodLoginSuccess = "flood-login-success", Flood: "A login succeeded after {count} failures from {address}",
        explained_by [], forbids [], why None;
    FloodPost = "flood-post", Flood: "{path} is flooded with POST: {rate}/min",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Flood);
    FloodSearch = "flood-search", Flood: "The search is flooded: {rate}/min from {sources} [addresses|address]",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Flood);
    FloodSingleIp = "flood-single-ip", Flood: "{address} makes {percent} % of PHP's load ({rate}/min)",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Flood);
    FloodSlowloris = "flood-slowloris", Flood: "{count} half-open requests from {address}, past Cloudflare",
        explained_by [], forbids [RestartWeb], why Some(Flood);
    FloodSubnet = "flood-subnet", Flood: "{address} with {sources} [addresses|address] makes {rate}/min",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Flood);
    FloodUa = "flood-ua", Flood: "{percent} % of the load has the user agent {user_agent}",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Flood);
    FloodWpcron = "flood-wpcron", Flood: "wp-cron.php is called {rate}/min",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Flood);
    FloodXmlrpc = "flood-xmlrpc", Flood: "xmlrpc.php is flooded: {rate}/min from {sources} [addresses|address]",
        explained_by [], forbids [RestartWeb, RestartPhp, RestartDb], why Some(Flood);
    Http499Burst = "http-499-burst", Http: "Visitors give up waiting ({count} in 5 min)",
        explained_by ["php-queue", "http-504", "flood-*"], forbids [], why None;
    Http502 = "http-502", Http: "{host} answers {code}: no PHP behind the web server ({count} in 5 min)",
        explained_by ["php-down-*", "php-sock-*", "php-backlog-full", "php-worker-crash", "php-killed-oom", "web-upstream-header", "php-queue", "flood-*"], forbids [], why None;
    Http504 = "http-504", Http: "{host}: PHP takes longer than {seconds}; slowest {path} ({count} in 5 min)",
        explained_by ["php-queue", "php-outbound-stuck", "php-timeout", "db-hung", "db-lock-wait", "db-too-many-conn", "flood-*"], forbids [], why None;
    Http5xxRate = "http-5xx-rate", Http: "{count} server errors in 5 min ({percent} %), mostly {path}",
        explained_by ["php-*", "db-*", "disk-*", "http-502", "http-504", "http-db-error-page", "http-critical-error", "web-fd-limit", "web-workers-exhausted", "flood-*"], forbids [], why None;
    HttpBlank200 = "http-blank-200", Http: "The home page of {host} is empty ({size}): a white screen",
        explained_by ["php-fatal-plugin", "php-memory-limit"], forbids [], why None;
    HttpCfBypassCache = "http-cf-bypass-cache", Http: "{percent} % of page views reach PHP: the cache does not help",
        explained_by [], forbids [], why None;
    HttpCriticalError = "http-critical-error", Http: "{host} shows WordPress' page for a fatal error ({code})",
        explained_by ["php-fatal-plugin", "php-memory-limit", "php-timeout"], forbids [], why None;
    HttpDbErrorPage = "http-db-error-page", Http: "WordPress on {host} cannot reach its database ({code})",
        explained_by ["db-*", "disk-full", "disk-inodes", "disk-readonly", "mem-oom"], forbids [], why None;
    HttpEdge52x = "http-edge-52x", Http: "The server is well, but through Cloudflare {host} answers {what}",
        explained_by ["net-listen-overflow", "web-accept-queue", "tls-*", "web-down", "net-conntrack-full", "dns-site-wrong"], forbids [], why None;
    HttpMaintenance = "http-maintenance", Http: "{host} has been in WordPress' maintenance mode for {seconds}",
        explained_by [], forbids [], why None;
    HttpRedirectLoop = "http-redirect-loop", Http: "{host} redirects in a loop: its rule and Cloudflare's SSL mode contradict each other",
        explained_by [], forbids [], why None;
    HttpSlowTtfb = "http-slow-ttfb", Http: "The home page of {host} takes {milliseconds} on the server itself",
        explained_by ["cpu-steal", "disk-io-stall", "mem-psi", "mem-swap-thrash", "php-queue", "php-outbound-stuck", "db-lock-wait", "db-running-pile", "cpu-saturated", "cpu-throttled", "web-accept-queue", "web-fd-limit", "web-workers-exhausted", "web-apache-maxworkers", "db-hung", "db-recovering", "flood-*"], forbids [], why None;
    HttpVhostWrong = "http-vhost-wrong", Http: "{host} shows the web server's default page: its site is not configured",
        explained_by [], forbids [], why None;
    MemLow = "mem-low", System: "{free} of memory left",
        explained_by ["flood-*"], forbids [], why None;
    MemOom = "mem-oom", System: "Memory ran out: the kernel killed {name}",
        explained_by [], forbids [RestartDb], why Some(Memory);
    MemOvercommit = "mem-overcommit", System: "PHP and the database may use {needed} of {size}: lower pm.max_children to {limit}",
        explained_by [], forbids [], why None;
    MemPsi = "mem-psi", System: "{percent} % of the time everything waits for memory",
        explained_by ["flood-*"], forbids [], why None;
    MemSwapThrash = "mem-swap-thrash", System: "Memory is swapped in and out ({rate} pages a second)",
        explained_by ["flood-*"], forbids [], why None;
    NetConntrackFull = "net-conntrack-full", Net: "The table of connections is {percent} % full",
        explained_by ["flood-*", "net-syn-flood"], forbids [], why None;
    NetEphemeral = "net-ephemeral", Net: "{percent} % of the local ports to {address} are in use",
        explained_by [], forbids [], why None;
    NetErrs = "net-errs", Net: "{name} loses {percent} % of its packets",
        explained_by [], forbids [], why None;
    NetListenOverflow = "net-listen-overflow", Net: "The kernel drops new connections: {count} since the last look",
        explained_by ["web-accept-queue", "php-queue", "flood-*", "net-syn-flood"], forbids [], why None;
    NetSynFlood = "net-syn-flood", Net: "SYN flood: {count} connections were begun and not finished",
        explained_by [], forbids [], why Some(Flood);
    NetTcpMem = "net-tcp-mem", Net: "TCP's memory runs short",
        explained_by ["flood-*"], forbids [], why None;
    PhpBacklogFull = "php-backlog-full", Php: "PHP's queue is full: visitors get 502",
        explained_by ["php-queue", "flood-*", "db-too-many-conn", "db-hung", "php-outbound-stuck"], forbids [], why None;
    PhpDebuglogHuge = "php-debuglog-huge", Php: "{file} is {size}",
        explained_by [], forbids [], why None;
    PhpDownNosock = "php-down-nosock", Php: "PHP-FPM is not running: {file} is not there",
        explained_by ["php-sock-mismatch", "disk-full", "mem-oom", "sys-crash-loop"], forbids [], why None;
    PhpDownStale = "php-down-stale", Php: "PHP-FPM has died: {file} is there, and nobody listens",
        explained_by ["mem-oom", "php-killed-oom", "sys-crash-loop"], forbids [], why None;
    PhpFatalPlugin = "php-fatal-plugin", Php: "{plugin} crashes ({count} in an hour)",
        explained_by ["disk-full", "disk-inodes", "disk-readonly"], forbids [], why None;
    PhpKilledOom = "php-killed-oom", Php: "A PHP worker was killed because memory ran out",
        explained_by ["mem-oom"], forbids [], why Some(Memory);
    PhpMaxChildren = "php-max-children", Php: "PHP reached its limit of {limit} [workers|worker] {count} [times|time]",
        explained_by ["php-queue", "flood-*", "db-hung", "db-lock-wait"], forbids [], why None;
    PhpMemoryLimit = "php-memory-limit", Php: "{plugin} needs more memory than PHP allows ({limit} MB)",
        explained_by [], forbids [], why None;
    PhpOutboundStuck = "php-outbound-stuck", Php: "{count} PHP [workers wait|worker waits] for {address}",
        explained_by ["dns-broken"], forbids [], why None;
    PhpQueue = "php-queue", Php: "{count} [requests wait|request waits] for PHP ({limit} [workers|worker])",
        explained_by ["db-too-many-conn", "db-hung", "db-lock-wait", "db-running-pile", "db-down", "disk-full", "disk-readonly", "disk-inodes", "disk-io-stall", "php-outbound-stuck", "flood-*", "cpu-steal", "mem-psi", "mem-swap-thrash"], forbids [], why None;
    PhpSockMismatch = "php-sock-mismatch", Php: "The site wants PHP at {file}, and only {what} runs",
        explained_by [], forbids [], why Some(Configuration);
    PhpSockPerm = "php-sock-perm", Php: "The web server may not open PHP's socket {file}",
        explained_by [], forbids [], why Some(Configuration);
    PhpStatus = "php-status", Php: "PHP's own status page waits behind the requests",
        explained_by ["php-queue", "db-hung", "db-lock-wait", "flood-*", "php-outbound-stuck"], forbids [], why None;
    PhpTimeout = "php-timeout", Php: "{plugin} runs into PHP's time limit of {seconds}",
        explained_by ["php-outbound-stuck", "db-lock-wait", "disk-io-stall"], forbids [], why None;
    PhpWorkerCrash = "php-worker-crash", Php: "PHP workers crashed {count} times in 10 min",
        explained_by ["php-killed-oom", "mem-oom"], forbids [], why None;
    Scan404 = "scan-404", Flood: "{address} looks for weak spots: {count} paths",
        explained_by [], forbids [], why None;
    SysCrashLoop = "sys-crash-loop", System: "{unit} restarts again and again ({count} times)",
        explained_by ["db-corrupt", "db-disk-full", "web-config-broken", "web-port-conflict", "disk-full", "mem-oom", "db-oom-killed"], forbids [], why None;
    SysDpkgBroken = "sys-dpkg-broken", System: "A package upgrade was interrupted",
        explained_by ["disk-full", "disk-readonly"], forbids [], why None;
    SysDstate = "sys-dstate", System: "{name} hangs waiting for the disk",
        explained_by ["disk-io-stall"], forbids [], why None;
    SysFdMax = "sys-fd-max", System: "{percent} % of the system's file handles are in use",
        explained_by ["flood-*"], forbids [], why None;
    SysPids = "sys-pids", System: "No more processes can be started in {unit}",
        explained_by ["flood-*"], forbids [], why None;
    SysRebooted = "sys-rebooted", System: "The server was restarted",
        explained_by [], forbids [], why None;
    SysUnitDown = "sys-unit-down", System: "{unit} is down",
        explained_by ["web-down", "web-config-broken", "web-port-conflict", "php-down-*", "db-down", "db-oom-killed", "disk-full", "mem-oom", "sys-crash-loop"], forbids [], why None;
    TlsAcmeFailing = "tls-acme-failing", Tls: "The renewal of a certificate fails",
        explained_by ["dns-broken", "disk-full"], forbids [], why None;
    TlsChainIncomplete = "tls-chain-incomplete", Tls: "{host} does not send its intermediate certificate",
        explained_by [], forbids [], why None;
    TlsExpired = "tls-expired", Tls: "The certificate of {host} expired {days} d ago",
        explained_by ["clock-skew", "tls-not-reloaded", "tls-acme-failing"], forbids [], why None;
    TlsExpiring = "tls-expiring", Tls: "The certificate of {host} expires in {days} d: its renewal is late",
        explained_by ["tls-acme-failing", "clock-skew"], forbids [], why None;
    TlsIntermediateExpired = "tls-intermediate-expired", Tls: "{host}: the intermediate certificate {what} has expired",
        explained_by ["clock-skew"], forbids [], why None;
    TlsKeyMismatch = "tls-key-mismatch", Tls: "A certificate and its key do not match: the next restart of {name} fails",
        explained_by [], forbids [RestartWeb], why Some(Configuration);
    TlsNotReloaded = "tls-not-reloaded", Tls: "{host}: a new certificate is on the disk, but not loaded",
        explained_by [], forbids [], why None;
    TlsSelfsignedStrict = "tls-selfsigned-strict", Tls: "Cloudflare refuses the self-signed certificate of {host}",
        explained_by [], forbids [], why None;
    TlsWrongSan = "tls-wrong-san", Tls: "The certificate shown for {host} is for {what}",
        explained_by [], forbids [], why None;
    Web413 = "web-413", Web: "Uploads larger than the limit are refused ({count} in an hour, {path})",
        explained_by [], forbids [], why None;
    WebAcceptQueue = "web-accept-queue", Web: "{count} [connections wait|connection waits] for the web server to accept [them|it]",
        explained_by ["web-workers-exhausted", "web-fd-limit", "web-apache-maxworkers", "flood-*", "cpu-steal", "cpu-saturated"], forbids [], why None;
    WebApacheMaxworkers = "web-apache-maxworkers", Web: "Apache is full: all {limit} workers are busy",
        explained_by ["flood-*", "php-queue"], forbids [], why None;
    WebConfigBroken = "web-config-broken", Web: "The configuration of {name} is broken: it would not survive a restart",
        explained_by ["tls-key-mismatch"], forbids [RestartWeb], why Some(Configuration);
    WebDown = "web-down", Web: "{name} is not running: nothing listens on port {code}",
        explained_by ["web-config-broken", "tls-key-mismatch", "web-port-conflict", "disk-full", "mem-oom", "sys-crash-loop"], forbids [], why None;
    WebFdLimit = "web-fd-limit", Web: "{name} is out of file handles",
        explained_by [], forbids [], why None;
    WebLogStale = "web-log-stale", Web: "The access log has not been written for {seconds}: floods cannot be seen",
        explained_by ["disk-full", "disk-readonly"], forbids [], why None;
    WebOriginExposed = "web-origin-exposed", Web: "{count} clients reach the server directly, past Cloudflare",
        explained_by [], forbids [], why None;
    WebPortConflict = "web-port-conflict", Web: "Port {code} is taken by {name}, so the web server cannot start",
        explained_by [], forbids [RestartWeb], why Some(Configuration);
    WebRealipMissing = "web-realip-missing", Web: "The access log shows Cloudflare's addresses, not visitors' ({percent} %)",
        explained_by [], forbids [], why None;
    WebUpstreamHeader = "web-upstream-header", Web: "502 on {path}: PHP's response header is too big",
        explained_by [], forbids [], why None;
    WebWorkerCrash = "web-worker-crash", Web: "{name}'s workers crashed {count} times in an hour",
        explained_by [], forbids [], why None;
    WebWorkersExhausted = "web-workers-exhausted", Web: "{name} is out of connections ({limit})",
        explained_by ["flood-*", "php-queue"], forbids [], why None;
    WpCronStalled = "wp-cron-stalled", Php: "WordPress' scheduled tasks have not run for {seconds}",
        explained_by ["php-down-*", "http-critical-error"], forbids [], why None;
}

impl FindingId {
    /// Its row.
    pub fn entry(self) -> &'static Entry {
        // The enum and the table are made from the same rows.
        &ENTRIES[self as usize]
    }

    /// Whether a finding of this kind explains `symptom`.
    pub fn explains(self, symptom: Self) -> bool {
        symptom.entry().explained_by.iter().any(|by| match by.strip_suffix('*') {
            Some(family) => self.as_str().starts_with(family),
            None => *by == self.as_str(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{FactName, Quantity};

    #[test]
    fn every_row_is_where_its_name_sorts() {
        assert!(FindingId::ALL.is_sorted_by_key(|id| id.as_str()));
        assert_eq!(FindingId::ALL.len(), ENTRIES.len());
        for id in FindingId::ALL {
            assert_eq!(FindingId::new(id.as_str()), Some(*id));
        }
    }

    #[test]
    fn every_explanation_is_a_finding_and_none_explains_itself_in_a_circle() {
        for id in FindingId::ALL {
            for by in id.entry().explained_by {
                assert!(
                    FindingId::ALL.iter().any(|cause| match by.strip_suffix('*') {
                        Some(family) => cause.as_str().starts_with(family),
                        None => cause.as_str() == *by,
                    }),
                    "{id}: {by}"
                );
            }
            let mut reached = std::vec![*id];
            let mut at = 0;
            while let Some(next) = reached.get(at).copied() {
                for cause in FindingId::ALL.iter().filter(|cause| cause.explains(next)) {
                    assert_ne!(cause, id, "{id} explains itself through {next}");
                    if !reached.contains(cause) {
                        reached.push(*cause);
                    }
                }
                at += 1;
            }
        }
    }

    #[test]
    fn every_place_in_a_sentence_is_a_fact() {
        for id in FindingId::ALL {
            let sentence = id.entry().sentence;
            for place in sentence.split('{').skip(1) {
                let (name, _) = place.split_once('}').expect("a closing brace");
                let name = FactName::new(name).unwrap_or_else(|| panic!("{id}: {name}"));
                assert_ne!(name.quantity(), Quantity::Time, "{id}: a reader wants no epoch");
            }
            for forms in sentence.split('[').skip(1) {
                let (forms, _) = forms.split_once(']').expect("a closing bracket");
                assert_eq!(forms.matches('|').count(), 1, "{id}: of several and of one");
            }
            assert!(sentence.len() <= 120, "{id}: too long for a phone");
            assert!(
                id.entry().forbids.is_empty() || id.entry().why.is_some(),
                "{id}: forbids and says not why"
            );
        }
    }
}
