//! One client connection: reads requests, has them answered one after the other.

use std::future::Future;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::request::{self, Progress, Request};

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// The next request may come.
    KeepAlive,
    /// It ends.
    Close,
}

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one, by writing to the connection.
    fn answer(&self, stream: &mut TcpStream, request: &Request) -> impl Future<Output = Next> + Send;

    /// The whole answer to bytes that are no request.
    fn broken(&self, status: u16) -> Vec<u8>;
}

/// Serves a connection until either side ends it.
pub(crate) async fn serve(handler: Arc<impl Handler>, mut stream: TcpStream) {
    let mut buffer = Vec::new();
    let mut told_to_continue = false;
    loop {
        match request::parse(&buffer) {
            Progress::Complete(request, used) => {
                buffer.drain(..used);
                told_to_continue = false;
                let next = handler.answer(&mut stream, &request).await;
                if next == Next::Close || !request.keep_alive {
                    return;
                }
                continue;
            }
            Progress::Broken(status) => {
                let _ = write(&mut stream, &handler.broken(status)).await;
                return;
            }
            Progress::WaitsForContinue if !told_to_continue => {
                told_to_continue = true;
                if stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_err() {
                    return;
                }
            }
            Progress::WaitsForContinue | Progress::Partial => {}
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// Sends bytes as they are.
pub async fn write(stream: &mut TcpStream, bytes: &[u8]) -> Next {
    match stream.write_all(bytes).await {
        Ok(()) => Next::KeepAlive,
        Err(_) => Next::Close,
    }
}

/// Ends when the client closes its side. A client that has already sent its next request stays.
pub async fn client_left(stream: &TcpStream) {
    match stream.peek(&mut [0]).await {
        Ok(0) | Err(_) => {}
        Ok(_) => std::future::pending().await,
    }
}

/// Makes the close that follows a reset. If that can't be had, it is an ordinary close.
pub fn reset(stream: &TcpStream) -> Next {
    // A close with zero linger is a reset.
    let _ = stream.set_zero_linger();
    Next::Close
}
