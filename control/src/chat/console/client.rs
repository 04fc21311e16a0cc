//! The side of the socket with the operator: line editing and history at a terminal, plain lines otherwise.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, ExternalPrinter};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::mpsc;

use super::protocol::{LINE_MAX, Said, Shown};
use super::server::{listen, remove, serve, socket_path};
use crate::chat::serve::{Core, ServeError, io_error};
use crate::config::Config;

/// Lines kept between sessions.
const HISTORY: &str = "console.history";

/// Where replies go.
type Printer = Box<dyn FnMut(String) -> Result<(), String> + Send>;

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
    let (lines, mut typed) = mpsc::channel::<String>(1);
    let (shown, mut replies) = mpsc::channel::<Shown>(64);
    tokio::spawn(receive(read, shown));
    let interactive = std::io::stdin().is_terminal();
    let mut print = if interactive { edit_lines(lines, history)? } else { read_lines(lines) };
    let mut waiting = false;
    loop {
        tokio::select! {
            line = typed.recv(), if !waiting => match line {
                Some(line) => {
                    let mut said = serde_json::to_string(&Said { operator, text: line })?;
                    said.push('\n');
                    write.write_all(said.as_bytes()).await?;
                    // A script's next line waits for what became of this one; a person need not.
                    waiting = !interactive;
                }
                None => return Ok(()),
            },
            reply = replies.recv() => match reply {
                Some(Shown::Reply(text)) => print(text).map_err(std::io::Error::other)?,
                Some(Shown::Taken) => waiting = false,
                None => return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the control plane stopped")),
            },
        }
    }
}

async fn receive(read: OwnedReadHalf, shown: mpsc::Sender<Shown>) {
    let mut lines = BufReader::new(read.take(LINE_MAX));
    let mut line = String::new();
    loop {
        line.clear();
        lines.get_mut().set_limit(LINE_MAX);
        match lines.read_line(&mut line).await {
            Ok(read) if read > 0 => {}
            _ => return,
        }
        let Ok(message) = serde_json::from_str(&line) else { return };
        if shown.send(message).await.is_err() {
            return;
        }
    }
}

/// Reads plain lines, and prints plain lines.
fn read_lines(lines: mpsc::Sender<String>) -> Printer {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if !line.trim().is_empty() && lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    Box::new(|text| writeln!(std::io::stdout(), "{text}").map_err(|error| error.to_string()))
}

/// Edits lines at a terminal; replies appear above the line that is being edited.
fn edit_lines(lines: mpsc::Sender<String>, history: PathBuf) -> std::io::Result<Printer> {
    let mut editor = DefaultEditor::new().map_err(std::io::Error::other)?;
    let mut printer = editor.create_external_printer().map_err(std::io::Error::other)?;
    // The first session has no history to load.
    let _first = editor.load_history(&history);
    std::thread::spawn(move || {
        loop {
            match editor.readline("secmon> ") {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => {
                    // One-time codes are spent when they get here, so the history holds nothing of use.
                    let _kept = editor.add_history_entry(&line);
                    if lines.blocking_send(line).is_err() {
                        return;
                    }
                }
                Err(ReadlineError::Interrupted) => {}
                Err(_) => break,
            }
        }
        if let Err(error) = editor.save_history(&history) {
            tracing::warn!("{}: {error}", history.display());
        }
    });
    Ok(Box::new(move |text| printer.print(format!("{text}\n")).map_err(|error| error.to_string())))
}
