//! `multipart/form-data` (RFC 7578), as far as Bot API clients use it. Pure.

/// One part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    /// It came with a file name.
    pub(crate) is_file: bool,
    pub(crate) content: Vec<u8>,
}

/// All parts of a body, or what is wrong with it.
pub(crate) fn parse(content_type: &str, body: &[u8]) -> Result<Vec<Part>, &'static str> {
    let boundary = parameter(content_type, "boundary").ok_or("no boundary")?;
    let delimiter = format!("--{boundary}").into_bytes();
    let mut parts = Vec::new();
    let start = find(body, &delimiter).ok_or("the boundary doesn't occur")?;
    let mut rest = body.get(start + delimiter.len()..).unwrap_or_default();
    let separator = [b"\r\n", delimiter.as_slice()].concat();
    loop {
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        rest = rest.strip_prefix(b"\r\n").ok_or("no line end after a boundary")?;
        let end = find(rest, &separator).ok_or("no closing boundary")?;
        parts.push(part(rest.get(..end).unwrap_or_default())?);
        rest = rest.get(end + separator.len()..).unwrap_or_default();
    }
}

fn part(bytes: &[u8]) -> Result<Part, &'static str> {
    let end = find(bytes, b"\r\n\r\n").ok_or("a part without headers")?;
    let headers =
        std::str::from_utf8(bytes.get(..end).unwrap_or_default()).map_err(|_| "headers not in UTF-8")?;
    let content = bytes.get(end + 4..).unwrap_or_default().to_vec();
    let disposition = headers
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"))
        .map(|(_, value)| value)
        .ok_or("a part without Content-Disposition")?;
    let name = parameter(disposition, "name").ok_or("a part without name")?;
    Ok(Part { name, is_file: parameter(disposition, "filename").is_some(), content })
}

/// A parameter of a header value, quoted or not.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|item| {
        let (name, value) = item.split_once('=')?;
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_bytes() {
        let body = b"--B\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\na\r\nb\r\n\
            --B\r\ncontent-disposition: form-data; name=file; filename=\"x.txt\"\r\nContent-Type: text/plain\r\n\r\n\xff\r\n--B--\r\n";
        let parts = parse("multipart/form-data; boundary=\"B\"", body).unwrap();
        assert_eq!(parts[0], Part { name: "text".into(), is_file: false, content: b"a\r\nb".to_vec() });
        assert_eq!(parts[1], Part { name: "file".into(), is_file: true, content: b"\xff".to_vec() });
    }

    #[test]
    fn a_broken_body_is_named() {
        assert_eq!(parse("multipart/form-data", b""), Err("no boundary"));
        assert_eq!(parse("multipart/form-data; boundary=B", b"--B\r\nx"), Err("no closing boundary"));
    }
}
