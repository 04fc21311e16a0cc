//! The real agent as a process, with a real service under an init script and real TLS clients.

mod diagnose;
mod execute;
mod graph;
mod host;
mod hostile;
mod network;
mod recover;
mod start;
