//! A stateful stand-in for the Cloudflare API and for the edge of its zones, for tests only.
//!
//! It shares no code with the client under test: its idea of the API, of what plans have and of the rules language is
//! its own, so that a mistake on one side doesn't hide one on the other. It keeps everything in memory, and never
//! reaches for the network beyond 127.0.0.1. What isn't published about the real service is the strictest reading.
//!
//! ```
//! use secmon_fake_cloudflare::{DEFAULT_ZONE, FakeCloudflare, Options};
//!
//! let cloudflare = FakeCloudflare::start(Options::default());
//! assert_eq!(cloudflare.security_level(DEFAULT_ZONE), "medium");
//! ```

mod api;
mod checks;
mod clock;
mod connection;
mod control;
mod edge;
mod edit;
mod expression;
mod fault;
mod handle;
mod plan;
mod rate;
mod record;
mod reply;
mod ruleset;
mod schema;
mod server;
mod spec;
mod state;
mod token;
mod waiting;
mod zone;

pub use edit::Edit;
pub use expression::{Expression, Place, SyntaxError, Visit, evaluates};
pub use fault::{Fault, Planned};
pub use plan::Plan;
pub use rate::RateLimit;
pub use record::{RequestRecord, VisitRecord};
pub use server::{DEFAULT_TOKEN, DEFAULT_ZONE, FakeCloudflare, Options};
pub use spec::find_spec;
pub use token::{Permission, Token, TokenStatus};
pub use waiting::Wait;
pub use zone::{NewZone, ZoneStatus};
