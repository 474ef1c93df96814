//! What a report must not tell: passwords, wherever they stand.

/// How much of a message is kept for the report, in characters.
const MOST_KEPT: usize = 20_000;

/// A message as the report shows it: without passwords, and not too long.
pub fn kept(message: &str) -> String {
    let text = without_userinfo(&without_passwords(&without_authorization(message)));
    match text.char_indices().nth(MOST_KEPT) {
        Some((end, _)) => format!("{}… ({} bytes in all)", &text[..end], text.len()),
        None => text,
    }
}

/// The text of every element that is called `Password`, whatever its prefix and attributes, made unreadable.
fn without_passwords(message: &str) -> String {
    let mut kept = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(end) = rest.find('>') {
        let (upto, after) = rest.split_at(end + 1);
        kept.push_str(upto);
        let tag = upto.rsplit('<').next().unwrap_or_default();
        let name = tag.split([' ', '\t', '\r', '\n', '>', '/']).next().unwrap_or_default();
        rest = after;
        if name.rsplit(':').next() == Some("Password") && !tag.ends_with("/>") {
            kept.push_str("***");
            rest = after.find('<').map_or("", |at| &after[at..]);
        }
    }
    kept + rest
}

/// The value of every `Authorization` header made unreadable: Basic holds the password, Digest lets it be guessed.
fn without_authorization(message: &str) -> String {
    let hidden = |line: &str| match line.split_once(':') {
        Some((name, _)) if name.eq_ignore_ascii_case("authorization") => {
            let end = if line.ends_with("\r\n") { "\r\n" } else { "\n" };
            format!("{name}: ***{end}")
        }
        _ => line.to_owned(),
    };
    message.split_inclusive('\n').map(hidden).collect()
}

/// The credentials in every address made unreadable: `http://user:password@host/`.
pub fn without_userinfo(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (upto, after) = rest.split_at(at + 3);
        kept.push_str(upto);
        let ends = |c: char| c.is_whitespace() || "/?#<>\"'\\".contains(c);
        let authority = &after[..after.find(ends).unwrap_or(after.len())];
        rest = match authority.rfind('@') {
            Some(at) => {
                kept.push_str("***");
                &after[at..]
            }
            None => after,
        };
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_kept() {
        let message = "<a><tt:Password>secret</tt:Password><tt:Password>other</tt:Password></a>";
        assert_eq!(kept(message), "<a><tt:Password>***</tt:Password><tt:Password>***</tt:Password></a>");
        let message = "<a><x:Password Type='t'>secret</x:Password><Password/><b>1</b></a>";
        assert_eq!(kept(message), "<a><x:Password Type='t'>***</x:Password><Password/><b>1</b></a>");
        let message = "OPTIONS * RTSP/1.0\r\nauthorization: Basic c2VjcmV0\r\nCSeq: 1\r\n\r\n";
        assert_eq!(kept(message), "OPTIONS * RTSP/1.0\r\nauthorization: ***\r\nCSeq: 1\r\n\r\n");
        let message = "<Uri>rtsp://admin:p@ss@192.0.2.1/a@b</Uri> and http://cam/?mail=a@b";
        assert_eq!(kept(message), "<Uri>rtsp://***@192.0.2.1/a@b</Uri> and http://cam/?mail=a@b");
        assert!(kept(&"x".repeat(MOST_KEPT + 1)).ends_with("(20001 bytes in all)"));
    }
}
