//! The side of the socket that holds the door.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, mpsc};

use super::protocol::{Said, Shown, receive};
use crate::approval::{ChatId, Form, Inbound, Operator, Transport, Via};
use crate::chat::serve::{ServeError, io_error};
use crate::chat::{Door, Reply};

const SOCKET: &str = "console.sock";
/// Lines of one console whose outcome isn't known yet.
const LINES_OPEN: usize = 64;
/// Between two looks at a database that can't be read.
const RETRY: Duration = Duration::from_secs(5);

/// Where the socket is.
pub(super) fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join(SOCKET)
}

/// Binds the socket. Whoever holds the audit log's lock may replace a socket that a crash left behind.
pub(in crate::chat) fn listen(data_dir: &Path) -> Result<UnixListener, ServeError> {
    let path = socket_path(data_dir);
    remove(data_dir);
    let listener = UnixListener::bind(&path).map_err(io_error(&path))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(io_error(&path))?;
    Ok(listener)
}

/// Removes the socket.
pub(in crate::chat) fn remove(data_dir: &Path) {
    let path = socket_path(data_dir);
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!("{}: {error}", path.display()),
    }
}

/// Serves consoles for ever.
pub(in crate::chat) async fn serve(listener: UnixListener, door: Arc<Door>, posted: Arc<Notify>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(converse(stream, Arc::clone(&door), Arc::clone(&posted)));
            }
            Err(error) => {
                tracing::warn!("console: {error}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// One console: lines in, replies out. The operator is known from the first line on.
async fn converse(stream: UnixStream, door: Arc<Door>, posted: Arc<Notify>) {
    let (read, mut write) = stream.into_split();
    let (said, mut lines) = mpsc::channel(1);
    tokio::spawn(receive(read, said));
    let (done, mut finished) = mpsc::channel::<()>(LINES_OPEN);
    let mut session = Session { operator: None, prepared: None };
    loop {
        let waiting = posted.notified();
        tokio::pin!(waiting);
        waiting.as_mut().enable();
        let mut written = session.deliver(&door, &mut write).await;
        tokio::select! {
            said = lines.recv() => {
                let Some(said) = said else { return };
                session.hear(&door, said, done.clone()).await;
            }
            Some(()) = finished.recv() => {
                written = written.and(session.deliver(&door, &mut write).await);
                written = written.and(show(&mut write, &Shown::Taken).await);
            }
            () = &mut waiting => {}
        }
        if written.is_err() {
            return;
        }
    }
}

struct Session {
    operator: Option<Operator>,
    prepared: Option<String>,
}

impl Session {
    /// Passes a line through the door; `done` hears when its first outcome is known.
    async fn hear(&mut self, door: &Arc<Door>, said: Said, done: mpsc::Sender<()>) {
        let operator = Operator(said.operator);
        self.operator = Some(operator);
        let inbound = Inbound {
            sender: operator,
            chat: ChatId(operator.0),
            private: true,
            transport: Transport::Console,
            form: Form::Plain,
            via: Via::Line,
            answers: self.prepared.clone(),
            text: said.text,
        };
        let dispatched = door.receive(inbound).await;
        tokio::spawn(async move {
            if let Some(dispatched) = dispatched
                && let Err(error) = dispatched.await
            {
                tracing::error!("dispatch: {error}");
            }
            // A console that is gone needs no answer.
            let _gone = done.send(()).await;
        });
    }

    /// Shows what waits in the outbox for this operator.
    async fn deliver(&mut self, door: &Door, write: &mut OwnedWriteHalf) -> std::io::Result<()> {
        let Some(operator) = self.operator else { return Ok(()) };
        loop {
            let row = match door.store.next_post_to(Transport::Console, ChatId(operator.0)) {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(()),
                Err(error) => {
                    tracing::error!("outbox: {error}");
                    return Ok(());
                }
            };
            if let Some(reply) = Reply::from_json(&row.reply) {
                show(write, &Shown::Reply(reply.plain())).await?;
                self.prepared = reply.copy_line().map(ToOwned::to_owned).or(self.prepared.take());
            }
            if let Err(error) = door.store.delivered(row.id) {
                tracing::error!("outbox: {error}; a message may be shown again after a restart");
            }
        }
    }
}

async fn show(write: &mut OwnedWriteHalf, shown: &Shown) -> std::io::Result<()> {
    let mut line = serde_json::to_string(shown)?;
    line.push('\n');
    write.write_all(line.as_bytes()).await
}
