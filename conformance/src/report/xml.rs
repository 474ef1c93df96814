//! Messages with an element a line, for people.

/// XML with each element on a line of its own; what is no XML, or a part of some, stays as it is where it can.
pub(super) fn indented(text: &str) -> String {
    if !text.trim_start().starts_with('<') {
        return text.to_owned();
    }
    let mut lines: Vec<String> = Vec::new();
    let mut depth = 0_usize;
    for piece in text.split_inclusive('>').flat_map(|piece| piece.split_inclusive('\n')) {
        let piece = piece.trim();
        let closes = piece.starts_with("</");
        let tag = piece.find('<').map(|at| &piece[at..]);
        match tag {
            // The end of an element with nothing but text in it.
            Some(tag) if tag.starts_with("</") && !closes || closes && opens(lines.last(), piece) => {
                depth = depth.saturating_sub(1);
                match lines.last_mut() {
                    Some(line) => line.push_str(piece),
                    None => lines.push(piece.to_owned()),
                }
            }
            Some(tag) => {
                depth = depth.saturating_sub(usize::from(closes));
                lines.push(format!("{}{piece}", "  ".repeat(depth)));
                let goes_deeper = !closes && !tag.ends_with("/>") && !tag.starts_with("<?") && !tag.starts_with("<!");
                depth += usize::from(goes_deeper);
            }
            None if piece.is_empty() => (),
            None => lines.push(format!("{}{piece}", "  ".repeat(depth))),
        }
    }
    lines.join("\n")
}

/// Whether a line is just the tag that this one closes.
fn opens(line: Option<&String>, closing: &str) -> bool {
    let name = closing.trim_start_matches("</").trim_end_matches('>');
    line.is_some_and(|line| {
        let tag = line.trim_start().trim_start_matches('<');
        tag.split([' ', '>']).next() == Some(name) && !line.contains("</")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_has_a_line() {
        let text = "<?xml version=\"1.0\"?><a x=\"1\"><b>t &lt;</b><c/><d><e></e></d></a>";
        assert_eq!(
            indented(text),
            "<?xml version=\"1.0\"?>\n<a x=\"1\">\n  <b>t &lt;</b>\n  <c/>\n  <d>\n    <e></e>\n  </d>\n</a>"
        );
    }

    #[test]
    fn what_is_indented_stays_so_and_what_is_cut_short_is_no_trouble() {
        let text = "<a>\n    <b>t</b>\n</a>";
        assert_eq!(indented(text), "<a>\n  <b>t</b>\n</a>");
        assert_eq!(indented("<a><b>t… (9 bytes in all)"), "<a>\n  <b>\n    t… (9 bytes in all)");
        assert_eq!(indented("RTSP/1.0 200 OK\r\n\r\n<"), "RTSP/1.0 200 OK\r\n\r\n<");
        assert_eq!(indented("</a></b>"), "</a>\n</b>");
    }
}
