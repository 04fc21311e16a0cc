//! A deadline for anything that waits for a peer.

use std::future::Future;
use std::io;
use std::time::Duration;

use async_io::Timer;
use futures_lite::future::or;

/// What `work` comes to, or `TimedOut` if it doesn't within `time`.
pub(crate) async fn within<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    or(work, async {
        Timer::after(time).await;
        Err(io::ErrorKind::TimedOut.into())
    })
    .await
}
