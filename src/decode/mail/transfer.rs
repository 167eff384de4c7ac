//! Content-Transfer-Encoding undone: base64 and quoted-printable, as far as they are whole.
//!
//! Never fails: damage is reported beside what could be read. Cost: linear.

/// Bytes after decoding, and whether the encoding was damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transferred {
    /// What could be read.
    pub bytes: Vec<u8>,
    /// Whether something could not.
    pub damaged: bool,
}

/// Undoes the encoding a part names; an unknown one is left as it is and called damaged.
pub(crate) fn undo(body: &[u8], encoding: &str) -> Transferred {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "base64" => base64(body),
        "quoted-printable" => quoted_printable(body),
        "" | "7bit" | "8bit" | "binary" | "7-bit" | "8-bit" | "none" => Transferred { bytes: body.to_vec(), damaged: false },
        _ => Transferred { bytes: body.to_vec(), damaged: true },
    }
}

/// Base64 with line ends, stray characters and missing padding.
pub(crate) fn base64(body: &[u8]) -> Transferred {
    let mut bytes = Vec::with_capacity(body.len() / 4 * 3 + 3);
    let (mut held, mut bits, mut damaged) = (0_u32, 0_u32, false);
    for &byte in body {
        let Some(value) = sextet(byte) else {
            match byte {
                b'=' => (held, bits) = (0, 0),
                b if b.is_ascii_whitespace() => {}
                _ => damaged = true,
            }
            continue;
        };
        held = held << 6 | value;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).unwrap_or_default());
        }
    }
    Transferred { bytes, damaged }
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

/// Quoted-printable; a `=` that begins no code stays as it is.
pub(crate) fn quoted_printable(body: &[u8]) -> Transferred {
    let mut bytes = Vec::with_capacity(body.len());
    let mut damaged = false;
    let mut rest = body;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'=' {
            bytes.push(byte);
            continue;
        }
        let blanks = tail.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r')).count();
        match (tail, tail.get(blanks)) {
            (_, Some(b'\n') | None) => rest = tail.get(blanks + 1..).unwrap_or_default(),
            ([high, low, after @ ..], _) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => {
                damaged = true;
                bytes.push(byte);
            }
        }
    }
    Transferred { bytes, damaged }
}

/// The value of a hexadecimal digit; 0 for anything else.
pub(crate) fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_undone_as_far_as_they_are_whole() {
        for (encoding, body, expected, damaged) in [
            ("base64", "5q27\r\n44Gt", "死ね", false),
            ("BASE64 ", "5q27*44Gt", "死ね", true),
            ("base64", "YQ==YQ==", "aa", false),
            ("base64", "5q2744G", "死\u{fffd}", false),
            ("quoted-printable", "=E6=AD=BB=\r\n=E3=81=AD =\n!", "死ね !", false),
            ("quoted-printable", "a=zzb=", "a=zzb", true),
            ("x-uuencode", "abc", "abc", true),
            ("7bit", "abc", "abc", false),
        ] {
            let undone = undo(body.as_bytes(), encoding);
            assert_eq!((String::from_utf8_lossy(&undone.bytes).as_ref(), undone.damaged), (expected, damaged), "{encoding} {body}");
        }
    }
}
