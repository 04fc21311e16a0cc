//! The list of receipts: `{"receipts":[{"body":{…},"signature":"…"},…],"v":1}`, oldest first.
//!
//! The monitor gives them one at a time, and one at a time they go on: the list as a whole is nowhere in memory.

use std::io::{self, IoSlice};

use secmon_wire::limits::RECEIPTS_KEPT;
use secmon_wire::to_hex;

use super::link::Seat;
use super::stream::{Body, Stream};
use crate::message::{Reply, Request};

/// Bytes of the list as it is now.
pub(crate) async fn measure<S: Stream>(seat: &mut Seat<'_>) -> io::Result<usize> {
    let mut body = Body::<S>::measured();
    write(seat, &mut body).await?;
    Ok(body.length())
}

/// Writes the list. Where it has become another one since it was measured, it has another length too, or is a list
/// as good as the one before.
pub(crate) async fn write<S: Stream>(seat: &mut Seat<'_>, body: &mut Body<'_, S>) -> io::Result<()> {
    let mut before: &[u8] = br#"{"receipts":[{"body":"#;
    let mut last = 0;
    for _ in 0..RECEIPTS_KEPT {
        let reply = seat.ask(&Request::ReceiptAfter(last)).await;
        match &reply {
            Some(Reply::Receipt { seq, signature, body: receipt }) => {
                let hex = to_hex::<128>(signature);
                let parts = [before, receipt, br#","signature":""#, hex.as_bytes(), br#""}"#];
                body.piece(&mut parts.map(IoSlice::new)).await?;
                before = br#",{"body":"#;
                last = *seq;
            }
            Some(Reply::NoReceipt) => break,
            _ => return Err(io::ErrorKind::NotConnected.into()),
        }
    }
    let end: &[u8] = if last == 0 { br#"{"receipts":[],"v":1}"# } else { br#"],"v":1}"# };
    body.piece(&mut [IoSlice::new(end)]).await
}
