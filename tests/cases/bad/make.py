#!/usr/bin/env python3
"""Writes damaged and hostile input files, and what must come of each, into the directory given as argument.

    python3 make.py DIRECTORY

`expected.json` is a list, one object a file:

    {"file": "…", "kind": "jsonl"|"mail", "why": "…", "rows": [row, …]}

with one row for each output line that `triage` must give, in order (none for a file without a non-blank line):

    {"outcome": ["verdict"] | ["error"] | both, "codes": ["…"], "complete": true|false|null, "level_min": 0-4}

`outcome` holds what is allowed; where both are, either is honest. `codes` is the family an error must come from. `complete`
and `level_min` bind a verdict only: null leaves `coverage.complete` open, and `level_min` says that harm in the file must not be
lost (0 asks nothing). A verdict below `level_min` is allowed only with `coverage.complete` false. No file may end the process, hang
it, or take more memory than the limits allow. Same bytes at every run; needs the standard library alone.
"""

import base64
import hashlib
import json
import pathlib
import sys

MIB = 1 << 20

# Flagged by anyone's judgement, so that hiding it is noticed.
HARM = "明日の朝9時に本社の受付で社員を刺し殺す"
PLAIN = "配送日を変更したいです。"

# Families of error codes: which code is best may be argued inside a family, not across.
SYNTAX = ["not_json", "bad_encoding", "bad_field"]
FIELD = ["bad_field", "not_json"]
SIZE = ["too_large"]


def verdict(complete=True, level_min=0):
    """A row that must be judged."""
    return {"outcome": ["verdict"], "codes": [], "complete": complete, "level_min": level_min}


def error(codes):
    """A row that must be refused with one of these codes."""
    return {"outcome": ["error"], "codes": codes, "complete": None, "level_min": 0}


def either(codes, complete=None, level_min=0):
    """A row that may be refused or judged."""
    return {"outcome": ["error", "verdict"], "codes": codes, "complete": complete, "level_min": level_min}


def line(text, **more):
    """One good input line, without its end."""
    return json.dumps({"channel": "chat", "text": text, **more}, ensure_ascii=False).encode()


def noise(length):
    """Bytes that are no text in any charset, the same at every run."""
    blocks = (hashlib.sha256(str(index).encode()).digest() for index in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def mail(body, headers=b"", subject="=?UTF-8?B?44GK5ZWP44GE5ZCI44KP44Gb?="):
    """One mail: the usual headers, these, and the body."""
    usual = f"From: kyaku@example.com\r\nTo: support@example.jp\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n".encode()
    return usual + headers + b"\r\n" + body


def text_mail(text, charset="utf-8", encoding="8bit"):
    """One text/plain mail; `text` is bytes."""
    return mail(text, f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n".encode())


def nested_mail(depth):
    """A mail in a mail in a mail, `depth` times, with the harm innermost."""
    wrap = b"Content-Type:message/rfc822\n\n"
    return mail(b"", b"")[:-2] + wrap * depth + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + HARM.encode()


def multipart(parts, closed=True):
    """A multipart/mixed mail from whole parts."""
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + (b"--b--\r\n" if closed else b"")
    return mail(body, b'Content-Type: multipart/mixed; boundary="b"\r\n')


def part(text):
    """One text part."""
    return b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode()


def size_lines():
    """Files of unusual size."""
    empty_line = len(line(""))
    mebibyte = line("あ" * ((MIB - empty_line - len(HARM.encode())) // 3) + HARM)
    return [
        ("empty.jsonl", b"", [], "no line at all"),
        ("blank.jsonl", b"\n  \n\r\n\t\n", [], "blank lines give no output"),
        ("mebibyte.jsonl", mebibyte + b"\n", [either(SIZE, False, 2)], "one line of a mebibyte, harm at its end"),
        ("too_large.jsonl", line("あ" * (4 * MIB)) + b"\n" + line(PLAIN) + b"\n", [error(SIZE), verdict()], "12 MiB, beyond the hard limit; the next line still counts"),
        ("no_last_newline.jsonl", line(PLAIN) + b"\n" + line(HARM), [verdict(), verdict(True, 2)], "last line without its end"),
        ("crlf.jsonl", b"\r\n".join([line(PLAIN), b"", line(HARM), b""]), [verdict(), verdict(True, 2)], "CRLF lines"),
    ]


def syntax_lines():
    """Files that are JSON in part or not at all."""
    rows = [b"hello", b"[]", b'"text"', b"null", b"{", line(PLAIN)[:-1], b"{'channel':'chat','text':'x'}", line(PLAIN) + b"}", line(PLAIN) + line(PLAIN)]
    deep = b'{"channel":"chat","text":"' + HARM.encode() + b'","more":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    objects = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    return [
        ("not_json.jsonl", b"\n".join([*rows, line(PLAIN)]) + b"\n", [error(FIELD + ["no_channel"])] * len(rows) + [verdict()], "no JSON object; a good line after them is judged"),
        ("binary.jsonl", noise(4096).replace(b"\n", b"x").replace(b"\r", b"x") + b"\n" + line(PLAIN) + b"\n", [error(SYNTAX), verdict()], "noise, then a good line"),
        ("deep_array.jsonl", deep + b"\n" + line(PLAIN) + b"\n", [either(["not_json"], None, 2), verdict()], "100,000 arrays in an unknown field"),
        ("deep_object.jsonl", objects + b"\n", [error(["not_json", "no_channel", "no_text"])], "100,000 objects"),
        ("deep_unclosed.jsonl", b"[" * 100_000 + b"\n" + line(PLAIN) + b"\n", [error(["not_json"]), verdict()], "100,000 open brackets"),
        ("overlong.jsonl", b'{"channel":"chat","text":"\xc0\xaf\xe0\x80\xaf"}\n', [error(SYNTAX)], "overlong UTF-8"),
        ("surrogate_bytes.jsonl", b'{"channel":"chat","text":"\xed\xa0\x80"}\n', [error(SYNTAX)], "a surrogate as UTF-8 bytes"),
        ("shift_jis.jsonl", line(PLAIN).decode().encode("cp932") + b"\n", [error(SYNTAX)], "a line in Shift_JIS"),
        ("nul_raw.jsonl", b'{"channel":"chat","text":"a\x00b"}\n', [error(SYNTAX)], "a raw NUL inside a string"),
        ("byte_order_mark.jsonl", b"\xef\xbb\xbf" + line(HARM) + b"\n" + line(PLAIN) + b"\n", [either(["not_json"], True, 2), verdict()], "a byte order mark before the first line"),
    ]


def field_lines():
    """Lines whose JSON is good and whose fields are not."""
    surrogates = [b'{"channel":"chat","text":"\\ud83d' + HARM.encode() + b'"}', b'{"channel":"chat","text":"\\udc00\\ud800"}', b'{"channel":"chat","text":"x","more":"\\ud800"}']
    twice = [
        b'{"channel":"chat","text":"' + HARM.encode() + b'","text":"' + PLAIN.encode() + b'"}',
        b'{"channel":"chat","text":"' + PLAIN.encode() + b'","text":"' + HARM.encode() + b'"}',
        b'{"channel":"chat","direction":"outbound","direction":"inbound","text":"x"}',
    ]
    missing = [b"{}", b'{"channel":"chat"}', b'{"text":"x"}', b'{"channel":"chat","text":null}']
    wrong = [b'{"channel":"chat","text":1}', b'{"channel":"chat","text":["x"]}', line(PLAIN, channel="pigeon"), line(PLAIN, direction="up"), line(PLAIN, at="yesterday"), line(PLAIN, id={"a": 1})]
    huge = [b'{"channel":"chat","text":"x","at":1e999999}', b'{"channel":"chat","text":"x","more":1e999999}', b'{"channel":"chat","text":"x","more":' + b"9" * 100_000 + b"}"]
    needed = ["no_channel", "no_text", "bad_field"]
    return [
        ("unknown_fields.jsonl", line(PLAIN, score=0.9, level=4, verdict={"level": 4}, html="<b>x</b>") + b"\n", [verdict()], "unknown fields are neither judged nor echoed"),
        ("missing.jsonl", b"\n".join(missing) + b"\n", [error(needed)] * len(missing), "required fields missing"),
        ("wrong_type.jsonl", b"\n".join(wrong) + b"\n", [error(FIELD + ["no_text"])] * len(wrong), "values of the wrong type or outside the allowed set"),
        ("lone_surrogate.jsonl", b"\n".join(surrogates) + b"\n", [either(SYNTAX, False, 2), either(SYNTAX, False), either(SYNTAX)], "escapes of half a pair"),
        ("duplicate_keys.jsonl", b"\n".join(twice) + b"\n", [either(FIELD, None, 2), either(FIELD, None, 2), either(FIELD)], "the same key twice must not smuggle harm past"),
        ("huge_numbers.jsonl", b"\n".join(huge) + b"\n", [error(FIELD), either(FIELD), either(FIELD)], "numbers beyond any type"),
        ("nul_escaped.jsonl", b'{"channel":"chat","text":"\\u0000' + HARM.encode() + b'\\u0000"}\n', [verdict(True, 2)], "NUL as an escape is text"),
        ("empty_text.jsonl", line("") + b"\n" + line(" \u3000\n") + b"\n", [either(["empty", "no_text"])] * 2, "nothing said"),
        ("long_id.jsonl", line(PLAIN, id="A" * 100_000) + b"\n", [either(FIELD)], "an id of 100,000 characters"),
        ("id_with_controls.jsonl", line(PLAIN, id="a\r\nBcc: x@example.com\u001b[2J") + b"\n", [either(FIELD)], "an id that tries to end a header and clear a terminal"),
    ]


def encoding_mails():
    """Mails whose bytes are not what their headers say."""
    encoded = base64.b64encode(HARM.encode() * 20)
    damaged = encoded[:200] + b"\r\n!!!%%%\r\n" + encoded[203:-3] + b"*"
    return [
        ("base64_broken.eml", text_mail(damaged, encoding="base64"), [verdict(False)], "base64 with foreign bytes and no end"),
        ("base64_noise.eml", text_mail(b"@@@@ ???? ((((", encoding="base64"), [verdict(False)], "base64 that is none"),
        ("quoted_printable_broken.eml", text_mail(b"=ZZ=E6=AD=\r\n=BB" + HARM.encode() + b"=", encoding="quoted-printable"), [verdict(None, 2)], "quoted-printable with bad escapes"),
        ("charset_unknown.eml", text_mail(HARM.encode(), charset="x-unheard-of-9"), [verdict(None, 2)], "a charset nobody knows; the bytes are UTF-8"),
        ("charset_lie.eml", text_mail(HARM.encode("cp932"), charset="us-ascii"), [verdict(None, 2)], "Shift_JIS said to be ASCII"),
        ("charset_noise.eml", text_mail(noise(3000), charset="utf-8"), [verdict(False)], "noise said to be UTF-8"),
        ("iso_2022_jp_broken.eml", text_mail(HARM.encode("iso2022_jp").replace(b"\x1b(B", b"\x1b"), charset="iso-2022-jp", encoding="7bit"), [verdict(None, 2)], "escape sequences cut short"),
        ("utf_7.eml", text_mail(HARM.encode("utf-7"), charset="utf-7", encoding="7bit"), [verdict(False)], "UTF-7 is refused, and said so"),
        ("nul.eml", text_mail(b"\x00" * 100 + HARM.encode() + b"\x00"), [verdict(None, 2)], "NUL bytes in the body"),
        ("nul_header.eml", mail(HARM.encode(), b"X-A: \x00\x00\r\nContent-Type: text/plain; charset=utf-8\r\n"), [verdict(None, 2)], "NUL bytes in a header"),
        ("subject_broken.eml", mail(PLAIN.encode(), b"Content-Type: text/plain; charset=utf-8\r\n", "=?UTF-8?B?44GK5ZW?= =?X-NONE?Q?=ZZ?= =?UTF-8?B?"), [verdict(None)], "encoded words cut short"),
    ]


def structure_mails():
    """Mails whose structure is the attack."""
    html = "<div>" * 20_000 + HARM + "</div>" * 20_000
    tail = [part(PLAIN)] * 2 + [part(HARM)]
    return [
        ("empty.eml", b"", [either(["empty"], False)], "no byte at all"),
        ("headers_only.eml", mail(b""), [verdict(None)], "no body"),
        ("no_headers.eml", b"\r\n" + HARM.encode(), [verdict(None, 2)], "no headers"),
        ("nested.eml", nested_mail(33_000), [verdict(False)], "33,000 mails inside each other"),
        ("html_deep.eml", mail(html.encode(), b"Content-Type: text/html; charset=utf-8\r\n"), [verdict(None, 2)], "20,000 open elements around the harm"),
        ("html_unclosed.eml", mail(("<a href='" + "x" * 1000).encode() * 200 + HARM.encode(), b"Content-Type: text/html; charset=utf-8\r\n"), [verdict(None, 2)], "tags that never end"),
        ("boundary_unclosed.eml", multipart(tail, closed=False), [verdict(False, 2)], "multipart without its end"),
        ("boundary_missing.eml", mail(HARM.encode(), b"Content-Type: multipart/mixed\r\n"), [verdict(None, 2)], "multipart without a boundary"),
        ("parts_many.eml", multipart([part("")] * 20_000 + [part(HARM)]), [verdict(False)], "20,000 empty parts"),
        ("headers_many.eml", mail(HARM.encode(), b"X-A: b\r\n" * 20_000 + b"Content-Type: text/plain; charset=utf-8\r\n"), [verdict(None, 2)], "20,000 headers"),
        ("header_long.eml", mail(HARM.encode(), b"X-A: " + b"b" * 500_000 + b"\r\nContent-Type: text/plain; charset=utf-8\r\n"), [verdict(None, 2)], "one header of half a megabyte"),
        ("comments_deep.eml", mail(HARM.encode(), b"Cc: " + b"(" * 15_000 + b")" * 15_000 + b"\r\nContent-Type: text/plain; charset=utf-8\r\n"), [verdict(None, 2)], "15,000 comments inside each other"),
        ("lone_cr.eml", text_mail(HARM.encode()).replace(b"\r\n", b"\r"), [verdict(None, 2)], "lines that end in CR alone"),
    ]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    expected = []
    for file, content, rows, why in [*size_lines(), *syntax_lines(), *field_lines(), *encoding_mails(), *structure_mails()]:
        (target / file).write_bytes(content)
        assert len(content) <= MIB or any("too_large" in row["codes"] for row in rows), (file, len(content))
        kind = "mail" if file.endswith(".eml") else "jsonl"
        if kind == "jsonl":
            lines = sum(1 for one in content.split(b"\n") if one.strip())
            assert lines == len(rows), (file, lines, len(rows))
        expected.append({"file": file, "kind": kind, "why": why, "rows": rows})
    (target / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
