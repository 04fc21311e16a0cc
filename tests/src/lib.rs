//! What the end-to-end tests share: throw-away hosts and control planes made of the real programs, and the
//! servers that lie to them.

pub mod agent_host;
pub mod day;
pub mod hostile_agent;
pub mod plane;
pub mod testbed;
