//! Arguments of `secmon cloudflare` and `secmon key`, help text included.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use secmon_wire::ClientId;

use super::args::client_id;
use crate::cloudflare::{Spared, ZoneId};

#[derive(Debug, Subcommand)]
pub(super) enum CloudflareCommand {
    /// Store the API token of a zone, after checking what it may do
    ///
    /// Make the token at dash.cloudflare.com: My Profile, API Tokens, Create Custom Token. Permissions: Zone / Zone /
    /// Read, Zone / Zone Settings / Edit, Zone / Zone WAF / Edit, Zone / Firewall Services / Edit. Zone resources: this
    /// zone alone. It is read from standard input or a file, never from the command line, and stored encrypted with
    /// SECMON_DATA_KEY. A zone that is there already gets the new token.
    #[command(
        after_help = "Example:\n  secmon cloudflare add acme 023e105f4ecef8ad9ca31a8372d0c353 --token-file token"
    )]
    Add {
        /// Whose zone it is
        #[arg(value_parser = client_id)]
        client: ClientId,
        /// The zone's id: 32 hexadecimal digits, on the right of its overview page
        #[arg(value_name = "ZONE_ID", value_parser = zone_id)]
        zone: ZoneId,
        /// Read the token from FILE [default: standard input]
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
    },
    /// List the zones of all clients
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask Cloudflare whether each zone's token still works, and what the zone is
    ///
    /// Exits with 0 if every token works, 1 if one doesn't.
    Check {
        /// Check the zones of this client alone
        #[arg(value_parser = client_id)]
        client: Option<ClientId>,
        /// Print what was found as JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget a zone with its token
    ///
    /// Nothing is changed at Cloudflare. Revoke the token there if nothing else uses it. Refused while something of secmon
    /// is in force in the zone: only its token puts that back (APPROVE: cf-restore).
    Remove {
        /// Whose zone it is
        #[arg(value_parser = client_id)]
        client: ClientId,
        /// The zone's name or id
        zone: String,
    },
    /// Show, add or remove what no mitigation of a zone may hit
    ///
    /// Without an option it is shown. Each option may be given several times.
    #[command(after_help = "Example:\n  secmon cloudflare protect acme example.com --range 192.0.2.0/24 \
                            --path /wc-api/stripe/ --origin 203.0.113.5 --probe /")]
    Protect(Protect),
}

#[derive(Debug, Args)]
pub(super) struct Protect {
    /// Whose zone it is
    #[arg(value_parser = client_id)]
    pub(super) client: ClientId,
    /// The zone's name or id
    pub(super) zone: String,
    /// An address or network that is never blocked, challenged or limited: the office, a monitor, a payment provider
    #[arg(long = "range", value_name = "NETWORK", value_parser = range)]
    ranges: Vec<Spared>,
    /// What begins with this path is let through: a webhook
    #[arg(long = "path", value_name = "PATH", value_parser = path)]
    paths: Vec<Spared>,
    /// An address of the zone's own servers
    #[arg(long = "origin", value_name = "ADDRESS", value_parser = origin)]
    origins: Vec<Spared>,
    /// A page that is asked for after each change: a path, or https://HOST/PATH in the zone
    #[arg(long = "probe", value_name = "PAGE", value_parser = probe)]
    probes: Vec<Spared>,
    /// Remove these instead of adding them
    #[arg(long)]
    pub(super) remove: bool,
}

impl Protect {
    /// What the options name.
    pub(super) fn named(&self) -> Vec<Spared> {
        [&self.ranges, &self.paths, &self.origins, &self.probes].into_iter().flatten().cloned().collect()
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a new data key, encrypt every stored token with it, and drop the old one
    ///
    /// SECMON_DATA_KEY is rewritten where it stands in secmon.env. Whenever it is interrupted, every token stays
    /// readable, and running it again finishes it. Where the environment gives the key, put a new one in front of it
    /// (NEW,OLD), run this, and then remove the old one.
    Rotate,
}

fn zone_id(text: &str) -> Result<ZoneId, String> {
    ZoneId::new(text)
        .ok_or_else(|| "expected 32 hexadecimal digits, as the zone's overview page shows them".to_owned())
}

fn range(text: &str) -> Result<Spared, String> {
    Spared::new("range", text).ok_or_else(network_form)
}

fn origin(text: &str) -> Result<Spared, String> {
    Spared::new("origin", text).ok_or_else(network_form)
}

fn network_form() -> String {
    "expected an address or a network without bits behind its mask, as in 192.0.2.1 or 192.0.2.0/24"
        .to_owned()
}

fn path(text: &str) -> Result<Spared, String> {
    let expected =
        "expected a path other than / without a query, as in /wc-api/stripe/; % escapes for what isn't ASCII";
    Spared::new("path", text).ok_or_else(|| expected.to_owned())
}

fn probe(text: &str) -> Result<Spared, String> {
    let expected = "expected a path or https://HOST/PATH without a query, as in /wp-json/ or https://www.example.com/shop";
    Spared::new("probe", text).ok_or_else(|| expected.to_owned())
}
