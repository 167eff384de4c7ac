"""Writes the sample mails of this folder. Run it here after changing a sample; then refresh the goldens with
UPDATE_GOLDENS=1 cargo test --test suite decode. Every address and text is invented."""

import base64
import quopri

ESC = b"\x1b"


def write(name, *pieces):
    with open(name + ".eml", "wb") as out:
        for piece in pieces:
            out.write(piece if isinstance(piece, bytes) else piece.encode("utf-8"))


def b64(data):
    return base64.encodebytes(data if isinstance(data, bytes) else data.encode("utf-8"))


def word(text, charset="utf-8"):
    return "=?%s?B?%s?=" % (charset, base64.b64encode(text.encode(charset)).decode())


def head(subject, sender="鳥羽 一郎", address="toba@mail.example", number="1", more=""):
    return (
        "From: %s <%s>\nTo: help@shop.example\nSubject: %s\nDate: Mon, 9 Nov 2026 10:00:00 +0900\n"
        "Message-ID: <%s@mail.example>\nMIME-Version: 1.0\n%s" % (word(sender), address, word(subject), number, more)
    )


TEXT = "先日の件、まだ返事がありません。\n今週中にご連絡ください。\n\n鳥羽\n"

write(
    "iso_2022_jp",
    "From: ", word("鳥羽 一郎", "iso-2022-jp"), " <toba@mail.example>\nSubject: ", word("返金について", "iso-2022-jp"),
    "\nMessage-ID: <1@mail.example>\nContent-Type: text/plain; charset=ISO-2022-JP\nContent-Transfer-Encoding: 7bit\n\n",
    TEXT.encode("iso-2022-jp"),
)
write(
    "iso_2022_jp_broken",
    "From: toba@mail.example\nSubject: ", "Re: 返金".encode("iso-2022-jp"), "\nContent-Type: text/plain; charset=iso-2022-jp\n\n",
    "半角は".encode("iso-2022-jp"), ESC, b"(IJ^6", ESC, b"(B\n",
    # No escape back to ASCII at the end of the line; then shift-out kana; then two escapes in a row.
    ESC, b"$B;`$M\nabc\n\x0eJ^6\x0f!\n", ESC, b"$B;`", ESC, b"(B", ESC, b"$B$M", ESC, b"(B\n",
)
write(
    "iso_2022_jp_unlabelled",
    "From: toba@mail.example\nSubject: ", "返金の件".encode("iso-2022-jp"), "\n\n", TEXT.encode("iso-2022-jp"),
)
write(
    "shift_jis_raw_header",
    "From: ", "鳥羽".encode("cp932"), " <toba@mail.example>\nSubject: ", "㈱返金①".encode("cp932"),
    "\nContent-Type: text/plain; charset=Shift_JIS\nContent-Transfer-Encoding: 8bit\n\n", ("ﾊﾞｶ にするな\n" + TEXT).encode("cp932"),
)
write(
    "euc_jp_base64",
    head("注文番号A-12", more="Content-Type: text/plain; charset=EUC-JP\nContent-Transfer-Encoding: base64\n\n"), b64(TEXT.encode("euc-jp")),
)
cut = "返金してください".encode("utf-8")
write(
    "mislabelled",
    "From: toba@mail.example\nSubject: =?utf-8?B?", base64.b64encode(cut[:10]), "?=\n =?UTF-8?B?", base64.b64encode(cut[10:]),
    "?=\nMessage-ID: <1@mail.example>\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n", TEXT.encode("cp932"),
)
write(
    "utf_7",
    head("utf-7", more="Content-Type: text/plain; charset=utf-7\n\n"), "+bXuQTw- hello\n",
)
write(
    "damaged_base64",
    head("壊れたメール", more="Content-Type: multipart/mixed; boundary=b\n\n"),
    "--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n", b64(TEXT)[:-30], "\n*** cut ***\n",
)
HTML = """<html><head><title>無題</title><style>p { color: red }</style></head><body>
<p>先日の件、<b>まだ</b>返事が
ありません。</p>
<div style="display:none">見えない脅し文句</div>
<span style="font-size:0px">小さい字</span><font color="#FFFFFF">白い字</font>
<p>今週中にご連絡ください。&amp;lt; &#9829;</p><img src="cid:x" alt="社章">
</body></html>
"""
write(
    "html_hidden",
    head("HTML", more="Content-Type: multipart/alternative; boundary=b\n\n"),
    "--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n",
    quopri.encodestring("先日の件、まだ返事がありま\nせん。\n今週中にご連絡ください。\nテキスト版だけの一文\n".encode("utf-8")),
    "\n--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n", b64(HTML), "--b--\n",
)
write(
    "html_reply",
    head("Re: お問い合わせ", more="References: <root@mail.example> <2@mail.example>\nContent-Type: text/html; charset=utf-8\n\n"),
    '<div dir="ltr">わかりました。</div><br><div class="quote"><div>2026年11月8日(日) 23:47 窓口 &lt;<a href="mailto:help@shop.example">'
    "help@shop.example</a>&gt;:<br></div><blockquote>お世話になっております。<br>窓口です。</blockquote></div>以上です。\n",
)
write(
    "outlook_reply",
    head("RE: お問い合わせ", more="In-Reply-To: <root@mail.example>\nContent-Type: text/plain; charset=utf-8\n\n"),
    "了解しました。\n\n________________________________\n差出人: 窓口 <help@shop.example>\n送信日時: 2026年11月8日 23:47\n宛先: 鳥羽\n"
    "件名: お問い合わせ\n\nお世話になっております。\n",
)
write("bare_mark", head("お願い", more="Content-Type: text/plain; charset=utf-8\n\n"), "> 無能ども\n> 覚えておけ\n\nお願いします。\n")
write(
    "flowed",
    head("flowed", more="Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\n\n"),
    "この文は途中で \n折り返されています。\n-- \n鳥羽 一郎\ntoba@mail.example\n",
)
write(
    "form",
    "From: form@shop.example\nTo: help@shop.example\nReply-To: form@shop.example\nSubject: ", word("【お問い合わせフォーム】"),
    "\nMessage-ID: <f1@shop.example>\nAuto-Submitted: auto-generated\nContent-Type: text/plain; charset=utf-8\n\n",
    "サイトから次のお問い合わせがありました。\n\n【お名前】鳥羽 一郎\n【メールアドレス】Toba@Mail.example\n【ご注文番号】A-12\n"
    "【お問い合わせ内容】\n返金してください。\n\n【メールアドレス】other@mail.example\n【送信元】192.0.2.1\n",
)
INNER = head("報告", number="7", more="Content-Type: text/plain; charset=utf-8\n\n") + TEXT
write(
    "journal",
    "From: journal@corp.example\nTo: archive@corp.example\nSubject: ", word("報告"),
    "\nX-MS-Journal-Report:\nContent-Type: multipart/mixed; boundary=j\n\n",
    "--j\nContent-Type: text/plain\n\nSender: toba@mail.example\nSubject: x\nMessage-Id: <7@mail.example>\nRecipient: help@shop.example\n",
    "--j\nContent-Type: message/rfc822\n\n", INNER, "--j--\n",
)
write(
    "delivery_report",
    "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example (Mail Delivery System)\nSubject: Undelivered Mail\n"
    "Content-Type: multipart/report; report-type=delivery-status; boundary=r\n\n--r\n\nNot delivered.\n"
    "--r\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n--r\nContent-Type: message/rfc822\n\n", INNER, "--r--\n",
)
write(
    "auto_reply",
    head("自動返信: お知らせ", more="Auto-Submitted: auto-replied\nContent-Type: text/plain; charset=utf-8\n\n"), "不在にしております。\n",
)
write("own_loop", head("転送", more="X-Mimamori-Loop: 1\nContent-Type: text/plain; charset=utf-8\n\n"), "見守りの通知です。\n")
write(
    "list",
    head("お知らせ", more="List-Id: News <news.mail.example>\nContent-Type: text/plain; charset=utf-8\n\n"), "今週のお知らせです。\n",
)
write(
    "outbound_refusal",
    "From: desk@shop.example\nTo: ", word("鳥羽"), " <toba@mail.example>\nSubject: ", word("今後の対応について"),
    "\nReferences: <root@mail.example>\nX-Mimamori-Notice: refusal\nContent-Type: text/plain; charset=utf-8\n\n今後のご連絡はお受けいたしかねます。\n",
)
write(
    "attachments",
    head("添付", more="Content-Type: multipart/mixed; boundary=a\n\n"),
    "--a\nContent-Type: text/plain; charset=utf-8\n\n添付をご覧ください。\n",
    "--a\nContent-Type: image/png; name=\"", word("写真.png", "iso-2022-jp"), "\"\nContent-Transfer-Encoding: base64\n\n", b64(b"\x89PNG" * 20),
    "--a\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n"
    "Content-Disposition: attachment;\n filename*0*=utf-8''%E8%A6%8B%E7%A9;\n filename*1*=%8D%E6%9B%B8.pdf\n\n", b64(b"%PDF-1.4"),
    "--a\nContent-Type: application/zip; name=secret.zip\nContent-Transfer-Encoding: base64\n\n", b64(b"PK\x03\x04\x14\x00\x01\x00" + bytes(30)),
    "--a\nContent-Type: message/rfc822; name=mail.eml\n\n", INNER,
    "--a\nContent-Type: text/plain; charset=utf-8\n\n以上です。\n--a--\n",
)
write(
    "winmail_only",
    head("添付のみ", more="Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n"), b64(b"\x78\x9f\x3e\x22" * 9),
)
write(
    "smime",
    head("暗号", more="Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\nContent-Transfer-Encoding: base64\n\n"),
    b64(b"0\x80" * 40),
)
write(
    "calendar",
    head("招待", more="Content-Type: multipart/alternative; boundary=c\n\n"),
    "--c\nContent-Type: text/plain; charset=utf-8\n\n打合せのお願い\n--c\nContent-Type: text/calendar; charset=utf-8; method=REQUEST\n\n"
    "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:打合せのお願い\nDESCRIPTION:本社の\n 受付で待つ\\n必ず来い\nEND:VEVENT\nEND:VCALENDAR\n--c--\n",
)
nested = "Content-Type: text/plain; charset=utf-8\n\n底の文\n"
for level in range(30):
    nested = "Content-Type: multipart/mixed; boundary=n%d\n\n--n%d\n\n%d段目\n--n%d\n%s--n%d--\n" % (level, level, level, level, nested, level)
write("nested", head("入れ子"), nested)
write("lone_cr", (head("古い改行", more="Content-Type: text/plain; charset=utf-8\n\n") + TEXT).replace("\n", "\r"))
write("no_headers", "ヘッダーのない本文です。\n")
write(
    "two_subjects",
    "From: toba@mail.example\nSubject: ", word("お礼"), "\nSubject: ", word("覚えておけ"), "\nContent-Type: text/plain; charset=utf-8\n\nありがとう。\n",
)
