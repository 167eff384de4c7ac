//! Inflection: the longest form at the start of a text names the mood, quiet or not.

use mimamori::engine::text::{Class, Inflected, Mood, inflect};
use std::collections::BTreeSet;

fn forms(lemma: &str, reading: &str, class: Class) -> Vec<Inflected> {
    inflect(lemma, Some(reading), class).expect("inflects")
}

/// The mood of the longest form that `text` begins with.
fn mood_at(forms: &[Inflected], text: &str) -> &'static str {
    let longest = forms.iter().filter(|form| text.starts_with(&form.surface)).max_by_key(|form| form.surface.len());
    longest.map_or("none", |form| form.mood.id())
}

fn check(lemma: &str, reading: &str, class: Class, rows: &[(&str, &str)]) {
    let forms = forms(lemma, reading, class);
    let wrong: Vec<_> = rows
        .iter()
        .filter(|(text, expected)| mood_at(&forms, text) != *expected)
        .map(|(text, expected)| format!("{text}: {}, expected {expected}", mood_at(&forms, text)))
        .collect();
    assert!(wrong.is_empty(), "{lemma}\n{}", wrong.join("\n"));
}

#[test]
fn korosu() {
    let rows = [
        ("殺すぞ", "plain"),
        ("殺すよ", "plain"),
        ("殺せ", "imperative"),
        ("殺しなさい", "imperative"),
        ("殺してくれ", "te_request"),
        ("殺してみろよ", "te_request"),
        ("殺そうか", "volitional"),
        ("殺そか", "volitional"),
        ("殺しに行くからな", "volitional"),
        ("殺しに行きました", "past"),
        ("殺してやる", "te_yaru"),
        ("殺してやろうか", "te_yaru"),
        ("殺してやんよ", "te_yaru"),
        ("殺したる", "te_yaru"),
        ("殺したろか", "te_yaru"),
        ("殺したんぞ", "te_yaru"),
        ("殺してまうぞ", "te_yaru"),
        ("殺しちゃうぞ", "te_yaru"),
        ("殺しちまうぞ", "te_yaru"),
        ("殺すな", "prohibitive"),
        ("殺したい", "desiderative"),
        ("殺したくなる", "desiderative"),
        ("殺してえ", "desiderative"),
        ("殺さない", "negative"),
        ("殺さん", "negative"),
        ("殺しません", "negative"),
        ("殺してない", "negative"),
        ("殺された", "passive"),
        ("殺されそう", "passive"),
        ("殺されたいか", "passive_desire"),
        ("殺されたいのか", "passive_desire"),
        ("殺されたいんか", "passive_desire"),
        ("殺されてえのか", "passive_desire"),
        ("殺されたくなければ", "passive_desire"),
        ("殺した", "past"),
        ("殺しました", "past"),
        ("殺していた", "past"),
        ("殺しちゃった", "past"),
        ("殺せば", "conditional"),
        ("殺したら", "conditional"),
        ("殺すなら", "conditional"),
        ("殺せる", "potential"),
        ("殺せますか", "potential"),
        ("殺している", "progressive"),
        ("殺してる", "progressive"),
        ("殺しとる", "progressive"),
        ("殺させる", "causative"),
        ("殺しやがれ", "contempt"),
        ("殺してやがる", "contempt"),
        ("殺しますよ", "polite"),
        ("殺虫", "none"),
        ("殺して再起動", "none"),
        ("ころしたろか", "te_yaru"),
        ("ころされた", "passive"),
    ];
    check("殺す", "ころす", Class::Godan, &rows);
}

#[test]
fn shinu() {
    let rows = [
        ("死ぬぞ", "plain"),
        ("死ね", "imperative"),
        ("死ねよ", "imperative"),
        ("死ねや", "imperative"),
        ("死ねてめえ", "imperative"),
        ("死なんかい", "imperative"),
        ("死にたまえ", "imperative"),
        ("死んでくれ", "te_request"),
        ("死んで!", "te_request"),
        ("死んどけ", "te_request"),
        ("死んでまえ", "te_request"),
        ("死んじまえ", "te_request"),
        ("死んだらどうですか", "te_request"),
        ("死ねばいいのに", "te_request"),
        ("死んだらいいのに", "te_request"),
        ("死んだら保険は", "conditional"),
        ("死ねば保険は", "conditional"),
        ("死んで悲しい", "none"),
        ("死んでしまいました", "past"),
        ("死んでよかった", "past"),
        ("死んだ", "past"),
        ("死んだろう", "past"),
        ("死にました", "past"),
        ("死のうか", "volitional"),
        ("死の恐怖", "none"),
        ("死んでやる", "te_yaru"),
        ("死んだる", "te_yaru"),
        ("死にたい", "desiderative"),
        ("死にてえ", "desiderative"),
        ("死なないで", "negative"),
        ("死ねる", "potential"),
        ("死ねない", "potential"),
        ("死んでる", "progressive"),
        ("死んでいる", "progressive"),
        ("死んでいただけますか", "te_request"),
        ("死なせる", "causative"),
        ("死なすぞ", "causative"),
        ("死なせてやる", "te_yaru"),
        ("死にやがれ", "contempt"),
        ("死にさらせ", "contempt"),
        ("死にくされ", "contempt"),
        ("しにさらせ", "contempt"),
        ("しねば", "conditional"),
    ];
    check("死ぬ", "しぬ", Class::Godan, &rows);
}

#[test]
fn other_classes() {
    check(
        "辞める",
        "やめる",
        Class::Ichidan,
        &[
            ("辞めろ", "imperative"),
            ("辞めよ", "imperative"),
            ("辞めよう", "volitional"),
            ("辞めてください", "te_request"),
            ("辞めたらどう", "te_request"),
            ("辞めさせろ", "imperative"),
            ("辞めさせてやる", "te_yaru"),
            ("辞めさせる", "causative"),
            ("辞めんな", "prohibitive"),
            ("辞めんかい", "imperative"),
            ("辞められない", "passive"),
            ("辞めれない", "potential"),
            ("辞めれば", "conditional"),
            ("辞めました", "past"),
            ("やめちまえ", "te_request"),
        ],
    );
    check(
        "土下座",
        "どげざ",
        Class::Suru,
        &[
            ("土下座しろ", "imperative"),
            ("土下座せえ", "imperative"),
            ("土下座せんかい", "imperative"),
            ("土下座してもらおうか", "te_request"),
            ("土下座したい", "desiderative"),
            ("土下座します", "polite"),
            ("土下座すんな", "prohibitive"),
            ("土下座せずに", "negative"),
            ("土下座させる", "causative"),
            ("土下座させてやる", "te_yaru"),
            ("土下座され", "passive"),
            ("土下座した", "past"),
            ("土下座", "none"),
            ("どげざしろ", "imperative"),
        ],
    );
    check(
        "来る",
        "くる",
        Class::Kuru,
        &[
            ("来い", "imperative"),
            ("こい", "imperative"),
            ("来ない", "negative"),
            ("こない", "negative"),
            ("来んな", "prohibitive"),
            ("くんな", "prohibitive"),
            ("来ました", "past"),
            ("きました", "past"),
            ("来れば", "conditional"),
            ("くれば", "conditional"),
            ("来よう", "volitional"),
        ],
    );
    check(
        "うざい",
        "うざい",
        Class::Adjective,
        &[("うざいんだよ", "plain"), ("うぜえ", "plain"), ("うざかった", "past"), ("うざくない", "negative"), ("うざすぎ", "plain")],
    );
    check("臭い", "くさい", Class::Adjective, &[("臭え", "plain"), ("くせえ", "plain"), ("臭くない", "negative")]);
    check("馬鹿", "ばか", Class::Noun, &[("馬鹿", "plain"), ("ばか", "plain")]);
}

#[test]
fn every_row_of_godan() {
    for (lemma, te, negative, imperative, volitional, polite) in [
        ("言う", "言って", "言わない", "言え", "言おう", "言います"),
        ("書く", "書いて", "書かない", "書け", "書こう", "書きます"),
        ("行く", "行って", "行かない", "行け", "行こう", "行きます"),
        ("脱ぐ", "脱いで", "脱がない", "脱げ", "脱ごう", "脱ぎます"),
        ("潰す", "潰して", "潰さない", "潰せ", "潰そう", "潰します"),
        ("待つ", "待って", "待たない", "待て", "待とう", "待ちます"),
        ("死ぬ", "死んで", "死なない", "死ね", "死のう", "死にます"),
        ("飛ぶ", "飛んで", "飛ばない", "飛べ", "飛ぼう", "飛びます"),
        ("拝む", "拝んで", "拝まない", "拝め", "拝もう", "拝みます"),
        ("殴る", "殴って", "殴らない", "殴れ", "殴ろう", "殴ります"),
    ] {
        let made = inflect(lemma, None, Class::Godan).expect("inflects");
        let rows = [
            (lemma.to_owned(), "plain"),
            (format!("{te}くれ"), "te_request"),
            (negative.to_owned(), "negative"),
            (imperative.to_owned(), "imperative"),
            (volitional.to_owned(), "volitional"),
            (polite.to_owned(), "polite"),
        ];
        for (text, expected) in rows {
            assert_eq!(mood_at(&made, &text), expected, "{text}");
        }
        assert!(made.iter().all(|form| !form.kana), "{lemma} is written with a kanji");
    }
}

#[test]
fn forms_are_unique_short_and_all_moods_are_there() {
    let made = forms("殺す", "ころす", Class::Godan);
    let surfaces: BTreeSet<_> = made.iter().map(|form| &form.surface).collect();
    let moods: BTreeSet<_> = made.iter().map(|form| form.mood).collect();
    assert_eq!(surfaces.len(), made.len());
    assert_eq!(moods.len(), Mood::ALL.len());
    assert!(!surfaces.contains(&"殺してやろう".to_owned()) || !surfaces.contains(&"殺してやろ".to_owned()));
    let kana = made.iter().filter(|form| form.kana).count();
    assert_eq!(kana * 2, made.len(), "as many kana forms as kanji forms");
    assert!(made.len() < 500, "{} forms of one verb", made.len());
}

#[test]
fn wrong_lemmas_are_refused() {
    for (lemma, reading, class, message) in [
        ("殺し", None, Class::Godan, "“殺し” does not end like class godan: expected う, く, ぐ, す, つ, ぬ, ぶ, む or る"),
        ("殺す", Some("コロス"), Class::Godan, "the reading “コロス” is not hiragana"),
        ("す", None, Class::Godan, "“す” does not end like class godan: expected う, く, ぐ, す, つ, ぬ, ぶ, む or る"),
        ("殴る", Some("なぐる"), Class::Ichidan, "“なぐる” does not end like class ichidan: expected る after a kana in い or え"),
        ("うざ", None, Class::Adjective, "“うざ” does not end like class adjective: expected い"),
        ("出る", None, Class::Kuru, "“出る” does not end like class kuru: expected 来る or くる"),
    ] {
        assert_eq!(inflect(lemma, reading, class).map_err(|e| e.to_string()), Err(message.to_owned()));
    }
}

#[test]
fn ids_are_read_back() {
    for (mood, id) in Mood::ALL {
        assert_eq!((mood.id(), Mood::parse(id)), (id, Some(mood)));
    }
    for (class, id) in Class::ALL {
        assert_eq!((class.id(), Class::parse(id)), (id, Some(class)));
    }
    assert_eq!((Mood::parse("angry"), Class::parse("")), (None, None));
}
