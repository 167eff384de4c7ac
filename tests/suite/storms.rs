//! Many messages at once: one customer who floods, many who send the same.

use crate::support::{Site, wait_for};
use mimamori::case::{CaseRecord, Step};
use mimamori::edge::embedded::Embedded;
use mimamori::store::{Store, Stream};
use mimamori::worker::enroll::read_cases;
use std::time::Duration;

const FLOOD: usize = 2_000;

fn store<T>(site: &Site, act: impl AsyncFnOnce(Embedded) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async { act(Embedded::open(&site.path("mimamori.db")).expect("opens")).await })
}

fn cases(site: &Site) -> Vec<CaseRecord> {
    store(site, async |store| read_cases(&store).await.expect("cases"))
}

fn settle(site: &Site) {
    wait_for("the queue to empty", Duration::from_mins(3), || (site.pending() == 0).then_some(()));
    std::thread::sleep(Duration::from_secs(2));
}

#[test]
fn a_flood_is_one_case_with_counts_and_an_urgent_one_inside_still_pages() {
    let site = Site::new("");
    let worker = site.start_ready();
    let mail = |n: usize| {
        let text = format!("お前みたいな無能は消えろ、このクズ。{n}回目だ");
        format!("{{\"id\":\"f-{n}\",\"channel\":\"email\",\"customer\":\"flood@example.com\",\"text\":\"{text}\"}}\n")
    };
    let lines: Vec<String> = (0..FLOOD).map(mail).collect();
    assert!(site.run_with(&["submit"], lines.concat().as_bytes()).status.success());
    settle(&site);
    let case = cases(&site).pop().expect("a case");
    assert_eq!(cases(&site).len(), 1, "one customer, one case");
    assert_eq!(case.message_count(), FLOOD as u64);
    let steps = |case: &CaseRecord, step: Step| case.intents.iter().filter(|one| one.step == step && one.state.is_sent()).count();
    let told = case.intents.iter().filter(|one| one.state.is_sent()).count();
    // One person at level 2; two over two channels for the rise to level 3 and for each of the three counts.
    assert!(told <= 1 + 4 + 3 * 4, "{told} alerts for {FLOOD} mails");
    assert!(steps(&case, Step::Grown) >= 1, "the counts are told");
    let kept = store(&site, async |store| store.last(Stream::Evidence).await.expect("reads").expect("kept").seq);
    assert_eq!(kept, FLOOD as u64, "every original is kept: the number is the proof");

    let bomb = r#"{"id":"f-bomb","channel":"email","customer":"flood@example.com","text":"明日の10時、渋谷店に爆弾を仕掛けた。返金しないなら爆破する。"}"#;
    assert!(site.run_with(&["submit"], bomb.as_bytes()).status.success());
    let case = wait_for("the rise", Duration::from_secs(30), || {
        let case = cases(&site).pop()?;
        (case.level.number() == 4 && steps(&case, Step::Raised) >= 6).then_some(case)
    });
    assert_eq!(case.message_count(), FLOOD as u64 + 1);
    let whole = store(&site, async |store| {
        let mut counted = 0;
        for entry in store.read(Stream::CaseEvent, 0, 100_000).await.expect("reads") {
            let row: serde_json::Value = serde_json::from_slice(&entry.body).expect("json");
            counted += 1;
            assert_eq!(row["n"], counted, "the history has no gap");
        }
        counted
    });
    assert!(whole >= case.event_count - 1, "{whole} of {}", case.event_count);
    drop(worker);
}

#[test]
fn the_same_text_from_many_senders_is_one_case() {
    let site = Site::new("");
    let worker = site.start_ready();
    let text = "店員の態度が最悪。無能な店長は今すぐ土下座して謝れ、このクズ店が";
    for n in 0..12 {
        // Spaces and width are how copies differ.
        let text = if n % 2 == 0 { text.to_owned() } else { text.replace('、', "、 ") };
        let line = format!("{{\"id\":\"s-{n}\",\"channel\":\"email\",\"customer\":\"p{n}@example.com\",\"text\":\"{text}\"}}");
        assert!(site.run_with(&["submit"], line.as_bytes()).status.success());
        wait_for("the queue to empty", Duration::from_secs(20), || (site.pending() == 0).then_some(()));
    }
    let mut sizes: Vec<u64> = cases(&site).iter().map(CaseRecord::message_count).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1, 1, 1, 8], "four come alone before the fifth shows the campaign");
    let crowd = cases(&site).into_iter().find(|case| case.message_count() == 8).expect("the campaign");
    let places: Vec<&str> = crowd.summaries.values().flat_map(|summary| &summary.reasons).filter_map(|one| one.place.as_deref()).collect();
    assert!(places.contains(&"同文多数(炎上・電凸の疑い)"), "{places:?}");
    drop(worker);
}
