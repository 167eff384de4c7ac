//! The short form of the fault run (`tests/faults/run.py`): real servers, kills, silences, lost acknowledgements; an
//! independent checker reads what is left, and must find every planted violation.

use std::path::Path;
use std::process::Command;

#[test]
fn nothing_is_lost_whatever_dies() {
    let servers = std::env::var("MIMAMORI_TEST_SERVERS").expect("set by tests/run");
    let python = std::env::var("MIMAMORI_TEST_PYTHON").expect("set by tests/run");
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/run.py");
    let output = Command::new(python)
        .arg(run)
        .args(["--binary", env!("CARGO_BIN_EXE_mimamori"), "--nats", &format!("{servers}/nats-2.15.1/bin/nats-server")])
        .args(["--messages", "1500", "--faults", "10", "--seconds", "40", "--workers", "2", "--pause", "4", "--calm", "12", "--plant"])
        .output()
        .expect("the fault run starts");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("12 of 12 planted violations found"), "{told}");
}
