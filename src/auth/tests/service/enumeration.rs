//! Whether somebody has an account is told to nobody: not by the answer, not by its time, not by the lock.

use std::time::{Duration, Instant};

use auth::messages::{AuthenticateExternalUser, RegisterUser, UpdateUser};
use banyan_sdk::{Fault, FaultCode};
use futures_util::future::join_all;

use super::stage::{PASSWORD, Stage, credentials, published};

/// What a caller sees of a fault.
fn seen(fault: Fault) -> (FaultCode, String, String) {
    let details = fault.details.map(|it| it.to_string()).unwrap_or_default();
    (fault.code, fault.message, details)
}

#[tokio::test]
async fn every_failed_log_in_gets_the_same_answer() {
    let (stage, _instance) = Stage::with_instance().await;
    stage.create("ann@example.com", &["user"]).await;
    let off = stage.create("off@example.com", &["user"]).await;
    stage.manage(UpdateUser { user_id: off, profile: None, is_active: Some(false) }).await.unwrap();
    let external = AuthenticateExternalUser {
        external_provider: "google".to_owned(),
        external_user_id: "g1".to_owned(),
        email: "ext@example.com".to_owned(),
        email_verified: true,
        name: None,
        metadata: None,
    };
    stage.manage(external).await.unwrap();
    let mut answers = Vec::new();
    for (email, password) in [
        ("ann@example.com", "wrong"),
        ("nobody@example.com", "wrong"),
        ("off@example.com", PASSWORD),
        ("ext@example.com", PASSWORD),
        ("not an address", PASSWORD),
        ("", ""),
    ] {
        answers.push(seen(stage.log_in(email, password).await.err().unwrap()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0].0, FaultCode::Unauthorized);
}

#[tokio::test]
async fn a_lock_is_the_same_whether_there_is_an_account_or_not() {
    let (stage, _instance) = Stage::with_instance().await;
    stage.create("ann@example.com", &["user"]).await;
    let events = published(&stage).await;
    for email in ["ann@example.com", "nobody@example.com"] {
        for attempt in 0..5 {
            let fault = stage.log_in(email, "wrong").await.err().unwrap();
            assert_eq!(fault.code, FaultCode::Unauthorized, "attempt {attempt} with {email}");
        }
        for password in ["wrong", PASSWORD] {
            let fault = stage.log_in(email, password).await.err().unwrap();
            assert_eq!(fault.code, FaultCode::RateLimitExceeded, "{email}");
            let seconds = fault.details.unwrap()["retryAfter"].as_u64().unwrap();
            assert!((3500..=3600).contains(&seconds), "{email}: {seconds} s");
        }
        let told = |all: &Vec<serde_json::Value>| {
            let locked =
                all.iter().filter(|it| it["messageType"] == "AccountLocked" && it["payload"]["email"] == email);
            locked.count() == 1
        };
        tokio::time::timeout(Duration::from_secs(10), events.clone().wait_for(told)).await.unwrap().unwrap();
    }
    // when the time is over, it is over
    let sql = "update auth_attempts set since = since - interval '1 hour'";
    sqlx::query(sql).execute(&mut stage.database().await).await.unwrap();
    assert!(stage.log_in("ann@example.com", PASSWORD).await.is_ok());
    for _ in 0..4 {
        assert!(stage.log_in("ann@example.com", "wrong").await.is_err());
    }
    assert!(stage.log_in("ann@example.com", PASSWORD).await.is_ok(), "four are no five");
    assert!(stage.log_in("ann@example.com", "wrong").await.is_err_and(|it| it.code == FaultCode::Unauthorized));
}

#[tokio::test]
async fn many_guesses_at_once_are_no_more_than_one_after_the_other() {
    let (stage, _instance) = Stage::with_instance().await;
    stage.create("ann@example.com", &["user"]).await;
    let guesses = (0..60).map(|_| stage.log_in("ann@example.com", "wrong"));
    let answers = join_all(guesses).await;
    let looked_at = answers.iter().filter(|it| it.as_ref().is_err_and(|it| it.code == FaultCode::Unauthorized)).count();
    // five, and what was under way when the fifth failed: ten at most in one instance
    assert!((5..=15).contains(&looked_at), "{looked_at} guesses were looked at");
    let late = stage.log_in("ann@example.com", PASSWORD).await.err().unwrap();
    assert_eq!(late.code, FaultCode::RateLimitExceeded);
}

#[tokio::test]
async fn one_place_cannot_try_everybody() {
    let (stage, _instance) = Stage::with_instance().await;
    stage.create("ann@example.com", &["user"]).await;
    // what would take a hundred log-ins
    let from = |address: &str, email: &str, password: &str| {
        let mut command = credentials(email, password);
        command.ip_address = Some(address.to_owned());
        command
    };
    assert!(stage.call(None, from("2001:db8::1", "x@example.com", "wrong")).await.is_err());
    sqlx::query("update auth_attempts set count = 100").execute(&mut stage.database().await).await.unwrap();
    let neighbour = stage.call(None, from("2001:db8::2", "ann@example.com", PASSWORD)).await.err().unwrap();
    assert_eq!(neighbour.code, FaultCode::RateLimitExceeded);
    assert!(stage.call(None, from("2001:db8:1::1", "ann@example.com", PASSWORD)).await.is_ok());
    let nowhere = stage.call(None, from("nowhere", "ann@example.com", PASSWORD)).await.err().unwrap();
    assert_eq!(nowhere.code, FaultCode::Validation);
}

#[tokio::test]
async fn an_address_that_is_taken_registers_like_one_that_is_free() {
    let (stage, _instance) = Stage::with_instance().await;
    stage.register("ann@example.com").await;
    let command = |email: &str| RegisterUser {
        email: email.to_owned(),
        password: "another canary password".to_owned(),
        name: None,
        ip_address: Some("203.0.113.9".to_owned()),
    };
    let taken = stage.call(None, command("Ann@example.com")).await.unwrap();
    let free = stage.call(None, command("bob@example.com")).await.unwrap();
    let mut taken = serde_json::to_value(taken).unwrap();
    taken["email"] = "bob@example.com".into();
    assert_eq!(taken, serde_json::to_value(free).unwrap());
    assert!(stage.log_in("ann@example.com", "another canary password").await.is_err());
    assert!(stage.log_in("ann@example.com", PASSWORD).await.is_ok());
    sqlx::query("update auth_attempts set count = 20").execute(&mut stage.database().await).await.unwrap();
    let many = stage.call(None, command("c@example.com")).await.unwrap_err();
    assert_eq!(many.code, FaultCode::RateLimitExceeded);
}

/// Whether two kinds of work take as long, by the shortest time of each: everything else on the machine only makes them
/// longer, so that they come closer the more often they are tried, unless they are different.
async fn as_long(most: usize, work: impl AsyncFn(usize, bool)) -> Result<(), [Duration; 2]> {
    let mut least = [Duration::MAX; 2];
    for number in 0..most {
        for (least, first) in least.iter_mut().zip([true, false]) {
            let began = Instant::now();
            work(number, first).await;
            *least = began.elapsed().min(*least);
        }
        let ratio = least[0].as_secs_f64() / least[1].as_secs_f64();
        if number >= 7 && (0.75..1.33).contains(&ratio) {
            return Ok(());
        }
    }
    Err(least)
}

#[tokio::test]
async fn it_takes_as_long_whether_there_is_an_account_or_not() {
    const USERS: usize = 12;
    let (stage, _instance) = Stage::with_instance().await;
    for number in 0..USERS {
        stage.create(&format!("user{number}@example.com"), &["user"]).await;
    }
    // each address four times, so that none is locked
    let log_in = async |number: usize, known: bool| {
        let (who, number) = (if known { "user" } else { "nobody" }, number % USERS);
        let fault = stage.log_in(&format!("{who}{number}@example.com"), "a wrong password").await.err().unwrap();
        assert_eq!(fault.code, FaultCode::Unauthorized);
    };
    assert_eq!(as_long(4 * USERS, log_in).await, Ok(()), "an account, and none");

    let register = async |number: usize, taken: bool| {
        let who = if taken { format!("user{}", number % USERS) } else { format!("free{number}") };
        let (email, password) = (format!("{who}@example.com"), PASSWORD.to_owned());
        stage.call(None, RegisterUser { email, password, name: None, ip_address: None }).await.unwrap();
    };
    assert_eq!(as_long(4 * USERS, register).await, Ok(()), "an address that is taken, and one that is free");
}
