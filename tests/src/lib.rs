//! .
pub mod agent_host;
