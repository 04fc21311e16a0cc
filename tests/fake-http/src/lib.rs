//! The HTTP server under the stand-ins for other people's services, for tests only.
//!
//! It reads requests, keeps connections and guards a server's state; what an answer is, and in which wrong way it
//! leaves, is up to the stand-in, which writes to the connection itself. It shares no code with the clients under
//! test, and never listens beyond 127.0.0.1.

mod connection;
mod request;
mod server;
mod shared;

pub use connection::{Handler, Next, client_left, reset, write};
pub use request::{Request, percent_decode};
pub use server::Server;
pub use shared::Shared;
