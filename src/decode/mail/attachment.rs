//! What an attachment is, so far as a supervisor must know that it was not read.
//!
//! Never opens one: archives are looked at for the encryption flag of their entries, nothing is expanded.

use crate::decode::mail::transfer;
use crate::model::message::SkippedKind;

/// Bytes of an archive looked at for encrypted entries.
const ARCHIVE_BYTES_MAX: usize = 1 << 20;

/// Longest content type printed in coverage, in characters.
const TYPE_CHARS_MAX: usize = 60;

/// What kind of content was not read; nothing for signatures of mail, which hold no text.
pub(crate) fn classify(kind: &str, name: &str, body: &[u8], encoding: &str) -> Option<SkippedKind> {
    let extension = name.rsplit_once('.').map(|(_, end)| end.to_lowercase()).unwrap_or_default();
    let (family, _) = kind.split_once('/').unwrap_or((kind, ""));
    Some(match (family, kind) {
        (_, "application/pgp-signature" | "application/pkcs7-signature" | "application/x-pkcs7-signature" | "application/pgp-keys") => {
            return None;
        }
        (_, "application/pkcs7-mime" | "application/x-pkcs7-mime" | "application/pgp-encrypted") => SkippedKind::EncryptedMail,
        ("image", _) => SkippedKind::Image,
        ("audio" | "video", _) => SkippedKind::Media,
        (_, "application/pdf") => SkippedKind::Pdf,
        _ => match extension.as_str() {
            "png" | "jpg" | "jpeg" | "gif" | "bmp" | "webp" | "heic" | "tif" | "tiff" => SkippedKind::Image,
            "mp3" | "wav" | "m4a" | "amr" | "3gp" | "mp4" | "mov" | "avi" => SkippedKind::Media,
            "pdf" => SkippedKind::Pdf,
            "p7m" | "pgp" | "gpg" => SkippedKind::EncryptedMail,
            _ if is_encrypted_zip(body, encoding) => SkippedKind::EncryptedArchive,
            _ => SkippedKind::Attachment,
        },
    })
}

/// A line for coverage: place, type and size, never a name the sender chose.
pub(crate) fn describe(place: &str, kind: &str, body: &[u8], encoding: &str) -> String {
    let plain: String = kind.chars().filter(|c| c.is_ascii_alphanumeric() || "/.+-_".contains(*c)).take(TYPE_CHARS_MAX).collect();
    let filled = body.iter().filter(|b| !matches!(b, b'\r' | b'\n')).count();
    let size = if encoding.trim().eq_ignore_ascii_case("base64") { filled / 4 * 3 } else { filled };
    format!("part {place}, {plain}, about {size} bytes")
}

/// Whether an entry of a ZIP archive has bit 0 of its general purpose flag set (APPNOTE 4.4.4).
fn is_encrypted_zip(body: &[u8], encoding: &str) -> bool {
    const SIGNATURE: &[u8] = b"PK\x03\x04";
    const FLAG_OFFSET: usize = 6;
    let head = transfer::undo(body.get(..ARCHIVE_BYTES_MAX.min(body.len())).unwrap_or_default(), encoding).bytes;
    head.starts_with(SIGNATURE)
        && head.windows(FLAG_OFFSET + 1).any(|entry| entry.starts_with(SIGNATURE) && entry.last().is_some_and(|flag| flag & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_are_told_apart() {
        for (kind, name, body, expected) in [
            ("image/png", "a", &b""[..], Some(SkippedKind::Image)),
            ("application/octet-stream", "見積.PDF", b"", Some(SkippedKind::Pdf)),
            ("application/zip", "a.zip", b"PK\x03\x04\x14\x00\x01\x00", Some(SkippedKind::EncryptedArchive)),
            ("application/zip", "a.zip", b"PK\x03\x04\x14\x00\x00\x00", Some(SkippedKind::Attachment)),
            ("application/pkcs7-mime", "smime.p7m", b"", Some(SkippedKind::EncryptedMail)),
            ("application/pgp-signature", "", b"", None),
            ("application/ms-tnef", "winmail.dat", b"", Some(SkippedKind::Attachment)),
            ("video/mp4", "", b"", Some(SkippedKind::Media)),
        ] {
            assert_eq!(classify(kind, name, body, "binary"), expected, "{kind} {name}");
        }
    }
}
