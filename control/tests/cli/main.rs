//! The `secmon` command as its users see it: real processes, real files.

mod fake_agent;
mod manifests;
mod openssl;
mod place;
mod running;
mod sandbox;
mod setup;
mod switch;
mod zones;
