//! What the server remembers about its clients, as tests read it.

use serde::Serialize;
use serde_json::Value;

/// A request to the API.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestRecord {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Without `/client/v4`.
    pub path: String,
    /// The query as it came.
    pub query: String,
    /// The body, as far as it is JSON.
    pub body: Option<Value>,
    /// The secret that came with it.
    pub token: Option<String>,
    /// Milliseconds since the epoch, by the server's clock.
    pub at_ms: i64,
    /// HTTP status of the answer; absent while there is none, and for ever when a fault swallowed it.
    pub status: Option<u16>,
    /// Whether the request was carried out, whatever the client was told.
    pub carried_out: bool,
    /// The fault that struck, by its kind.
    pub fault: Option<String>,
}

impl RequestRecord {
    /// Whether it asked for a change.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.method != "GET"
    }
}

/// A visit at the edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VisitRecord {
    /// What was asked for.
    pub visit: crate::expression::Visit,
    /// HTTP status of the answer.
    pub status: u16,
    /// The id of the rule that answered, or `under_attack`; none when the origin did.
    pub by: Option<String>,
}
