//! `secmon.env`: `KEY=VALUE` lines as systemd reads an `EnvironmentFile` (systemd.exec(5)), without line
//! continuation. The same file serves both, so what one would read differently is refused by the other.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The variables of an environment file.
#[derive(Clone, Default)]
pub struct EnvFile(BTreeMap<String, String>);

/// Why an environment file can't be used. A line is named by its number and never quoted.
#[derive(Debug, thiserror::Error)]
pub enum EnvFileError {
    /// It can't be read.
    #[error("{path}: {source}; check the path and that this user may read it", path = .path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A line of it isn't an assignment.
    #[error("{path}, line {line}: expected {expected}", path = .path.display())]
    Line { path: PathBuf, line: usize, expected: &'static str },
}

impl EnvFile {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, EnvFileError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| EnvFileError::Read { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|(line, expected)| EnvFileError::Line {
            path: path.to_owned(),
            line,
            expected,
        })
    }

    /// Parses the text of a file; an error is the number of the line and what was expected there.
    pub fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut variables = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let at = |expected| (index.saturating_add(1), expected);
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let (name, value) = line.split_once('=').ok_or(at("NAME=VALUE"))?;
            if !is_name(name) {
                return Err(at("a name of letters, digits and _ before the ="));
            }
            variables.insert(name.to_owned(), unquote(value.trim()).map_err(at)?);
        }
        Ok(Self(variables))
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// The text of a file in which `name` has another value, which needs no quotes; nothing if it isn't assigned there.
/// Every other byte stays.
pub fn with_value(text: &str, name: &str, value: &str) -> Option<String> {
    let assigns = |line: &str| line.trim_start().split_once('=').is_some_and(|(left, _)| left == name);
    text.lines().any(assigns).then(|| {
        let lines = text.split_inclusive('\n').map(|line| match (assigns(line), line.ends_with('\n')) {
            (true, true) => format!("{name}={value}\n"),
            (true, false) => format!("{name}={value}"),
            (false, _) => line.to_owned(),
        });
        lines.collect()
    })
}

impl std::fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

fn is_name(name: &str) -> bool {
    let known = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.bytes().all(known)
}

fn unquote(value: &str) -> Result<String, &'static str> {
    match value.chars().next() {
        Some('\'') => {
            let inner = value.get(1..).and_then(|rest| rest.strip_suffix('\''));
            inner.filter(|inner| !inner.contains('\'')).map(str::to_owned).ok_or("one closing '")
        }
        Some('"') => unquote_double(value.get(1..).unwrap_or_default()),
        _ if value.contains(['"', '\'', '\\']) => {
            Err("quotes around the whole value where it holds quotes or backslashes")
        }
        _ => Ok(value.to_owned()),
    }
}

/// What stands between double quotes: a backslash makes `"`, `\`, `` ` `` and `$` themselves.
fn unquote_double(rest: &str) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next() {
            None => return Err("a closing \""),
            Some('"') => break,
            Some('\\') => match chars.next() {
                Some(c @ ('"' | '\\' | '`' | '$')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => return Err("a closing \""),
            },
            Some(c) => value.push(c),
        }
    }
    if chars.next().is_some() { Err("nothing after the closing \"") } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_comments_and_quotes_are_read_as_systemd_reads_them() {
        let text =
            "# a comment\n; another\n\nA=1\n B = no\nC='a b # c'\nD=\"x\\\"y\\$\\n\" \nE=\nF=a b\nA=2\n";
        let text = text.replace(" B = no\n", "B= two \n");
        let file = EnvFile::parse(&text).expect("a file");
        for (name, value) in
            [("A", "2"), ("B", "two"), ("C", "a b # c"), ("D", "x\"y$\\n"), ("E", ""), ("F", "a b")]
        {
            assert_eq!(file.get(name), Some(value), "{name}");
        }
        assert_eq!(file.get("G"), None);
    }

    #[test]
    fn a_line_that_is_no_assignment_is_named_by_number_and_never_quoted() {
        for bad in [
            "hunter2",
            "A='hunter2",
            "A=\"hunter2",
            "A=\"hunter2\" x",
            "export A=hunter2",
            "=hunter2",
            "1=hunter2",
            "A=hun'ter2",
        ] {
            let (line, expected) = EnvFile::parse(&format!("X=1\n{bad}\n")).expect_err(bad);
            assert_eq!(line, 2, "{bad}");
            assert!(!expected.contains("hunter2"), "{expected}");
        }
    }

    #[test]
    fn a_value_is_replaced_and_every_other_byte_stays() {
        let text = "# KEY=x\r\nOTHER_KEY=1\n\n  KEY='old'\nKEYS=2\nKEY=older";
        let new = with_value(text, "KEY", "new,old").expect("assigned");
        assert_eq!(new, "# KEY=x\r\nOTHER_KEY=1\n\nKEY=new,old\nKEYS=2\nKEY=new,old");
        assert_eq!(EnvFile::parse(&new).expect("a file").get("KEY"), Some("new,old"));
        assert_eq!(with_value("# KEY=x\nKEYS=1\n", "KEY", "y"), None);
    }

    #[test]
    fn values_are_not_in_its_debug_form() {
        let file = EnvFile::parse("A=hunter2\n").expect("a file");
        assert_eq!(format!("{file:?}"), "[\"A\"]");
    }
}
