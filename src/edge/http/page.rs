//! The page behind a link of an alert: phone-sized, Japanese, without a script and without a word of the customer.

use crate::edge::http::desk::{AckView, Done};
use crate::model::markup::escape;

/// The case and what its bearer can do now.
pub(in crate::edge::http) fn case(view: &AckView) -> String {
    let mut body: Vec<String> = vec![];
    if let Some(line) = told(view) {
        body.push(format!("<p class=\"done\">{}</p>", escape(&line)));
    }
    body.push(format!(
        "<h1>{} <small>{}</small></h1><table>{}{}{}{}</table>",
        escape(&view.level_name),
        escape(&view.case),
        row("種類", &view.kinds),
        row("状態", &state(view)),
        row("受信", &format!("{}通", view.messages)),
        row("あなた", &view.person),
    ));
    if !view.missing.is_empty() {
        body.push(format!("<p>受領が必要な担当: {}</p>", escape(&view.missing.join("・"))));
    }
    if !view.advice.is_empty() {
        let lines = view.advice.iter().map(|line| format!("<li>{}</li>", escape(line))).collect::<Vec<_>>().concat();
        body.push(format!("<h2>今すること</h2><ol>{lines}</ol>"));
    }
    if view.state != "終了" {
        body.push(
            "<form method=\"post\"><button name=\"do\" value=\"take\" class=\"take\">受領する</button>\
             <button name=\"do\" value=\"pass\" class=\"pass\">ほかの人に代わってもらう</button>\
             <p class=\"note\">代わってもらう理由は要りません。理由も、代わったことも評価に使いません。</p></form>"
                .to_owned(),
        );
    }
    frame(&format!("{} {}", view.level_name, view.case), "", &body.concat())
}

fn told(view: &AckView) -> Option<String> {
    Some(match view.done {
        Done::Looked => return None,
        Done::Taken => "受領しました。ほかの人への通知は止まります。".to_owned(),
        Done::Partly => format!("あなたの分を受領しました。{}への通知は続きます。", view.missing.join("・")),
        Done::Unchanged if view.state == "終了" => "この事案は終了しています。".to_owned(),
        Done::Unchanged => "すでに受領しています。".to_owned(),
        Done::NotTheirs => format!("この事案は担当ごとの受領が必要です。残りは {} です。", view.missing.join("・")),
        Done::Passed => "次の担当へ通知します。あとのことは引き受けます。".to_owned(),
    })
}

fn state(view: &AckView) -> String {
    view.holder.as_ref().map_or_else(|| view.state.clone(), |holder| format!("{}({holder})", view.state))
}

fn row(name: &str, value: &str) -> String {
    format!("<tr><th>{name}</th><td>{}</td></tr>", escape(value))
}

/// A sentence instead of a case.
pub(in crate::edge::http) fn refused(line: &str) -> String {
    frame("見守り", "", &format!("<p class=\"done\">{}</p>", escape(line)))
}

/// Too many wrong links.
pub(in crate::edge::http) fn busy() -> String {
    refused("誤ったリンクが続いたため、しばらく受け付けません。1分ほど待ってからやり直してください。")
}

/// A whole page; `head` are further elements of its head.
pub(in crate::edge::http) fn frame(title: &str, head: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"ja\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"referrer\" content=\"no-referrer\">{head}<title>{}</title><style>\
         body{{margin:0;background:#eceff1;color:#212121;font:17px/1.6 'Hiragino Sans','Noto Sans JP','Noto Sans CJK JP',sans-serif}}\
         main{{max-width:480px;margin:0 auto;background:#fff;padding:16px;min-height:100vh;box-sizing:border-box}}\
         h1{{font-size:22px;margin:8px 0}}small{{font-size:15px;color:#546e7a}}h2{{font-size:15px;color:#546e7a;margin:20px 0 4px}}\
         th{{text-align:left;color:#546e7a;font-weight:normal;padding:2px 14px 2px 0;white-space:nowrap;vertical-align:top}}td{{overflow-wrap:anywhere}}\
         button{{display:block;width:100%;margin:14px 0;padding:16px;font-size:19px;border-radius:8px;border:0;font-family:inherit}}\
         .take{{background:#1565c0;color:#fff;font-weight:bold}}.pass{{background:#fff;color:#1565c0;border:2px solid #1565c0}}\
         label{{display:block;margin:14px 0;color:#546e7a;font-size:15px}}\
         input{{display:block;width:100%;box-sizing:border-box;margin-top:4px;padding:12px;font-size:17px;border:1px solid #90a4ae;border-radius:8px;font-family:inherit}}\
         .steps{{display:flex;list-style:none;margin:8px 0 16px;padding:0;gap:6px}}.steps li{{flex:1;text-align:center;padding:8px 0;border-radius:8px;background:#eceff1;color:#546e7a}}\
         .steps .on{{background:#1565c0;color:#fff;font-weight:bold}}\
         .done{{background:#e8f5e9;border-left:6px solid #2e7d32;padding:12px}}.note{{font-size:14px;color:#546e7a}}\
         </style></head><body><main><p class=\"note\">見守り</p>{body}</main></body></html>\n",
        escape(title)
    )
}
