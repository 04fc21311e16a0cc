//! The side of the socket with the operator: line editing and history at a terminal, plain lines otherwise.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::protocol::{Said, Shown, receive};
use super::server::{listen, remove, serve, socket_path};
use crate::chat::serve::{Core, ServeError, io_error};
use crate::config::Config;

/// Lines kept between sessions.
const HISTORY: &str = "console.history";

/// Runs the console until the end of its input and of everything that it asked for.
pub async fn run(config: Config, operator: i64) -> Result<(), ServeError> {
    let path = socket_path(config.data_dir().as_path());
    // A control plane that runs answers; where none does, this process is the control plane.
    let (stream, own) = match UnixStream::connect(&path).await {
        Ok(stream) => (stream, false),
        Err(_) => {
            let core = Core::start(&config).await?;
            let socket = listen(config.data_dir().as_path())?;
            tokio::spawn(serve(socket, Arc::clone(&core.door), Arc::clone(&core.posted)));
            (UnixStream::connect(&path).await.map_err(io_error(&path))?, true)
        }
    };
    let outcome = converse(stream, operator, config.data_dir().as_path().join(HISTORY)).await;
    if own {
        remove(config.data_dir().as_path());
    }
    outcome.map_err(io_error(&path))
}

async fn converse(stream: UnixStream, operator: i64, history: PathBuf) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let (shown, mut replies) = mpsc::channel::<Shown>(64);
    tokio::spawn(receive(read, shown));
    let mut input = Input::start(history)?;
    // The next line is read when it is known what became of this one.
    let mut open = false;
    loop {
        tokio::select! {
            line = input.lines.recv(), if !open => match line {
                Some(line) => {
                    let mut said = serde_json::to_string(&Said { operator, text: line })?;
                    said.push('\n');
                    write.write_all(said.as_bytes()).await?;
                    open = true;
                }
                None => return Ok(()),
            },
            reply = replies.recv() => match reply {
                Some(Shown::Reply(text)) => input.print(&text)?,
                Some(Shown::Taken) => {
                    open = false;
                    input.next();
                }
                None => return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the control plane stopped")),
            },
        }
    }
}

/// The operator's lines, read in a thread of its own: one, and the next one when it is asked for.
struct Input {
    lines: mpsc::Receiver<String>,
    asked: std::sync::mpsc::Sender<()>,
    terminal: bool,
}

impl Input {
    fn start(history: PathBuf) -> std::io::Result<Self> {
        let (sender, lines) = mpsc::channel::<String>(1);
        let (asked, next) = std::sync::mpsc::channel::<()>();
        let terminal = std::io::stdin().is_terminal();
        if terminal {
            let mut editor = DefaultEditor::new().map_err(std::io::Error::other)?;
            // The first session has no history to load.
            let _first = editor.load_history(&history);
            std::thread::spawn(move || edit_lines(editor, &history, &sender, &next));
        } else {
            std::thread::spawn(move || read_lines(&sender, &next));
        }
        Ok(Self { lines, asked, terminal })
    }

    /// Asks for the next line.
    fn next(&self) {
        // A reader that has ended has said so by closing its channel.
        let _ended = self.asked.send(());
    }

    /// A terminal that is being edited on is in raw mode, where a line needs its carriage return.
    fn print(&self, text: &str) -> std::io::Result<()> {
        let text =
            if self.terminal { format!("\r{}\r", text.replace('\n', "\r\n")) } else { text.to_owned() };
        writeln!(std::io::stdout(), "{text}")
    }
}

/// Plain lines. Empty ones say nothing.
fn read_lines(lines: &mpsc::Sender<String>, next: &std::sync::mpsc::Receiver<()>) {
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        if !line.trim().is_empty() && (lines.blocking_send(line).is_err() || next.recv().is_err()) {
            return;
        }
    }
}

/// Lines edited at a terminal, until Ctrl-D.
fn edit_lines(
    mut editor: DefaultEditor,
    history: &Path,
    lines: &mpsc::Sender<String>,
    next: &std::sync::mpsc::Receiver<()>,
) {
    loop {
        match editor.readline("secmon> ") {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                // A code in it is spent by the time that anybody reads the history.
                let _kept = editor.add_history_entry(&line);
                if lines.blocking_send(line).is_err() || next.recv().is_err() {
                    return;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(_) => break,
        }
    }
    if let Err(error) = editor.save_history(history) {
        tracing::warn!("{}: {error}", history.display());
    }
}
