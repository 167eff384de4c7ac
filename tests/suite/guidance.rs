//! Hints: which guidance a verdict gets, what the shipped file may never say, and that nothing is left without one.

use crate::lexicons::shipped;
use mimamori::diag::SourceText;
use mimamori::engine::Engine;
use mimamori::engine::lexicon::compile;
use mimamori::model::guidance::{GUIDANCE_MAX, Guidance, HINT_LINES_MAX, Hints};
use mimamori::model::ids::{EntryId, MessageId};
use mimamori::model::message::{Channel, Coverage, FieldName, PartKind};
use mimamori::model::severity::{Category, Lane, Level};
use mimamori::model::verdict::{Evidence, EvidenceKind, Score, Verdict};
use std::sync::LazyLock;

static GUIDE: LazyLock<Engine> = LazyLock::new(|| {
    let text = include_str!("../../lexicons/guidance.toml").to_owned();
    engine(&[SourceText { name: "guidance.toml".into(), text }])
});

fn engine(sources: &[SourceText]) -> Engine {
    Engine::new(compile(sources).lexicon.expect("compiles")).expect("builds")
}

/// `entry category-or-lane level`, and for both `entry category+lane level`.
fn evidence(row: &str) -> Evidence {
    let words: Vec<&str> = row.split(' ').collect();
    let kinds: Vec<&str> = words[1].split('+').collect();
    Evidence {
        kind: EvidenceKind::Entry,
        entry: EntryId::from(words[0]),
        category: kinds.iter().find_map(|id| Category::parse(id).filter(|one| *one != Category::SelfHarm)),
        lane: kinds.iter().find_map(|id| Lane::parse(id)),
        level: Level::try_from(words[2].parse::<u8>().unwrap()).unwrap(),
        text: String::new(),
        field: FieldName::Text,
        part: PartKind::New,
        start: None,
        end: None,
        spans: vec![],
        via: vec![],
    }
}

fn verdict(rows: &[&str]) -> Verdict {
    let evidence: Vec<Evidence> = rows.iter().map(|row| evidence(row)).collect();
    let level = evidence.iter().map(|row| row.level).max().unwrap_or_default();
    Verdict {
        id: MessageId("A-1".into()),
        level,
        level_name: level.name().into(),
        categories: evidence.iter().filter_map(|row| row.category).collect(),
        lanes: evidence.iter().filter_map(|row| row.lane).collect(),
        urgent: false,
        demand: Score::default(),
        manner: Score::default(),
        evidence,
        suppressed: vec![],
        more: 0,
        coverage: Coverage::default(),
        lexicon: String::new(),
        engine: String::new(),
    }
}

fn ids(guidance: &[Guidance]) -> Vec<&str> {
    guidance.iter().map(|one| one.id.strip_prefix("guidance.").unwrap()).collect()
}

#[test]
fn evidence_gets_the_most_specific_guidance() {
    let rows: &[(&[&str], &str)] = &[
        (&[], ""),
        (&["threat.not_get_away threat 2"], "threat"),
        (&["threat.kill threat 3"], "threat_clear"),
        (&["threat.bomb_placed threat 4"], "threat_attack"),
        (&["threat.arson_place threat 4"], "threat_fire"),
        (&["threat.gang_hint threat 3"], "threat_gang"),
        (&["threat.weapon_visit threat 4"], "threat_weapon"),
        (&["obstruction.storm_in obstruction 3"], "visit"),
        (&["obstruction.flood obstruction 2"], "flood"),
        (&["obstruction.system_attack obstruction 3"], "system"),
        (&["privacy.home_known privacy 3"], "home_known"),
        (&["sexual.stalk sexual 3"], "sexual_stalking"),
        (&["discrimination.sogi discrimination 3"], "discrimination_sogi"),
        (&["coercion.apology_excess coercion 2"], "apology"),
        (&["coercion.apology_condition coercion 2"], "apology_condition"),
        // a reader has no entry of its own
        (&["reader.threat threat 3"], "threat_clear"),
        (&["reader.insult insult 1"], "insult"),
        // a demand alone is no threat; beside a clear one it may be 223 or 249
        (&["coercion.dogeza coercion 2"], "dogeza"),
        (&["coercion.dogeza coercion 2", "threat.kill threat 3"], "threat_clear dogeza_threat"),
        (&["coercion.dogeza coercion 2", "threat.remember_this threat 1"], "dogeza threat"),
        (&["coercion.money_rough coercion 2", "exposure.shame exposure 3"], "exposure_coercion money_rough_threat"),
        (&["extortion.unjust_money extortion 2"], "extortion"),
        (&["extortion.money_threat extortion 3"], "extortion_grave"),
        // life comes first, and its own road alone
        (&["threat.kill threat 4", "self_harm.lever self_harm 0"], "self_harm threat_clear"),
        (&["self_harm.blame coercion+self_harm 2"], "self_harm"),
        (&["threat.lever_suicide coercion 2"], "lever_suicide"),
        (&["safety_incident.fire safety_incident 0", "insult.fool insult 1"], "safety_incident insult"),
        (&["rights_assertion.legal rights_assertion 0", "insult.fool insult 2"], "insult rights_assertion"),
        (&["accommodation.request accommodation 0"], "accommodation"),
        // at most five
        (
            &["a threat 4", "b insult 2", "c exposure 3", "d coercion 2", "e privacy 2", "f sexual 3", "g persistence 2"],
            "threat_clear exposure_coercion sexual_grave insult coercion_threat",
        ),
    ];
    for (evidence, expected) in rows {
        let found = GUIDE.guidance(&verdict(evidence), Channel::Email);
        assert_eq!(ids(&found).join(" "), *expected, "{evidence:?}");
        assert!(found.len() <= GUIDANCE_MAX);
    }
}

#[test]
fn what_evidence_does_not_show_is_found_by_category_and_lane() {
    let mut one = verdict(&[]);
    (one.level, one.categories, one.lanes) =
        (Level::Severe, vec![Category::Threat, Category::SelfHarm], vec![Lane::SelfHarm, Lane::Machine]);
    assert_eq!(ids(&GUIDE.guidance(&one, Channel::Email)), ["self_harm", "threat_clear", "machine"]);
}

#[test]
fn articles_that_need_a_public_are_shown_for_posts_alone() {
    let one = verdict(&["insult.fool insult 3", "exposure.doxing exposure 3"]);
    for channel in Channel::ALL {
        let articles = GUIDE.guidance(&one, channel).into_iter().flat_map(|one| one.articles).collect::<Vec<_>>().join(" ");
        for article in ["230条", "231条"] {
            assert_eq!(articles.contains(article), channel == Channel::Sns, "{channel:?}: {articles}");
        }
    }
}

#[test]
fn every_category_and_lane_has_guidance() {
    let of = |row: String| GUIDE.guidance(&verdict(&[&row]), Channel::Email);
    for level in Level::ALL {
        for category in Category::ALL.iter().filter(|one| **one != Category::SelfHarm) {
            assert_eq!(of(format!("x {category} {level}")).len(), 1, "{category} at {level}");
        }
        for lane in Lane::ALL {
            let found = of(format!("x {lane} {level}"));
            assert_eq!((found.len(), found[0].lane), (1, Some(*lane)), "{lane} at {level}");
        }
    }
}

/// 東京都の指針の15類型.
const TOKYO: [&str; 13] = [
    "身体的な攻撃",
    "精神的な攻撃",
    "威圧的な言動",
    "土下座の要求",
    "執拗な(継続的な)言動",
    "拘束する行動",
    "差別的な言動",
    "性的な言動",
    "個人への攻撃や嫌がらせ",
    "過度な商品交換",
    "過度な金銭補償",
    "過度な謝罪",
    "不可能・抽象的な要求",
];

#[test]
fn shipped_hints_point_and_never_judge() {
    let objects = &GUIDE.lexicon().guidance;
    assert!(objects.len() >= 40, "{}", objects.len());
    for object in objects {
        let id = &object.id.text;
        let lists = [&object.mhlw, &object.tokyo, &object.articles, &object.only_public, &object.advice, &object.desks];
        for line in lists.into_iter().flatten() {
            for word in ["罪です", "違法です", "犯罪です", "懲役", "拘禁刑", "罰金"] {
                assert!(!line.text.contains(word), "{id}: {}", line.text);
            }
        }
        for line in &object.tokyo {
            assert!(TOKYO.contains(&line.text.as_str()), "{id}: {}", line.text);
        }
        let harassment = object.category.is_some();
        assert!(!harassment || !object.mhlw.is_empty() && !object.tokyo.is_empty(), "{id}: no type");
    }
    let care = &GUIDE.guidance(&verdict(&["x self_harm 0"]), Channel::Sns)[0];
    assert!(
        care.articles.is_empty() && care.mhlw.is_empty() && care.desks.iter().any(|line| line.contains("最新の番号を確認")),
        "{care:?}"
    );
}

#[test]
fn every_entry_named_by_a_hint_exists() {
    let unknown: Vec<String> = compile(&shipped())
        .diagnostics
        .into_iter()
        .filter(|fault| fault.code == "lexicon.unknown-entry" && fault.file.ends_with("guidance.toml"))
        .map(|fault| fault.title)
        .collect();
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn a_site_replaces_a_hint_as_a_whole() {
    let file = |layer: &str, advice: &str| SourceText {
        name: layer.to_owned(),
        text: format!(
            "format = 1\n[lexicon]\nid = \"{layer}\"\ntitle = \"t\"\nlayer = \"{layer}\"\n[[guidance]]\nid = \"guidance.insult\"\n\
             category = \"insult\"\nadvice = [\"{advice}\"]\n"
        ),
    };
    let engine = engine(&[file("site", "当社の手順"), file("base", "基本")]);
    assert_eq!(engine.guidance(&verdict(&["x insult 2"]), Channel::Chat)[0].advice, ["当社の手順"]);
}

#[test]
fn merged_hints_stay_short() {
    let grave = verdict(&["threat.bomb threat 4", "insult.fool insult 2", "coercion.dogeza coercion 2", "c exposure 4", "d privacy 4"]);
    let guidance = GUIDE.guidance(&grave, Channel::Sns);
    let hints = Hints::of(guidance.iter());
    for list in [&hints.mhlw, &hints.tokyo, &hints.articles, &hints.advice, &hints.desks] {
        assert!(list.len() <= HINT_LINES_MAX, "{list:?}");
    }
    assert!(hints.advice[0].contains("110番"), "{hints:?}");
    assert!(!hints.advice.iter().any(|line| line.contains("ふだんの手順")), "{hints:?}");
}
