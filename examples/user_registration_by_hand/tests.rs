//! What the program by hand promises, in virtual time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use crate::progress::{Failure, Progress};
use crate::registration::Registrations;
use crate::services::activation::RegistrationStatus;
use crate::services::{CreateUserAccountInput, Faults};

const SECOND: Duration = Duration::from_secs(1);

fn user(email: &str) -> CreateUserAccountInput {
    let (email, name, plan) = (email.to_owned(), "Ada".to_owned(), Some("pro".to_owned()));
    CreateUserAccountInput { email, name, plan, referral_code: None, marketing_consent: None }
}

fn open(directory: &TempDir, billing: Faults) -> Arc<Registrations> {
    let progress = Progress::open(&file(directory)).unwrap();
    crate::registrations(progress, SECOND, billing)
}

fn file(directory: &TempDir) -> std::path::PathBuf {
    Path::new(directory.path()).join("progress.db")
}

/// The attempts of each step that was begun, by the steps' names.
fn attempts(directory: &TempDir) -> Vec<(String, u32)> {
    let connection = Connection::open(file(directory)).unwrap();
    let mut statement = connection.prepare("SELECT name, attempts FROM step ORDER BY name").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn numbers(directory: &TempDir) -> Vec<u32> {
    attempts(directory).into_iter().map(|(_, attempts)| attempts).collect()
}

#[tokio::test(start_paused = true)]
async fn the_branches_run_side_by_side() {
    let directory = TempDir::new().unwrap();
    let (all, begin) = (open(&directory, Faults::None), Instant::now());
    let status = all.register("r_1", &user("ada@example.com")).await.unwrap().status;
    assert_eq!(status, RegistrationStatus::Active);
    // Five calls of a second each, two of them at once.
    assert_eq!(begin.elapsed().as_secs(), 4);
    assert_eq!(numbers(&directory), [1; 5]);
    assert!(all.progress.unfinished().await.unwrap().is_empty());
    // Known, and not called again.
    all.register("r_1", &user("ada@example.com")).await.unwrap();
    assert_eq!((begin.elapsed().as_secs(), numbers(&directory)), (4, vec![1; 5]));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_away_is_asked_again_and_one_that_refuses_is_not() {
    for (faults, billing, steps) in
        [(Faults::Times(2), 3, 5), (Faults::Times(3), 3, 3), (Faults::Permanent, 1, 3)]
    {
        let directory = TempDir::new().unwrap();
        let all = open(&directory, faults);
        let ended = all.register("r_1", &user("ada@example.com")).await;
        assert_eq!(ended.is_ok(), steps == 5, "{ended:?}");
        let attempts = attempts(&directory);
        assert_eq!(attempts.len(), steps, "{attempts:?}");
        assert!(attempts.contains(&("setup_billing_profile".to_owned(), billing)), "{attempts:?}");
        // The other branch goes on.
        assert!(attempts.contains(&("initialize_preferences".to_owned(), 1)), "{attempts:?}");
        assert!(all.progress.unfinished().await.unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_registration_goes_on_after_a_crash() {
    let directory = TempDir::new().unwrap();
    let first = open(&directory, Faults::None);
    let (id, input) = ("r_1", user("ada@example.com"));
    timeout(SECOND * 3 / 2, first.register(id, &input)).await.unwrap_err();
    drop(first);
    let all = open(&directory, Faults::None);
    let ended = all.recover().await.unwrap();
    assert!(matches!(ended[..], [Ok(_)]), "{ended:?}");
    // By name: the account was there, and both branches were interrupted.
    assert_eq!(numbers(&directory), [1, 2, 1, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_step_in_which_the_process_ends_again_and_again_fails() {
    let directory = TempDir::new().unwrap();
    for _ in 0..3 {
        let all = open(&directory, Faults::None);
        timeout(SECOND / 2, all.register("r_1", &user("ada@example.com"))).await.unwrap_err();
    }
    let ended = open(&directory, Faults::None).recover().await.unwrap();
    assert_eq!(
        ended[0].as_ref().unwrap_err().to_string(),
        "create_user_account failed: the process ended in its last attempt"
    );
}

#[tokio::test]
async fn one_process_has_the_file_and_input_is_validated_first() {
    let directory = TempDir::new().unwrap();
    let all = open(&directory, Faults::None);
    assert!(matches!(Progress::open(&file(&directory)), Err(Failure::InUse(_))));
    assert!(matches!(all.register("r_1", &user("nope")).await, Err(Failure::Input(_))));
    assert!(all.progress.unfinished().await.unwrap().is_empty());
}
