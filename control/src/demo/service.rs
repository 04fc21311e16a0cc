//! The demonstration's service: answers every HTTP request on loopback with its process id.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

/// Serves until it is killed. The port and the process id are in files once it listens.
pub fn serve(pid_file: &Path, port_file: &Path) -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let pid = std::process::id();
    std::fs::write(port_file, listener.local_addr()?.port().to_string())?;
    std::fs::write(pid_file, pid.to_string())?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut request = [0; 1024];
        let body = format!("served by process {pid}\n");
        // A client that hangs up early has its own reasons.
        let _read = stream.read(&mut request);
        let _written = write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
    }
    Ok(())
}
