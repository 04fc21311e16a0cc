//! The list of receipts: `{"receipts":[{"body":{…},"signature":"…"},…],"v":1}`, oldest first.
//!
//! The monitor gives them one at a time, and one at a time they go on: the list as a whole is nowhere in memory.

use std::io::{self, IoSlice};

use secmon_wire::limits::RECEIPTS_KEPT;
use secmon_wire::to_hex;

use super::link::Seat;
use super::stream::{Body, Stream};
use crate::message::{Reply, Request};

/// The list as it was when it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct List {
    /// Its bytes.
    pub(crate) length: usize,
    /// The number of its last receipt; 0 if there is none.
    newest: u64,
}

/// The list as it is now.
pub(crate) async fn measure<S: Stream>(seat: &mut Seat<'_>) -> io::Result<List> {
    let mut body = Body::<S>::measured();
    let newest = write_up_to(u64::MAX, seat, &mut body).await?;
    Ok(List { length: body.length(), newest })
}

/// Writes the list as it was measured. Where its oldest receipt has been pushed out since then, it is too short.
pub(crate) async fn write<S: Stream>(
    list: List,
    seat: &mut Seat<'_>,
    body: &mut Body<'_, S>,
) -> io::Result<()> {
    write_up_to(list.newest, seat, body).await.map(drop)
}

/// Writes the receipts up to this number; the number of the last one.
async fn write_up_to<S: Stream>(newest: u64, seat: &mut Seat<'_>, body: &mut Body<'_, S>) -> io::Result<u64> {
    let mut before: &[u8] = br#"{"receipts":[{"body":"#;
    let mut last = 0;
    for _ in 0..RECEIPTS_KEPT {
        let reply = seat.ask(&Request::ReceiptAfter(last)).await;
        match &reply {
            Some(Reply::Receipt { seq, signature, body: receipt }) if *seq <= newest => {
                let hex = to_hex::<128>(signature);
                let parts = [before, receipt, br#","signature":""#, hex.as_bytes(), br#""}"#];
                body.piece(&mut parts.map(IoSlice::new)).await?;
                before = br#",{"body":"#;
                last = *seq;
            }
            // What came since belongs to the next list.
            Some(Reply::NoReceipt | Reply::Receipt { .. }) => break,
            _ => return Err(io::ErrorKind::NotConnected.into()),
        }
    }
    let end: &[u8] = if last == 0 { br#"{"receipts":[],"v":1}"# } else { br#"],"v":1}"# };
    body.piece(&mut [IoSlice::new(end)]).await?;
    Ok(last)
}
