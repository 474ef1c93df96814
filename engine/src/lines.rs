//! Standard input: bounded lines.

use std::io::{BufRead, Result};

use belvedere_engine_control::{LineError, MAX_LINE};

/// Reads lines of at most [`MAX_LINE`] bytes. A longer one is skipped to its end without being kept.
pub struct Lines<R> {
    input: R,
}

impl<R: BufRead> Lines<R> {
    /// Reads from `input`.
    pub fn new(input: R) -> Self {
        Self { input }
    }

    /// Reads the next line without its end; none at the end of the input. An unfinished last line counts as one.
    ///
    /// # Errors
    /// When the input breaks.
    pub fn read(&mut self) -> Result<Option<std::result::Result<Vec<u8>, LineError>>> {
        let (mut line, mut length, mut any) = (Vec::new(), 0usize, false);
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Ok(any.then(|| bounded(line, length)));
            }
            any = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            length += part.len();
            if length <= MAX_LINE {
                line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok(Some(bounded(line, length)));
            }
        }
    }
}

fn bounded(line: Vec<u8>, length: usize) -> std::result::Result<Vec<u8>, LineError> {
    if length > MAX_LINE { Err(LineError::TooLong(length)) } else { Ok(line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_skipped_and_the_next_is_read() {
        let mut input = b"one\n".to_vec();
        input.extend(vec![b'x'; 3 * MAX_LINE]);
        input.extend(b"\ntwo");
        let mut lines = Lines::new(std::io::BufReader::with_capacity(100, &input[..]));
        assert_eq!(lines.read().unwrap().unwrap().unwrap(), b"one");
        assert!(matches!(lines.read().unwrap(), Some(Err(LineError::TooLong(n))) if n == 3 * MAX_LINE));
        assert_eq!(lines.read().unwrap().unwrap().unwrap(), b"two");
        assert!(lines.read().unwrap().is_none());
    }
}
