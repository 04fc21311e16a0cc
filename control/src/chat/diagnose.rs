//! `/diag`: what is wrong with a client's servers. Whoever may ask for `/status` may ask for this.

use std::time::Duration;

use secmon_wire::ClientId;

use super::{Door, Reply};
use crate::approval::Inbound;
use crate::diag::{Areas, Client, HOSTS_MAX, Room, details, page};
use crate::dispatch::offered;
use crate::store::StoreError;

/// How it is written.
pub(super) const USAGE: &str = "/diag <client> [area] [details]";
/// A look this old answers a question.
const FRESH: Duration = Duration::from_secs(10);
/// A look this old answers a question about its details: what was said shortly before is what they are of.
const FRESH_FOR_DETAILS: Duration = Duration::from_secs(300);

/// The answer, in the place of a sign of life that is posted first.
pub(super) async fn diagnose(
    door: &Door,
    inbound: &Inbound,
    client: &str,
    about: &[&str],
) -> Result<Reply, StoreError> {
    let id = match ClientId::new(client) {
        Some(id) if door.store.client_exists(&id)? => id,
        _ => return Ok(Reply::new().text("Unknown client; /clients lists them.")),
    };
    let (areas, in_detail) = match about {
        [] => (Some(Areas::all()), false),
        ["details"] => (Some(Areas::all()), true),
        [areas] => (Areas::parse(areas), false),
        [areas, "details"] => (Areas::parse(areas), true),
        _ => (None, false),
    };
    let Some(asked) = areas else {
        let areas = Areas::choices();
        return Ok(Reply::new().text("Use: ").code(USAGE).text(format!("\nAreas: {areas}")));
    };
    let agents = door.store.agents_of(&id)?;
    if agents.is_empty() {
        return Ok(Reply::new().text("No servers."));
    }
    let place = door.desk.new_place();
    let checking = Reply::new().text(format!("… checking {id}")).in_place(place);
    door.dispatcher.post(inbound.transport, inbound.chat, &checking);
    let left_out = agents.len().saturating_sub(HOSTS_MAX);
    let fresh = if in_detail { FRESH_FOR_DETAILS } else { FRESH };
    let visits = door.desk.visit(agents, &asked, fresh).await;
    let offered = offered(&door.store, &id)?;
    let client = Client { id: &id, asked: &asked, offered: &offered, left_out };
    let reply = if in_detail { details(&client, &visits, Room::Chat) } else { page(&client, &visits) };
    Ok(reply.in_place(place))
}
