//! The `secmon` command as its users see it: real processes, real files.

mod manifests;
mod openssl;
mod place;
mod running;
mod setup;
