//! A deadline for anything that waits for a peer.

use std::future::Future;
use std::io;
use std::time::Duration;

use async_io::Timer;
use futures_lite::future::or;

/// What `work` comes to, or `TimedOut` if it doesn't within `time`.
///
/// Not an `async fn`, which would keep room for the work twice: where it waits to begin, and where it goes on.
pub(crate) fn within<T, E: From<io::Error>>(
    time: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    or(work, async move {
        Timer::after(time).await;
        Err(io::Error::from(io::ErrorKind::TimedOut).into())
    })
}
