//! A named maximum for everything that the network side does for a peer.

use std::time::Duration;

/// Connections at once. The newest one beyond is closed at once.
pub(crate) const CONNECTIONS_MAX: usize = 16;
/// Bytes of a request's head.
pub(crate) const HEAD_MAX: usize = 4096;
/// Header fields of a request.
pub(crate) const FIELDS_MAX: usize = 32;
/// Bytes of a request's body.
pub(crate) const BODY_MAX: usize = secmon_wire::limits::ENVELOPE_MAX;

/// From accepting a connection to the end of its handshake.
pub(crate) const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// From the first byte of a request to the end of its head.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(5);
/// From the end of the head to the end of the body.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(5);
/// Between two requests.
pub(crate) const IDLE_TIME: Duration = Duration::from_secs(60);
/// Until a peer has taken a response.
pub(crate) const WRITE_TIME: Duration = Duration::from_secs(10);
/// Until a peer has ended a connection that we have ended.
pub(crate) const LINGER_TIME: Duration = Duration::from_secs(1);
/// Until the monitor has answered a request that runs nothing.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Until the monitor has answered an envelope: the longest operation with its check, its graces and the
/// finding of its status.
pub(crate) const EXECUTE_TIME: Duration = Duration::from_secs(240);
/// How long no connection is accepted after accepting failed (out of descriptors, say).
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
