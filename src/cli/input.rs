//! Reading input line by line, bounded: one huge line must not take the memory, nor stop the lines after it.

use crate::cli::Failure;
use crate::model::envelope::MESSAGE_BYTES_HARD;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// One line of input.
#[derive(Debug)]
pub enum InputLine {
    /// Its bytes, without the line end.
    Text(Vec<u8>),
    /// Longer than [`MESSAGE_BYTES_HARD`]; its bytes were skipped.
    TooLong(usize),
}

/// Opens a file, or standard input for `-`.
pub fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).map_err(|error| Failure::refused(format!("cannot read {}: {error}", path.display())))?;
    Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
}

/// Files to read: standard input when none is named.
pub fn or_stdin(files: &[PathBuf]) -> Vec<PathBuf> {
    if files.is_empty() { vec![PathBuf::from("-")] } else { files.to_vec() }
}

/// Reads the next line; nothing at the end.
pub fn next_line(reader: &mut (impl BufRead + ?Sized)) -> io::Result<Option<InputLine>> {
    let mut line = vec![];
    let limit = MESSAGE_BYTES_HARD as u64 + 1;
    let read = (&mut *reader).take(limit).read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && read as u64 == limit {
        let rest = skip_line(reader)?;
        return Ok(Some(InputLine::TooLong(read + rest)));
    }
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(Some(InputLine::Text(line)))
}

fn skip_line(reader: &mut (impl BufRead + ?Sized)) -> io::Result<usize> {
    let mut skipped = 0;
    loop {
        let buffer = reader.fill_buf()?;
        let (taken, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        reader.consume(taken);
        skipped += taken;
        if ended {
            return Ok(skipped);
        }
    }
}

/// Whether the file is one raw mail by its name.
pub fn is_mail(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("eml") || extension.eq_ignore_ascii_case("msg"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_line_is_skipped_and_the_next_is_read() {
        let mut bytes = vec![b'x'; MESSAGE_BYTES_HARD + 10];
        bytes.extend_from_slice(b"\nnext\r\nlast");
        let mut reader: &[u8] = &bytes;
        assert!(matches!(next_line(&mut reader), Ok(Some(InputLine::TooLong(n))) if n == MESSAGE_BYTES_HARD + 11));
        assert!(matches!(next_line(&mut reader), Ok(Some(InputLine::Text(line))) if line == b"next"));
        assert!(matches!(next_line(&mut reader), Ok(Some(InputLine::Text(line))) if line == b"last"));
        assert!(matches!(next_line(&mut reader), Ok(None)));
    }
}
