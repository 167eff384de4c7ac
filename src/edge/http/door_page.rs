//! The operator's pages: phone-sized, Japanese, without a script and without anything from elsewhere.

use crate::edge::http::desk::FlagView;
use crate::edge::http::door::DoorView;
use crate::edge::http::page::frame;
use crate::model::markup::escape;

/// How often the page of a flag loads itself again, in seconds: who waits for help should not have to press anything.
const RELOAD_SECONDS: u32 = 15;

/// The steps an operator sees, in order.
const STEPS: [&str; 3] = ["受付", "対応中", "結果"];

/// The form.
pub(in crate::edge::http) fn form(view: &DoorView, conversation: &str) -> String {
    let consult = if view.has_consult {
        "<button name=\"do\" value=\"other_than_supervisor\" class=\"pass\">上司以外(相談窓口)に伝える</button>\
         <p class=\"note\">相談窓口だけに届きます。上司・責任者には見えません。</p>"
    } else {
        "<p class=\"note\">上司以外に伝える窓口は、この会社ではまだ設定されていません。</p>"
    };
    let body = format!(
        "<h1>助けを呼ぶ <small>{}</small></h1><form method=\"post\"><input type=\"hidden\" name=\"form\" value=\"{}\">\
         <label>チケット・会話の番号(わかれば)<input name=\"conversation\" value=\"{}\" maxlength=\"80\" autocomplete=\"off\"></label>\
         <label>何がありましたか(ひとことで。空でもかまいません)<input name=\"note\" maxlength=\"200\" autocomplete=\"off\"></label>\
         <button name=\"do\" value=\"swap_now\" class=\"take\">今すぐ代わってほしい</button>{consult}\
         <button name=\"do\" value=\"flag\" class=\"pass\">カスハラだと感じたことを知らせる</button>\
         <p class=\"note\">送ったことも、送らなかったことも、あなたの評価には使いません。回数も数えません。身の危険があるときは、先に離れて110番してください。</p></form>",
        escape(&view.operator),
        escape(&view.form),
        escape(conversation),
    );
    frame("助けを呼ぶ", "", &body)
}

/// How far a flag is; `link` leads back to the form.
pub(in crate::edge::http) fn state(view: &FlagView, link: &str) -> String {
    let reached = STEPS.iter().position(|step| *step == view.state).unwrap_or_default();
    let step = |(n, name): (usize, &&str)| {
        let class = if n == reached { "on" } else { "" };
        format!("<li class=\"{class}\">{name}</li>")
    };
    let steps = STEPS.iter().enumerate().map(step).collect::<Vec<_>>().concat();
    let by = view.by.as_ref().filter(|_| reached > 0).map(|by| row("担当", by)).unwrap_or_default();
    let finding = view.finding.as_ref().map(|finding| row("判断", finding)).unwrap_or_default();
    let reason = view.reason.as_ref().filter(|reason| !reason.is_empty()).map(|reason| row("理由", reason)).unwrap_or_default();
    let told = match reached {
        0 => "届きました。いま担当者に知らせています。",
        1 => "担当者が対応しています。",
        _ => "対応の結果です。納得できないときは、もう一度送れます。上司以外の窓口にも伝えられます。",
    };
    let body = format!(
        "<ol class=\"steps\">{steps}</ol><p class=\"done\" role=\"status\">{told}</p><table>{}{by}{finding}{reason}</table>\
         <p class=\"note\">この画面は{RELOAD_SECONDS}秒ごとに新しくなります。</p><p><a href=\"../{}\">もう一度送る</a></p>",
        row("番号", &view.case),
        escape(link),
    );
    frame("助けを呼ぶ", &format!("<meta http-equiv=\"refresh\" content=\"{RELOAD_SECONDS}\">"), &body)
}

/// Where no link was given.
pub(in crate::edge::http) fn without_link() -> String {
    let line = "助けを呼ぶ画面は、一人ひとりのリンクから開きます。まだ受け取っていなければ、管理者に頼んでください(mimamori person link)。";
    frame("助けを呼ぶ", "", &format!("<p class=\"done\">{line}</p>"))
}

fn row(name: &str, value: &str) -> String {
    format!("<tr><th>{name}</th><td>{}</td></tr>", escape(value))
}
