//! How long a test waits for what must come. None of them measures anything: what works comes at once.

use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

pub const PATIENCE: Duration = Duration::from_secs(60);

/// What the future comes to; fails the test, and says what did not come, when it takes too long.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let answer = tokio::time::timeout(PATIENCE, future).await;
    answer.unwrap_or_else(|_| panic!("this does not come: {what}"))
}

/// How the process ended; kills it and fails the test when it does not end by itself.
pub fn end_of(child: &mut Child, what: &str, patience: Duration) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > patience {
            child.kill().unwrap();
            panic!("this does not end: {what}");
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// What the program says until it ends, as [`Command::output`].
pub fn output_of(command: &mut Command) -> Output {
    output_within(command, PATIENCE)
}

/// The same, of one that may take longer.
pub fn output_within(command: &mut Command, patience: Duration) -> Output {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let process = child.id().to_string();
    let (tell, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    match end.recv_timeout(patience) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            let _ = Command::new("kill").args(["-9", &process]).status();
            panic!("this does not end: {command:?}");
        }
    }
}
